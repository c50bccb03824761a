"""Known violations: what a target is known to break, and why that does not fail a run.

``specs/known/apache-<version>.toml`` holds those of Apache RocketMQ; ``--mqcheck-known FILE`` names somebody else's,
and ``--mqcheck-baseline FILE`` one that ``baseline`` has made of a run. A known violation stays a violation in every
report. An entry is strict: once its pair holds, the run fails until the entry is gone, unless it says that it shows
only sometimes. The form of an entry is described in ``specs/README.md``.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from mqcheck.errors import SpecsError
from mqcheck.specs import Specs, own_folder

DO_WITHOUT: Final = "--mqcheck-known none does without"
MAKE_BASELINE: Final = "`mqcheck baseline .mqcheck/latest --out FILE` makes one of a finished run"
NONE: Final = "none"
"""The setting's value that switches all entries off."""
SEE: Final = (
    re.compile(r"([\w.-]+/[\w.-]+)#(\d+)"),
    re.compile(r"https?://\S+"),
    re.compile(r"docs/findings\.md#[\w-]+"),
    re.compile(r"run [\w-]+"),
)
"""Where an entry may send its reader: an issue of a repository, a page, an entry of docs/findings.md, a run's id."""
VERSION: Final = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True, slots=True)
class KnownViolation:
    """One entry of a file."""

    guarantee: str
    scenario: str
    """A glob; ``*`` where nothing is said."""
    what: str
    """What is broken, in a sentence."""
    see: str
    """``owner/repository#number``, a URL, ``docs/findings.md#heading``, or ``run`` and the id of a run that saw it."""
    since: str | None
    """First version that has it; None: all before ``until``."""
    until: str | None
    """First version without it; None: all after ``since``."""
    sometimes: bool
    """It shows only now and then (a race): a run in which it does not is fine."""
    path: str
    baseline: bool = False
    """It stands in a baseline: renewed by a command, not by hand."""

    @property
    def link(self) -> str | None:
        """``see`` as a URL, where it has one of its own."""
        issue = SEE[0].fullmatch(self.see)
        if issue:
            return f"https://github.com/{issue[1]}/issues/{issue[2]}"
        return self.see if SEE[1].fullmatch(self.see) else None

    def told(self) -> str:
        """Why it does not fail a run."""
        return f"known: {self.what} ({self.see})"

    def gone(self) -> str:
        """What to do when its pair was put to the test and held."""
        which = f"guarantee {self.guarantee!r}, scenario {self.scenario!r}"
        if self.baseline:
            renew = f"mqcheck baseline .mqcheck/latest --out {shlex.quote(self.path)}"
            return f"violation of the baseline is fixed ({which}): renew it with `{renew}`"
        return f"known violation no longer shows: remove the entry from {self.path} ({which}: {self.what})"

    def as_dict(self) -> dict[str, Any]:
        """As reports have it."""
        return {"what": self.what, "see": self.see, "link": self.link, "sometimes": self.sometimes, "file": self.path}


@dataclass(frozen=True, slots=True)
class KnownViolations:
    """The entries that concern one target in its version."""

    entries: tuple[KnownViolation, ...] = ()
    baseline: str | None = None
    """The file of the baseline, where there is one."""

    def of(self, scenario: str, guarantee: str) -> KnownViolation | None:
        """The entry of a pair, the first in the file's order; None when there is none."""
        mine = (entry for entry in self.entries if entry.guarantee == guarantee)
        return next((entry for entry in mine if fnmatchcase(scenario, entry.scenario)), None)


NOTHING: Final = KnownViolations()


def load_known(
    setting: str | None, target: str, version: str, specs: Specs, baseline: str | None = None
) -> KnownViolations:
    """The known violations of a target: those of the file in ``setting``, none at all, or by default the project's own;
    and those of a ``baseline``.

    ``version`` is what the target says of itself. Raises SpecsError naming file, entry, field, rule and way out.
    Called once per session and by whoever makes a report.
    """
    path = None if setting == NONE else Path(setting) if setting is not None else own_file(target)
    entries = [] if path is None else read_file(path, specs)
    if baseline is not None:
        entries += [replace(entry, baseline=True) for entry in read_file(Path(baseline), specs, MAKE_BASELINE)]
    if not entries and baseline is None:
        return NOTHING
    return KnownViolations(tuple(entry for entry in entries if _concerns(entry, version)), baseline)


