"""Guarantees' queries ready to be put to histories: helpers expanded, filters found; kept from one process to the next.

To get a hundred queries ready takes a second of parsing, and each run's judge is a process of its own. What was made
ready is therefore kept in a file whose name is the digest of all that it follows from: the queries' texts, the code
that expands and reads them, and the versions of Python and sqlglot. Another text or code is another file; a file that
is damaged, or does not hold every query, is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from mqcheck.errors import MqcheckError, SpecsError
from mqcheck.judge.prune import Query, Ways
from mqcheck.specs import ALWAYS, Guarantee

FILES_MAX: Final = 8
"""Files kept, the youngest; ours: a user has few versions and folders of guarantees at a time."""

CODE: Final = ("history/helpers.py", "history/tables.py", "judge/prune.py", "judge/queries.py", "judge/ways.py")
"""Modules of the kit that decide what a ready query looks like."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as a guarantee has it."""

    text: str
    tolerance_ms: int
    number: bool = False
    """Asks for one number; none is as good as zero."""


_READY: Final[dict[Asked, Query]] = {}
"""What this process has made ready or read."""


def ready(asked: Asked) -> Query:
    """The query made ready, once per process. Raises SpecsError when it cannot be read. Called by the judge."""
    found = _READY.get(asked)
    if found is None:
        found = _READY[asked] = make_ready(asked)
    return found


def make_ready(asked: Asked) -> Query:
    """The query made ready from its text. Raises SpecsError when it cannot be read."""
    # The parser takes a fifth of a second to import, and is not needed where everything has been kept.
    from mqcheck.history.helpers import expand
    from mqcheck.judge.ways import ways, ways_within

    text = expand(asked.text, asked.tolerance_ms)
    found = ways(asked.text, asked.tolerance_ms, number=asked.number)
    return Query(text, found, ways_within(asked.text, asked.tolerance_ms))


def exercised(guarantee: Guarantee) -> Asked:
    """How much evidence there was."""
    return Asked(guarantee.exercised, guarantee.tolerance_ms, number=True)


def violations(guarantee: Guarantee) -> Asked:
    """What accuses; for a NOT-PROMISED entry, what was seen."""
    return Asked(guarantee.violations or guarantee.seen, guarantee.tolerance_ms)


def inconclusive(guarantee: Guarantee) -> Asked:
    """What makes the matter undecidable."""
    return Asked(guarantee.inconclusive, guarantee.tolerance_ms)


def figures(guarantee: Guarantee) -> Asked:
    """How much of what is not promised was seen."""
    return Asked(guarantee.figures, guarantee.tolerance_ms)


def condition(guarantee: Guarantee) -> Asked:
    """Whether it applies."""
    return Asked(f"SELECT {guarantee.applies}", guarantee.tolerance_ms)


def pruned_of(guarantee: Guarantee) -> Iterator[Query]:
    """Those of its queries that may be left out; one that cannot be read is none, and fails when it is asked."""
    for asked in (exercised(guarantee), violations(guarantee), inconclusive(guarantee)):
        if asked.text:
            with contextlib.suppress(SpecsError):
                yield ready(asked)


def warm_up(specs: Iterable[Guarantee], folder: Path) -> None:
    """Get all queries ready, from the file in ``folder`` where there is one; else keep them there for the next.

    What cannot be read is told as that guarantee's harness error with every history, not as a dead judge. Called
    before the first history comes.
    """
    wanted = [asked for guarantee in specs for asked in _all_of(guarantee)]
    path = folder / f"queries-{_digest(wanted)}.json"
    kept = _read(path)
    if all(asked in kept for asked in wanted):
        _READY.update(kept)
        return
    made: dict[Asked, Query] = {}
    for asked in wanted:
        try:
            made[asked] = ready(asked)
        except MqcheckError:
            return  # somebody is writing it: not worth keeping
    with contextlib.suppress(OSError):  # a home that cannot be written to
        _write(path, made)


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where ready queries are kept."""
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mqcheck" / "judge"


def _all_of(guarantee: Guarantee) -> list[Asked]:
    asked = [each(guarantee) for each in (exercised, violations, inconclusive, figures)]
    if guarantee.applies != ALWAYS:
        asked.append(condition(guarantee))
    return [each for each in asked if each.text]


def _digest(wanted: Iterable[Asked]) -> str:
    kit = Path(__file__).resolve().parent.parent
    parts = [sys.version, version("sqlglot"), *((kit / name).read_text(encoding="utf-8") for name in CODE)]
    parts += [json.dumps([asked.text, asked.tolerance_ms, asked.number]) for asked in wanted]
    return _hash("\0".join(parts))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> dict[Asked, Query]:
    """What a file holds; nothing where there is none, or it is not as it was written."""
    try:
        digest, _, body = path.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return {}
    if digest != _hash(body):
        return {}
    return {
        Asked(text, tolerance_ms, number): Query(
            expanded, _ways_of(found), tuple((written, _ways_of(inner)) for written, inner in within)
        )
        for text, tolerance_ms, number, expanded, found, within in json.loads(body)
    }


def _write(path: Path, made: Mapping[Asked, Query]) -> None:
    """Whole or not at all: others may read or write it at the same time."""
    rows = [
        [
            *(asked.text, asked.tolerance_ms, asked.number, query.text, _plain(query.ways)),
            [[written, _plain(inner)] for written, inner in query.within],
        ]
        for asked, query in made.items()
    ]
    body = json.dumps(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{_hash(body)}\n{body}")
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    for old in sorted(path.parent.glob("queries-*.json"), key=_age)[:-FILES_MAX]:
        old.unlink(missing_ok=True)


def _age(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _plain(found: Ways) -> list[list[list[str]]]:
    return sorted(sorted([table, test] for table, test in way) for way in found)


def _ways_of(plain: Any) -> Ways:
    return frozenset(frozenset((table, test) for table, test in way) for way in plain)
