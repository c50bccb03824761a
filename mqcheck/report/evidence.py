"""Rows of evidence as people read them: times since the run's first line, and where the life of a message is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mqcheck.history.tables import BIGINTS, BOOLEANS, INTEGERS, TIMES
from mqcheck.timeline.span import NS_PER_MS

NUMBERS: Final = (BIGINTS | INTEGERS | BOOLEANS) - TIMES
"""Columns that hold no time, whatever their size."""
HOUR_NS: Final = 3_600_000_000_000
"""How far beyond the timeline's end a time may be and still be one: a promise may speak of later."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A scenario's run on the page: its number, and its timeline."""

    number: int
    timeline: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of evidence."""

    cells: tuple[object, ...]
    link: str
    """Into the timeline; empty where there is none."""
    link_text: str
    life: str
    """What was recorded, as lines; empty where nothing was, or where it was left out."""


@dataclass(frozen=True, slots=True)
class Table:
    """The evidence of one verdict."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def linked(self) -> bool:
        """Whether any row leads into a timeline."""
        return any(row.link for row in self.rows)

    @property
    def told(self) -> bool:
        """Whether anything recorded is there as text."""
        return any(row.life for row in self.rows)


def table_of(verdict: Mapping[str, Any], runs: Sequence[Drawn], *, with_life: bool = True) -> Table:
    """The evidence of a verdict; ``runs`` are the scenario's run and its repetitions, as far as they are drawn."""
    rows = verdict["evidence"]
    columns = tuple(dict.fromkeys(key for row in rows for key in row if key != "life"))
    return Table(columns, tuple(_row(row, columns, _run_of(verdict, runs), with_life) for row in rows))


def _run_of(verdict: Mapping[str, Any], runs: Sequence[Drawn]) -> Drawn | None:
    """The run that the evidence is of: the reason tells where it was not the first (``repetitions.merged``)."""
    _, found, number = verdict["reason"].partition("not in the first run, but in repetition ")
    place = int(number.split(";")[0]) if found and number.split(";")[0].isdigit() else 0
    return runs[place] if place < len(runs) else None


def first_link(verdict: Mapping[str, Any], runs: Sequence[Drawn]) -> str:
    """Where the first row of evidence leads; empty where nothing is drawn."""
    run = _run_of(verdict, runs)
    links = (_link(row, run)[0] for row in verdict["evidence"]) if run else iter(())
    return next(filter(None, links), "")


def _row(row: Mapping[str, Any], columns: Sequence[str], run: Drawn | None, with_life: bool) -> Row:
    cells = tuple(_cell(column, row.get(column), run) for column in columns)
    link, text = _link(row, run) if run else ("", "")
    life = row.get("life") or ""
    lines = life if isinstance(life, str) else "\n".join(map(str, life))
    return Row(cells, link, text, lines if with_life else "")


def _cell(column: str, value: object, run: Drawn | None) -> object:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if column.endswith("_ns"):
        return f"{value / NS_PER_MS:.1f} ms"
    at_ms = _at(column, value, run)
    return value if at_ms is None else f"{at_ms:+.1f} ms"


def _at(column: str, value: object, run: Drawn | None) -> float | None:
    """A time in ms since the run's first line; None for what is none."""
    if run is None or column in NUMBERS or not isinstance(value, int) or "start_ns" not in run.timeline:
        return None
    start = int(run.timeline["start_ns"])
    end = start + int(run.timeline["length_ms"] * NS_PER_MS) + HOUR_NS
    return (value - start) / NS_PER_MS if 0 < start <= value <= end and value >= NS_PER_MS else None


def _link(row: Mapping[str, Any], run: Drawn | None) -> tuple[str, str]:
    """Where in the timeline a row leads, and the words for it: a message's life, or the moment it speaks of."""
    if run is None or "messages" not in run.timeline:
        return "", ""
    message = row.get("message")
    if message is None:
        message = run.timeline.get("operations", {}).get(str(row.get("op")))
    if message is not None and str(message) in run.timeline["messages"]:
        return f"#scenario-{run.number}/message-{message}", "its life"
    moments = (_at(column, value, run) for column, value in row.items() if isinstance(value, int))
    at = next((moment for moment in moments if moment is not None and moment <= run.timeline["length_ms"]), None)
    return ("", "") if at is None else (f"#scenario-{run.number}/at-{round(at)}", "that moment")
