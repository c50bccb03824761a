"""Condenses the rows of a violation: the first few by time, counts by queue, and the life of the messages concerned.

What a row means is the guarantee's business; nothing here decides a verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import duckdb

from mqcheck.history.tables import TABLES
from mqcheck.judge.verdicts import EVIDENCE_ROWS_MAX

LIFE_LINES_MAX: Final = 24
"""Lines of history shown for one evidence row; ours: a screenful."""

PLACES_MAX: Final = 4
"""Queues counted by name in a reason; ours."""

_TIME_COLUMNS: Final = (
    "invoked",
    "received",
    "seen_at",
    "first_at",
    "asked",
    "acked_at",
    "returned",
    "granted_at",
    "sent_back",
)
_LIFE: Final = """
SELECT at_ns, op, what FROM (
    SELECT s.invoked AS at_ns, s.op, 'sends: ' || s.process || ' ' || coalesce(s.mode, '?') || ' to ' || s.topic
        || coalesce(' delay level ' || nullif(s.delay_level, 0), '') AS what FROM sends s WHERE s.message = $message
    UNION ALL
    SELECT a.invoked, a.op, 'attempts: number ' || a.attempt || ' to ' || coalesce(a.broker, '?') || '/'
        || coalesce(CAST(a.queue AS VARCHAR), '?') || ' ' || a.outcome
        || coalesce(' code ' || a.code, '') || coalesce(' offset ' || a.queue_offset, '')
        || coalesce(' after ' || ((a.returned - a.invoked) // 1000000) || ' ms', '')
        FROM attempts a WHERE a.message = $message
    UNION ALL
    SELECT coalesce(d.received, d.t), d.op, 'deliveries: ' || coalesce(d.consumer_group, '?') || ' '
        || coalesce(d.member, '?') || ' from ' || coalesce(d.topic, '?') || ' ' || coalesce(d.broker, '?') || '/'
        || coalesce(CAST(d.queue AS VARCHAR), '?') || ' offset ' || coalesce(CAST(d.queue_offset AS VARCHAR), '?')
        || ' reconsume ' || d.reconsume_times
        FROM deliveries d WHERE d.message = $message
    UNION ALL
    SELECT r.invoked, r.op, 'results: ' || r.kind || coalesce(' ' || r.result, '') || ' ' || r.outcome
        || coalesce(' code ' || r.code, '')
        FROM results r WHERE r.delivery IN (SELECT d.op FROM deliveries d WHERE d.message = $message)
    UNION ALL
    SELECT l.t, l.op, 'final_log: ' || l.reading || ' ' || l.topic || ' ' || coalesce(l.broker, '?') || '/'
        || coalesce(CAST(l.queue AS VARCHAR), '?')
        || ' offset ' || coalesce(CAST(l.queue_offset AS VARCHAR), '?') || coalesce(' attempt ' || l.attempt, '')
        FROM final_log l WHERE l.message = $message
) life ORDER BY at_ns, op
"""


def condense(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[dict[str, Any]]:
    """The first rows by time as dictionaries, each with ``life``: the streams about its message or operation."""
    place = next((columns.index(name) for name in _TIME_COLUMNS if name in columns), None)

    def key(row: Sequence[Any]) -> tuple[bool, int, str]:
        at = row[place] if place is not None else None
        return (at is None, at if isinstance(at, int) else 0, repr(row))

    kept = sorted(rows, key=key)[:EVIDENCE_ROWS_MAX]
    start = _start(connection)
    evidence = []
    for row in kept:
        shown = dict(zip(columns, row, strict=True))
        shown["life"] = life(connection, shown, start)
        evidence.append(shown)
    return evidence


def life(connection: duckdb.DuckDBPyConnection, row: dict[str, Any], start: int) -> list[str]:
    """Lines of history about a row's message, or else about its operation; times are ms since the run's first line."""
    message, op = row.get("message"), row.get("op")
    if isinstance(message, int):
        found = connection.execute(_LIFE, {"message": message}).fetchall()
        lines = [f"{(at - start) / 1e6:+.1f} ms {what} [op {number}]" for at, number, what in found]
    elif isinstance(op, int):
        lines = _operation(connection, op, start)
    else:
        return []
    if len(lines) > LIFE_LINES_MAX:
        cut = len(lines) - LIFE_LINES_MAX
        lines = [*lines[: LIFE_LINES_MAX // 2], f"({cut} lines more)", *lines[-LIFE_LINES_MAX // 2 :]]
    return lines


def _operation(connection: duckdb.DuckDBPyConnection, op: int, start: int) -> list[str]:
    lines = []
    for table in TABLES.values():
        if table.shape == "life":
            continue
        stamp = "invoked" if table.shape == "span" else "t"
        result = connection.execute(f"SELECT * FROM {table.name} WHERE op = ? ORDER BY ALL", [op])
        columns = [item[0] for item in result.description]
        for row in result.fetchall():
            values = dict(zip(columns, row, strict=True))
            at = values.pop(stamp)
            shown = " ".join(f"{name}={value}" for name, value in values.items() if value is not None and name != "op")
            lines.append(f"{(at - start) / 1e6:+.1f} ms {table.name}: {shown} [op {op}]")
    return lines


def _start(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("SELECT min(t) FROM streams").fetchone()
    return int(row[0]) if row is not None and row[0] is not None else 0


def by_place(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Counts of rows per broker and queue, most first, as text; empty where rows name no broker."""
    if "broker" not in columns:
        return ""
    parts = [columns.index(name) for name in ("broker", "queue") if name in columns]
    counts = Counter("/".join("?" if row[part] is None else str(row[part]) for part in parts) for row in rows)
    shown = [
        f"{place}: {count}"
        for place, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:PLACES_MAX]
    ]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f", {more} places more" if more > 0 else "")
