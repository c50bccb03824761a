"""Loads and validates the promises of ``specs/guarantees/*.toml`` and of users' own folders.

The form of an entry is described in ``specs/README.md``. Queries are checked for form here (they must not be empty);
the judge
runs them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mqcheck.errors import SpecsError

SUBJECTS: Final = ("broker", "nameserver", "client")
LEVELS: Final = ("MUST", "SHOULD", "MAY", "NOT-PROMISED")
AREAS: Final = (
    "storage",
    "disks",
    "reading",
    "replication",
    "routing",
    "nameserver",
    "consumption",
    "groups",
    "filtering",
    "order",
    "delay",
    "transactions",
    "flow",
    "protocol",
    "administration",
)
"""File names of the project's own guarantees, in the order in which they are listed."""

FAULT_KINDS: Final = (
    "latency",
    "bandwidth",
    "blackhole",
    "drop",
    "reset",
    "slow-close",
    "slice",
    "limit-data",
    "down",
    "frame-drop",
    "frame-delay",
    "frame-hold",
    "frame-duplicate",
    "kill",
    "stop",
    "pause",
    "restart",
    "power-cut",
    "slow-fsync",
    "fsync-error",
    "slow-write",
    "write-error",
    "disk-full",
    "disk-nearly-full",
    "bad-tail",
    "lost-queues",
    "clock",
)
"""Kinds of fault that ``needs`` may name."""

FEATURES: Final = {
    "pop": "consumption by POP: no client of the kit pops messages",
    "controller": "controller mode: the kit starts no broker with controllers",
    "timer": "delays of any length: no workload of the kit asks for one",
}
"""Parts of RocketMQ 5 that ``features`` may name → what each is, and why no target can be tested for it.

A target of which one can be tested has its name among its capabilities.
"""

ALWAYS: Final = "TRUE"
"""The condition of a guarantee that asks for none."""

ID_PATTERN: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One promise, as its TOML entry says it."""

    id: str
    """Stable for ever, never reused."""
    title: str
    subject: str
    """Whose promise it is: broker, nameserver or client."""
    level: str
    statement: str
    applies: str
    """A condition in SQL; false makes the guarantee not applicable. "TRUE" where nothing is asked."""
    needs: tuple[str, ...]
    """Any one of these faults must have had an effect; empty: none needed."""
    tolerance_ms: int
    """What ``tolerance()`` stands for; absolute, the same in every profile."""
    since: str | None
    until: str | None
    exceptions: tuple[str, ...]
    sources: tuple[str, ...]
    exercised: str
    """A query for one number: how much evidence there was."""
    enough: int
    """Aimed at and below this: inconclusive."""
    violations: str
    """A query that must return no row; empty for NOT-PROMISED entries."""
    inconclusive: str
    """A query whose rows make the matter undecidable; may be empty."""
    seen: str
    """For NOT-PROMISED entries: what happened nevertheless; else empty."""
    sabotage: tuple[str, ...]
    """Planted bugs that this guarantee must catch."""
    legal_odd: tuple[str, ...]
    """Allowed oddities that it must not flag."""
    area: str
    path: str
    """The file the entry stands in."""
    figures: str = ""
    """For NOT-PROMISED entries: a query for texts (column ``figure``) that say how much; may be empty."""
    features: tuple[str, ...] = ()
    """Parts of RocketMQ that it is about and that not every target can be tested for: names out of FEATURES."""

    @property
    def promised(self) -> bool:
        """False for NOT-PROMISED entries, which are counted and never judged."""
        return self.level != "NOT-PROMISED"

    def untestable(self, capabilities: Container[str]) -> str:
        """Why a target that can do these things cannot be tested for it; empty when it can."""
        missing = [FEATURES[name] for name in self.features if name not in capabilities]
        return f"from RocketMQ {self.since} on, {'; '.join(missing)}" if missing else ""


@dataclass(frozen=True, slots=True)
class Specs:
    """All guarantees known to a run, in the order of areas and files."""

    guarantees: tuple[Guarantee, ...]
    folders: tuple[Path, ...]
    """Where they came from, the project's own folder first."""

    def __iter__(self) -> Iterator[Guarantee]:
        return iter(self.guarantees)

    def __len__(self) -> int:
        return len(self.guarantees)

    def ids(self) -> tuple[str, ...]:
        """Ids of all guarantees, in order."""
        return tuple(guarantee.id for guarantee in self.guarantees)

    def get(self, guarantee_id: str) -> Guarantee:
        """The guarantee of this id; SpecsError names near matches."""
        import difflib

        for guarantee in self.guarantees:
            if guarantee.id == guarantee_id:
                return guarantee
        near = difflib.get_close_matches(guarantee_id, self.ids(), 3)
        hint = f"; near: {', '.join(near)}" if near else ""
        raise SpecsError(f"no guarantee is called {guarantee_id!r}{hint}; `mqcheck list` shows all")


def own_folder() -> Path:
    """The project's own ``specs/``: inside the wheel, else beside the package in a source tree."""
    here = Path(__file__).resolve().parent
    for folder in (here / "_specs", here.parent / "specs"):
        if (folder / "guarantees").is_dir():
            return folder
    raise SpecsError(f"no guarantees found beside {here}: the package is incomplete, install it again")


