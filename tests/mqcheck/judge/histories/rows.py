"""Rows of a made-up history, and how they become streams in the recorder's line format."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from copy import copy
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import msgspec

from mqcheck.history.tables import TABLES

ORIGIN_MS = 5_000_000
MS = 1_000_000
STAMPS = {
    "asked",
    "began",
    "active",
    "healing",
    "healed",
    "ended",
    "spawned",
    "ready",
    "ending",
    "opened",
    "closed",
    "received",
}


def ns(ms: float) -> int:
    """Nanoseconds of a run's millisecond."""
    return int((ORIGIN_MS + ms) * MS)


@dataclass(slots=True)
class Row:
    """One operation, point or harness entry; times in ms of the run."""

    table: str
    op: int
    at: float
    until: float | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    process: str = "kit"
    lines: tuple[tuple[int, bytes], ...] = field(default=(), compare=False)
    """As `_lines` gives them, once several histories share the row: it is not changed any more."""

    def own(self) -> Row:
        """The same, to be changed."""
        return Row(self.table, self.op, self.at, self.until, dict(self.columns), dict(self.end), self.process)

    def set(self, **columns: Any) -> Row:
        """Change columns in place, wherever they stand; ``at`` and ``until`` too."""
        for name, value in columns.items():
            if name in ("at", "until"):
                setattr(self, name, value)
            elif name in self.end:
                self.end[name] = value
            else:
                self.columns[name] = value
        return self

    def get(self, name: str) -> Any:
        return self.end.get(name, self.columns.get(name))

    def content(self) -> tuple[str, tuple[tuple[int, bytes], ...]]:
        """Its process and its lines: all that a history says of it."""
        return self.process, self.lines or tuple(_lines(self))


class Builder:
    """Collects rows and writes them as streams."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.next_op = 0
        self.aims: list[str] = []
        self.capabilities = ["latency", "partition", "kill", "stop", "pause", "power-cut"]
        self.capabilities += ["slow-fsync", "fsync-error", "disk-full"]
        self.harness_error: str | None = None

    def copy(self) -> Self:
        """The same rows, to be changed without changing these: `find` gives a history rows of its own."""
        for row in chain.from_iterable(self.rows.values()):
            row.lines = row.lines or tuple(_lines(row))
        made = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, list | dict):
                setattr(made, name, copy(value))
        made.rows = {table: copy(rows) for table, rows in self.rows.items()}
        return made

    def op(self) -> int:
        self.next_op += 1
        return self.next_op

    def point(self, table: str, at: float, **columns: Any) -> Row:
        row = Row(table, self.op(), at, None, columns)
        self.rows[table].append(row)
        return row

    def span(
        self, table: str, at: float, until: float | None, end: dict[str, Any] | None = None, **columns: Any
    ) -> Row:
        row = Row(table, self.op(), at, until, columns, {"outcome": "ok", **(end or {})} if until is not None else {})
        self.rows[table].append(row)
        return row

    def entry(self, table: str, **columns: Any) -> Row:
        """A harness entry: explicit stamps, given in ms."""
        at = min(value for name, value in columns.items() if name in STAMPS and value is not None)
        return self.point(table, at, **columns)

    def find(self, table: str, where: Callable[[Row], bool] | None = None, **columns: Any) -> list[Row]:
        found = []
        rows = self.rows[table]
        for place, row in enumerate(rows):
            if any(row.get(name) != value for name, value in columns.items()):
                continue
            if where is None or where(row):
                if row.lines:
                    rows[place] = row.own()
                found.append(rows[place])
        return found

    def remove(self, table: str, where: Callable[[Row], bool] | None = None, **columns: Any) -> int:
        gone = {id(row) for row in self.find(table, where, **columns)}
        self.rows[table] = [row for row in self.rows[table] if id(row) not in gone]
        return len(gone)

    def write(self, folder: Path, tables: Collection[str] = TABLES) -> Path:
        """Write plan.json and the streams, with the lines of some tables alone if need be; returns the folder."""
        events = folder / "events"
        events.mkdir(parents=True, exist_ok=True)
        plan = {
            "format": 1,
            "run": "r1",
            "scenario": "synthetic",
            "target": "reference",
            "target_version": "4.9.7",
            "profile": "quick",
            "seed": 1,
            "aims": self.aims,
            "capabilities": self.capabilities,
            "sabotage": None,
            "odd": None,
            "started": "2026-01-01T00:00:00Z",
            "replay": "pytest --mqcheck mqcheck::synthetic",
            "seconds": 38.0,
            "harness_error": self.harness_error,
        }
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        began: dict[str, float] = {}
        for row in chain.from_iterable(self.rows.values()):
            began[row.process] = min(row.at, began.get(row.process, row.at))
        lines: dict[str, list[tuple[int, bytes]]] = {process: [] for process in began}
        for row in chain.from_iterable(self.rows[name] for name in tables):
            lines[row.process] += row.lines or _lines(row)
        for number, process in enumerate(sorted(began)):
            _write_stream(events / f"{process}.0.jsonl", process, number, began[process], lines[process])
        return folder


def _lines(row: Row) -> Iterator[tuple[int, bytes]]:
    """Its lines with their times."""
    columns = {k: ns(v) if k in STAMPS and v is not None else v for k, v in row.columns.items() if v is not None}
    head: dict[str, Any] = {"e": row.table}
    if TABLES[row.table].shape != "span":
        yield _line({**head, "t": ns(row.at), "op": row.op, **columns})
        return
    yield _line({**head, "w": "b", "t": ns(row.at), "op": row.op, **columns})
    if row.until is not None:
        end = {name: value for name, value in row.end.items() if value is not None}
        yield _line({**head, "w": "e", "t": ns(row.until), "op": row.op, **end})


def _line(data: dict[str, Any]) -> tuple[int, bytes]:
    return data["t"], msgspec.json.encode(data) + b"\n"


def _write_stream(path: Path, process: str, number: int, began: float, lines: list[tuple[int, bytes]]) -> None:
    lines.sort(key=itemgetter(0))
    first = ns(began) - 1
    header = {"e": "streams", "t": first, "format": 1, "run": "r1", "process": process, "number": number, "life": 0}
    header |= {"pid": 1, "boot": "b", "wall_ns": 0}
    closing = {"e": "streams", "w": "e", "t": lines[-1][0] if lines else first, "lines": len(lines) + 2}
    path.write_bytes(b"".join(line for _, line in (_line(header), *lines, _line(closing))))
