"""Recorded histories with the verdicts they were given: what each is of, how one is packed, and what has changed.

A history is one zip: ``plan.json``, ``tables/*.parquet`` as the judge stores them, and ``recorded.json`` with the
verdict of every guarantee. A dozen lie in ``histories``; ``record.py`` makes more of them, or these again.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from mqcheck.history.loader import load_tables
from mqcheck.history.parquet import write_parquet
from mqcheck.history.tables import TABLES
from mqcheck.judge.engine import judge_history
from mqcheck.judge.verdicts import HELD, VIOLATED
from mqcheck.specs import Specs

COMMITTED: Final = Path(__file__).parent / "histories"
RECORDED: Final = "recorded.json"
STILL: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a zip, so that the same history is the same bytes."""
PATHS: Final = r"/(?:tmp|home|root|var|work)/[^\s\"',;]*"
"""What says where something was recorded; nobody judges by it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One history to be recorded."""

    scenario: str
    sabotage: str | None = None
    odd: str | None = None
    target: str = "reference"

    @property
    def name(self) -> str:
        """Of its file."""
        kind = self.sabotage or self.odd or "healthy"
        target = "" if self.target == "reference" else f"{self.target.replace(':', '-')}-"
        return f"{target}{self.scenario}-{kind}"

    def options(self) -> list[str]:
        """The words for ``pytest --mqcheck``."""
        words = {"select": self.scenario, "target": self.target, "sabotage": self.sabotage, "odd": self.odd}
        return [f"--mqcheck-{option}={value}" for option, value in words.items() if value is not None]


ENTRIES: Final = (
    Entry("steady"),
    Entry("protocol"),
    Entry("consumer-fails"),
    Entry("nameserver-cut"),
    Entry("power-cut"),
    Entry("delay"),
    Entry("consumer-fails", sabotage="no-redelivery"),
    Entry("power-cut", sabotage="ack-before-sync"),
    Entry("rebalance", sabotage="skip-message-on-rebalance"),
    Entry("delay", sabotage="deliver-early"),
    Entry("rebalance", odd="duplicate-after-rebalance"),
    Entry("steady", odd="empty-pulls"),
)
"""Small histories of different kinds: nothing wrong, a planted bug, something odd that is allowed."""


def verdicts_of(folder: Path, specs: Specs) -> dict[str, str]:
    """Today's verdict of each guarantee."""
    return {verdict.guarantee: verdict.verdict for verdict in judge_history(folder, specs)}


def undecided_in(folder: Path, specs: Specs) -> list[str]:
    """Why a history is not worth keeping: what it was made for and does not show."""
    wrong = (HELD, VIOLATED)
    return [
        f"{verdict.guarantee}: {verdict.verdict}: {verdict.reason}"
        for verdict in judge_history(folder, specs)
        if verdict.aimed and verdict.verdict not in wrong
    ]


def pack(history: Path, path: Path, specs: Specs) -> None:
    """Store a scenario's folder of a run, without where it was recorded, and with today's verdicts."""
    with tempfile.TemporaryDirectory(prefix="mqcheck-store-") as name:
        folder = Path(name)
        connection = load_tables(history)
        for table in ("streams", *TABLES):
            _forget_places(connection, table)
        write_parquet(connection, folder)
        connection.close()
        plan = re.sub(PATHS, "/somewhere", (history / "plan.json").read_text(encoding="utf-8"))
        (folder / "plan.json").write_text(plan, encoding="utf-8")
        note(folder, verdicts_of(folder, specs))
        _zip(folder, path)


def _forget_places(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Paths, and which start of a machine it was."""
    columns = connection.execute(f"DESCRIBE {table}").fetchall()
    for column in (name for name, kind, *_ in columns if kind == "VARCHAR"):
        text = f"regexp_replace({column}, ?, '/somewhere', 'g')"
        connection.execute(f"UPDATE {table} SET {column} = {text} WHERE regexp_matches({column}, ?)", [PATHS, PATHS])
    if table == "streams":
        connection.execute("UPDATE streams SET boot = 'boot'")


def note(folder: Path, verdicts: Mapping[str, str]) -> None:
    """Write down what a history was found to be."""
    text = json.dumps({"verdicts": dict(sorted(verdicts.items()))}, indent=1) + "\n"
    (folder / RECORDED).write_text(text, encoding="utf-8")


def noted(folder: Path) -> dict[str, str]:
    """What was written down."""
    verdicts = json.loads((folder / RECORDED).read_text(encoding="utf-8"))["verdicts"]
    return {str(guarantee): str(verdict) for guarantee, verdict in verdicts.items()}


def unpack(path: Path, folder: Path) -> Path:
    """The folder of a stored history."""
    with zipfile.ZipFile(path) as stored:
        stored.extractall(folder)
    return folder


def accept(path: Path, specs: Specs) -> list[str]:
    """Let today's verdicts be the right ones; what was different."""
    with tempfile.TemporaryDirectory(prefix="mqcheck-store-") as name:
        folder = unpack(path, Path(name))
        today = verdicts_of(folder, specs)
        changed = differences(noted(folder), today)
        note(folder, today)
        _zip(folder, path)
    return changed


def _zip(folder: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as stored:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            stored.writestr(zipfile.ZipInfo(file.relative_to(folder).as_posix(), STILL), file.read_bytes())


def differences(recorded: Mapping[str, str], today: Mapping[str, str]) -> list[str]:
    """What is judged otherwise: held and violated must stay so, and nothing else may be violated."""
    kept = {guarantee: verdict for guarantee, verdict in recorded.items() if verdict in (HELD, VIOLATED)}
    changed = [
        f"{guarantee}: was {verdict}, is {today.get(guarantee, 'no guarantee any more')}"
        for guarantee, verdict in kept.items()
        if today.get(guarantee) != verdict
    ]
    new = [guarantee for guarantee, verdict in today.items() if verdict == VIOLATED and guarantee not in kept]
    return [
        *changed,
        *(f"{guarantee}: was {recorded.get(guarantee, 'no guarantee')}, is violated" for guarantee in new),
    ]
