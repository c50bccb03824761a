"""Which operations of a history a reader must see to understand a violation, and the timetable beside them.

Starts from the evidence: the whole lives of the first messages that it names, as many as fit, and what the final
reading found where they should have been.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mqcheck.history.tables import TABLES

if TYPE_CHECKING:
    import duckdb

OPERATIONS_MAX: Final = 20
"""Operations shown; ours: what one reads at a sitting."""
NS_PER_MS: Final = 1_000_000
BEGINNINGS: Final = ("invoked", "received", "t", "began", "opened", "spawned")
"""Columns that say when a row began; the first that is there counts."""
ENDS: Final = ("returned", "healed", "ended", "closed")
SEND_STATUS: Final = {0: "SEND_OK", 10: "FLUSH_DISK_TIMEOUT", 11: "SLAVE_NOT_AVAILABLE", 12: "FLUSH_SLAVE_TIMEOUT"}
"""What a client makes of the code of an answered send."""
OF_MESSAGES: Final = tuple(name for name, table in TABLES.items() if "message" in table.columns)


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the history that is shown."""

    table: str
    at: int
    """When it began, in ns of the history's clock."""
    at_ms: float
    """The same from the first operation shown."""
    row: Mapping[str, Any]
    """Columns that have a value."""

    def as_dict(self) -> dict[str, Any]:
        """As operations.jsonl has it."""
        return {"table": self.table, "at_ms": self.at_ms, **self.row}

    def told(self) -> str:
        """What it was, in words where there are some for its table."""
        teller = TELLERS.get(self.table)
        if teller is not None:
            return teller(self.row)
        return " ".join(f"{key}={value}" for key, value in self.row.items() if key not in (*BEGINNINGS, *ENDS))


