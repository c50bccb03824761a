"""Condenses the rows of a violation: the first few by time, counts by queue, and the life of the messages concerned.

What a row means is the guarantee's business; nothing here decides a verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import duckdb

from mqcheck.history.tables import TABLES, TIMES
from mqcheck.judge.verdicts import EVIDENCE_ROWS_MAX

LIFE_LINES_MAX: Final = 24
"""Lines of history shown for one evidence row; ours: a screenful."""

PLACES_MAX: Final = 4
"""Queues counted by name in a reason; ours."""

_Subject = tuple[str, int]
"""A message or an operation: the name of the column that tells it, and its number."""

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
SELECT message, at_ns, op, what FROM (
    SELECT s.message, s.invoked AS at_ns, s.op, 'sends: ' || s.process || ' ' || coalesce(s.mode, '?') || ' to '
        || s.topic || coalesce(' delay level ' || nullif(s.delay_level, 0), '') AS what
        FROM sends s WHERE s.message IN ({messages})
    UNION ALL
    SELECT a.message, a.invoked, a.op, 'attempts: number ' || a.attempt || ' to ' || coalesce(a.broker, '?') || '/'
        || coalesce(CAST(a.queue AS VARCHAR), '?') || ' ' || a.outcome
        || coalesce(' code ' || a.code, '') || coalesce(' offset ' || a.queue_offset, '')
        || coalesce(' after ' || ((a.returned - a.invoked) // 1000000) || ' ms', '')
        FROM attempts a WHERE a.message IN ({messages})
    UNION ALL
    SELECT d.message, coalesce(d.received, d.t), d.op, 'deliveries: ' || coalesce(d.consumer_group, '?') || ' '
        || coalesce(d.member, '?') || ' from ' || coalesce(d.topic, '?') || ' ' || coalesce(d.broker, '?') || '/'
        || coalesce(CAST(d.queue AS VARCHAR), '?') || ' offset ' || coalesce(CAST(d.queue_offset AS VARCHAR), '?')
        || ' reconsume ' || d.reconsume_times
        FROM deliveries d WHERE d.message IN ({messages})
    UNION ALL
    SELECT d.message, r.invoked, r.op, 'results: ' || r.kind || coalesce(' ' || r.result, '') || ' ' || r.outcome
        || coalesce(' code ' || r.code, '')
        FROM results r JOIN deliveries d ON d.op = r.delivery WHERE d.message IN ({messages})
    UNION ALL
    SELECT l.message, l.t, l.op, 'final_log: ' || l.reading || ' ' || l.topic || ' ' || coalesce(l.broker, '?') || '/'
        || coalesce(CAST(l.queue AS VARCHAR), '?')
        || ' offset ' || coalesce(CAST(l.queue_offset AS VARCHAR), '?') || coalesce(' attempt ' || l.attempt, '')
        FROM final_log l WHERE l.message IN ({messages})
) life ORDER BY message, at_ns, op
"""


def condense(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[dict[str, Any]]:
    """The first rows by time as dictionaries, each with ``life``: the lines of history about its message, or else
    about its operation; times in them are ms since the run's first line. Called by the judge for every violation.
    """
    place = next((columns.index(name) for name in _TIME_COLUMNS if name in columns), None)

    def key(row: Sequence[Any]) -> tuple[bool, int, str]:
        at = row[place] if place is not None else None
        return (at is None, at if isinstance(at, int) else 0, repr(row))

    kept = [dict(zip(columns, row, strict=True)) for row in sorted(rows, key=key)[:EVIDENCE_ROWS_MAX]]
    start = _start(connection)
    subjects = [_subject(row) for row in kept]
    lines = _lives(connection, {number for column, number in subjects if column == "message"}, start)
    lines |= _operations(connection, {number for column, number in subjects if column == "op"}, start)
    for row, subject in zip(kept, subjects, strict=True):
        row["life"] = _cut(lines.get(subject, []))
    return kept


def _subject(row: dict[str, Any]) -> _Subject:
    """What a row is about."""
    return next(((name, row[name]) for name in ("message", "op") if isinstance(row.get(name), int)), ("", 0))


def _cut(lines: list[str]) -> list[str]:
    if len(lines) <= LIFE_LINES_MAX:
        return lines
    cut = len(lines) - LIFE_LINES_MAX
    return [*lines[: LIFE_LINES_MAX // 2], f"({cut} lines more)", *lines[-LIFE_LINES_MAX // 2 :]]


def _lives(connection: duckdb.DuckDBPyConnection, messages: set[int], start: int) -> dict[_Subject, list[str]]:
    """What happened to each message, in order of time."""
    lives: dict[_Subject, list[str]] = {}
    if messages:
        query = _LIFE.format(messages=", ".join(map(str, sorted(messages))))
        for message, at, op, what in connection.execute(query).fetchall():
            lives.setdefault(("message", message), []).append(f"{(at - start) / 1e6:+.1f} ms {what} [op {op}]")
    return lives


def _operations(connection: duckdb.DuckDBPyConnection, ops: set[int], start: int) -> dict[_Subject, list[str]]:
    """Each operation's own rows."""
    lines: dict[_Subject, list[str]] = {}
    if not ops:
        return lines
    wanted = f"op IN ({', '.join(map(str, sorted(ops)))})"
    # Most tables hold none of them, and to ask all for that at once is a fraction of the cost of asking each for rows.
    held = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name} WHERE {wanted})" for name in TABLES)
    holding = {row[0] for row in connection.execute(held).fetchall()}
    for name in (name for name in TABLES if name in holding):
        result = connection.execute(f"SELECT * FROM {name} WHERE {wanted} ORDER BY ALL")
        columns = [item[0] for item in result.description]
        begin = next(column for column in columns if column in TIMES)
        for row in result.fetchall():
            values = dict(zip(columns, row, strict=True))
            op, at = values.pop("op"), values.pop(begin) or start
            shown = " ".join(f"{column}={value}" for column, value in values.items() if value is not None)
            lines.setdefault(("op", op), []).append(f"{(at - start) / 1e6:+.1f} ms {name}: {shown} [op {op}]")
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