def own_file(target: str) -> Path | None:
    """The project's own file about a target, ``apache:4.9.7`` for instance; None when there is none."""
    kind, colon, rest = target.partition(":")
    if kind != "apache" or not colon or not VERSION.fullmatch(rest):
        return None
    path = own_folder() / "known" / f"{kind}-{rest}.toml"
    return path if path.is_file() else None


def read_file(path: Path, specs: Specs, way_out: str = DO_WITHOUT) -> list[KnownViolation]:
    """The validated entries of one file; a file without any is fine. Raises SpecsError."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecsError(
            f"known violations: {path}: {error}; specs/README.md shows the form of an entry, and {way_out}"
        ) from error
    extra = sorted(set(data) - {"known"})
    if extra:
        raise SpecsError(f"{path}: {extra[0]!r} stands outside an entry: a file holds only [[known]] tables")
    entries = data.get("known", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise SpecsError(f"{path}: 'known' is no list of tables: write [[known]] above each entry")
    found: list[KnownViolation] = []
    for number, entry in enumerate(entries, 1):
        one = _Entry(path, number, entry).known(specs)
        if any((each.guarantee, each.scenario) == (one.guarantee, one.scenario) for each in found):
            raise SpecsError(f"{path}: entry {number} is about the same pair as one before it: keep one of them")
        found.append(one)
    return found


class _Entry:
    """One entry under validation."""

    REQUIRED: Final = ("guarantee", "what", "see")
    OPTIONAL: Final = ("scenario", "since", "until")

    def __init__(self, path: Path, number: int, data: Mapping[str, Any]) -> None:
        self.path = path
        self.number = number
        self.data = data

    def fail(self, field: str, rule: str) -> SpecsError:
        return SpecsError(
            f"{self.path}: entry {self.number} (guarantee {self.data.get('guarantee', 'without')!r}): field {field!r}: "
            f"{rule} (got {self.data.get(field)!r}); see specs/README.md"
        )

    def known(self, specs: Specs) -> KnownViolation:
        fields = (*self.REQUIRED, *self.OPTIONAL, "sometimes")
        for field in self.data:
            if field not in fields:
                raise self.fail(field, f"unknown; known are {', '.join(fields)}")
        values = {field: self.text(field) for field in (*self.REQUIRED, *self.OPTIONAL)}
        guarantee = values["guarantee"]
        if guarantee not in specs.ids() or not specs.get(guarantee).promised:
            raise self.fail("guarantee", "no promise has this id; `mqcheck list` shows all")
        if not any(form.fullmatch(values["see"]) for form in SEE):
            raise self.fail("see", "owner/repository#number, a URL, or docs/findings.md#heading (or: run ID)")
        for field in ("since", "until"):
            if values[field] and not VERSION.fullmatch(values[field]):
                raise self.fail(field, 'a version such as "5.1.0"')
        sometimes = self.data.get("sometimes", False)
        if not isinstance(sometimes, bool):
            raise self.fail("sometimes", "true or false")
        return KnownViolation(
            guarantee=guarantee,
            scenario=values["scenario"] or "*",
            what=values["what"],
            see=values["see"],
            since=values["since"] or None,
            until=values["until"] or None,
            sometimes=sometimes,
            path=str(self.path),
        )

    def text(self, field: str) -> str:
        value = self.data.get(field, "")
        missing = field in self.REQUIRED or field in self.data
        if not isinstance(value, str) or (missing and not value.strip()):
            raise self.fail(field, "must be text that is not empty")
        return value.strip()


def _concerns(entry: KnownViolation, version: str) -> bool:
    """Whether the target's version has it."""
    if entry.since is None and entry.until is None:
        return True
    found = VERSION.search(version)
    if found is None:
        raise SpecsError(
            f"{entry.path}: the entry of guarantee {entry.guarantee!r} is about versions ({entry.since or '…'} to "
            f"{entry.until or '…'}), and the target's is {version!r}, which is no number: leave since and until out"
        )
    now = _numbers(found[0])
    return (entry.since is None or now >= _numbers(entry.since)) and (
        entry.until is None or now < _numbers(entry.until)
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