def chosen_operations(
    connection: duckdb.DuckDBPyConnection, evidence: Sequence[Mapping[str, Any]], most: int = OPERATIONS_MAX
) -> list[Operation]:
    """At most ``most`` operations, by time: whole lives of the first messages or operations of the evidence."""
    found: dict[tuple[str, int], tuple[int, str, Mapping[str, Any]]] = {}
    for piece in evidence:
        life = {(table, row["op"]): (_at(row), table, row) for table, row in _life(connection, piece)}
        if found and len(found.keys() | life.keys()) > most:
            break
        found |= life
    rows = sorted(found.values(), key=lambda each: (each[0], each[2]["op"]))
    if len(rows) > most:  # one message alone had a longer life: how it began and how it ended
        rows = [*rows[: most // 2], *rows[-(most - most // 2) :]]
    began = rows[0][0] if rows else 0
    return [Operation(table, at, round((at - began) / NS_PER_MS, 1), row) for at, table, row in rows]


def timetable(connection: duckdb.DuckDBPyConnection, began: int) -> list[dict[str, Any]]:
    """Faults, lives of nodes and phases by time, in ms from ``began``."""
    found = []
    for table in ("faults", "nodes", "phases"):
        for row in _rows(connection, f"SELECT * FROM {table} ORDER BY op"):
            times = {f"{key}_ms": round((row.pop(key) - began) / NS_PER_MS, 1) for key in _times(row)}
            for key in ("effect", "parameters"):
                if isinstance(row.get(key), str):
                    row[key] = json.loads(row[key])
            at = min(times.values(), default=0.0)
            found.append({"table": table, "at_ms": at, **row, **times})
    return sorted(found, key=lambda row: (row["at_ms"], row["table"], row["op"]))


def _times(row: Mapping[str, Any]) -> list[str]:
    names = ("began", "active", "healing", "healed", "spawned", "ready", "ending", "ended")
    return [name for name in names if name in row]


def _life(connection: duckdb.DuckDBPyConnection, piece: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Rows of the message or operation that a piece of evidence is about, the readings of its place, what was there."""
    message, op = piece.get("message"), piece.get("op")
    if isinstance(message, int):
        for table in OF_MESSAGES:
            yield from _of(connection, table, f"SELECT * FROM {table} WHERE message = ?", message)
        handled = "SELECT * FROM results WHERE delivery IN (SELECT op FROM deliveries WHERE message = ?)"
        yield from _of(connection, "results", handled, message)
    elif isinstance(op, int):
        for name in TABLES:
            yield from _of(connection, name, f"SELECT * FROM {name} WHERE op = ?", op)
    if piece.get("broker") is not None and piece.get("queue") is not None:
        place = [piece["broker"], piece["queue"], piece.get("topic")]
        there = "broker = ? AND queue = ? AND topic = coalesce(?, topic)"
        yield from _of(connection, "readings", f"SELECT * FROM readings WHERE {there} AND complete AND master", *place)
        if piece.get("queue_offset") is not None:
            record = f"SELECT * FROM final_log WHERE {there} AND queue_offset = ?"
            yield from _of(connection, "final_log", record, *place, piece["queue_offset"])


def _of(
    connection: duckdb.DuckDBPyConnection, table: str, query: str, *values: Any
) -> Iterable[tuple[str, dict[str, Any]]]:
    return [(table, row) for row in _rows(connection, query, values)]


def _rows(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Rows as dictionaries of what is not NULL."""
    result = connection.execute(query, list(values))
    names = [item[0] for item in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _at(row: Mapping[str, Any]) -> int:
    return int(next((row[name] for name in BEGINNINGS if name in row), 0))


def _place(row: Mapping[str, Any]) -> str:
    return f"{row.get('broker', '?')}/{row.get('queue', '?')}"


def _answer(row: Mapping[str, Any]) -> str:
    """How an operation ended: outcome, code, and after how long."""
    parts = [str(row.get("outcome", "unknown"))]
    if "code" in row:
        status = SEND_STATUS.get(row["code"]) if row.get("kind") is None else None
        parts.append(status or f"code {row['code']}")
    parts += [f"at offset {row['queue_offset']}"] if "queue_offset" in row else []
    if "returned" in row and "invoked" in row:
        parts.append(f"after {(row['returned'] - row['invoked']) / NS_PER_MS:.1f} ms")
    return ", ".join(parts)


def _send(row: Mapping[str, Any]) -> str:
    return (
        f"{row.get('producer', row.get('process'))} sends ({row.get('mode', '?')}) message {row.get('message')} to "
        f"{row.get('topic')}, unique key {row.get('unique_key')}, {row.get('size')} bytes: {_answer(row)}"
    )


def _attempt(row: Mapping[str, Any]) -> str:
    return f"attempt {row.get('attempt')} with message {row.get('message')} at {_place(row)}: {_answer(row)}"


def _delivery(row: Mapping[str, Any]) -> str:
    return (
        f"{row.get('consumer_group')} ({row.get('member')}) gets message {row.get('message')} from {row.get('topic')} "
        f"{_place(row)} offset {row.get('queue_offset')}, reconsume times {row.get('reconsume_times')}"
    )


def _result(row: Mapping[str, Any]) -> str:
    result = f" {row['result']}," if "result" in row else ""
    return f"{row.get('kind')} of {row.get('consumer_group')}:{result} {_answer(row)}"


def _reading(row: Mapping[str, Any]) -> str:
    return (
        f"{row.get('reading')} reading of {row.get('topic')} {_place(row)}, whole: offsets {row.get('min_offset')} to "
        f"{row.get('max_offset')} (not included)"
    )


def _record(row: Mapping[str, Any]) -> str:
    return (
        f"the {row.get('reading')} reading finds message {row.get('message')} in {row.get('topic')} {_place(row)} "
        f"offset {row.get('queue_offset')}"
    )


TELLERS: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "sends": _send,
    "attempts": _attempt,
    "deliveries": _delivery,
    "results": _result,
    "readings": _reading,
    "final_log": _record,
}