def load_specs(extra: Sequence[Path] = ()) -> Specs:
    """The project's guarantees and those of ``extra`` folders (``--mqcheck-specs``).

    A folder holds ``*.toml`` itself or in ``guarantees/``. Raises SpecsError naming file, id, field, rule and way out.
    Called once per session, by the judge's child, and by ``mqcheck list``.
    """
    folders = (own_folder(), *(Path(folder) for folder in extra))
    guarantees: list[Guarantee] = []
    seen: dict[str, str] = {}
    for folder in folders:
        for path in _files(folder):
            for guarantee in read_file(path):
                if guarantee.id in seen:
                    raise SpecsError(
                        f"{path}: id {guarantee.id!r} is already taken by {seen[guarantee.id]}: "
                        "ids are unique, choose another"
                    )
                seen[guarantee.id] = str(path)
                guarantees.append(guarantee)
    return Specs(tuple(guarantees), folders)


def read_file(path: Path) -> list[Guarantee]:
    """The validated entries of one file."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecsError(f"{path}: {error}; specs/README.md shows the form of an entry") from error
    extra = sorted(set(data) - {"guarantee"})
    if extra:
        raise SpecsError(f"{path}: {extra[0]!r} stands outside an entry: a file holds only [[guarantee]] tables")
    entries = data.get("guarantee", [])
    if not isinstance(entries, list) or not entries:
        raise SpecsError(f"{path}: no [[guarantee]] in it: write at least one entry or remove the file")
    return [_Entry(path, entry).guarantee() for entry in entries]


def _files(folder: Path) -> list[Path]:
    inner = folder / "guarantees"
    base = inner if inner.is_dir() else folder
    if not base.is_dir():
        raise SpecsError(f"{folder} is no folder: give a folder that holds *.toml with [[guarantee]] entries")
    order = {f"{area}.toml": index for index, area in enumerate(AREAS)}
    paths = sorted(base.glob("*.toml"), key=lambda path: (order.get(path.name, len(order)), path.name))
    if not paths:
        raise SpecsError(f"{base} holds no *.toml: give a folder with [[guarantee]] entries")
    return paths


class _Entry:
    """One entry under validation: every complaint names file, id, field, rule and way out."""

    TEXTS: Final = ("id", "title", "subject", "level", "statement", "exercised")
    OPTIONAL_TEXTS: Final = ("applies", "since", "until", "violations", "inconclusive", "seen", "figures")
    LISTS: Final = ("needs", "features", "exceptions", "sources", "sabotage", "legal_odd")
    NUMBERS: Final = ("tolerance_ms", "enough")

    def __init__(self, path: Path, data: Mapping[str, Any]) -> None:
        self.path = path
        self.data = data

    def fail(self, field: str, rule: str) -> SpecsError:
        return SpecsError(
            f"{self.path}: guarantee {self.data.get('id', '(without id)')!r}: field {field!r}: {rule}"
            f" (got {self.data.get(field)!r}); see specs/README.md"
        )

    def guarantee(self) -> Guarantee:
        known = {*self.TEXTS, *self.OPTIONAL_TEXTS, *self.LISTS, *self.NUMBERS}
        for field in self.data:
            if field not in known:
                raise self.fail(field, f"unknown; known are {', '.join(sorted(known))}")
        values: dict[str, Any] = {field: self.text(field, required=True) for field in self.TEXTS}
        values |= {field: self.text(field, required=False) for field in self.OPTIONAL_TEXTS}
        values |= {field: self.texts(field) for field in self.LISTS}
        values |= {field: self.number(field) for field in self.NUMBERS}
        self.check_values(values)
        values["applies"] = values["applies"] or ALWAYS
        for field in ("since", "until"):
            values[field] = values[field] or None
        return Guarantee(**values, area=self.path.stem, path=str(self.path))

    def check_values(self, values: Mapping[str, Any]) -> None:
        if not ID_PATTERN.fullmatch(values["id"]):
            raise self.fail("id", "lower-case words joined by '-', as in dur-ack-kill")
        for field, allowed in (("subject", SUBJECTS), ("level", LEVELS)):
            if values[field] not in allowed:
                raise self.fail(field, f"must be one of {', '.join(allowed)}")
        for kind in values["needs"]:
            if kind not in FAULT_KINDS:
                raise self.fail("needs", f"{kind!r} is no fault; known are {', '.join(FAULT_KINDS)}")
        self.check_features(values)
        if values["level"] == "NOT-PROMISED":
            if not values["seen"] or values["violations"] or values["inconclusive"]:
                raise self.fail("seen", "a NOT-PROMISED entry has a query 'seen' and no violations or inconclusive")
        elif not values["violations"] or values["seen"] or values["figures"]:
            rule = "a promise has a query 'violations'; 'seen' and 'figures' belong to NOT-PROMISED"
            raise self.fail("violations", rule)

    def check_features(self, values: Mapping[str, Any]) -> None:
        for name in values["features"]:
            if name not in FEATURES:
                raise self.fail("features", f"{name!r} is none; known are {', '.join(FEATURES)}")
        if values["features"] and not values["since"]:
            raise self.fail("since", "an entry with 'features' says since which version there are such")

    def text(self, field: str, *, required: bool) -> str:
        value = self.data.get(field, "")
        if not isinstance(value, str) or (required and not value.strip()):
            raise self.fail(field, "must be text that is not empty")
        return value.strip()

    def texts(self, field: str) -> tuple[str, ...]:
        value = self.data.get(field, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.fail(field, "must be a list of texts")
        return tuple(value)

    def number(self, field: str) -> int:
        value = self.data.get(field, 1 if field == "enough" else 0)
        least = 1 if field == "enough" else 0
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.fail(field, f"must be a whole number of at least {least}")
        return value
