"""Order pictures: for each group and queue, which offset was delivered when and to whom.

Out of order: first delivered after a higher offset of the same queue. Again: delivered before. Neither is a verdict.
In a broadcasting group each member counts for itself.
"""

from __future__ import annotations

from typing import Any, Final

import duckdb

from mqcheck.timeline.span import Span

PICTURES_MAX: Final = 16
"""Of one scenario, those with most to see first; ours."""
POINTS_MAX: Final = 1500
"""Of all pictures of one scenario; ours: about 10 kB."""
MARKED_MAX: Final = 120
"""Out-of-order and repeated deliveries kept of one picture, the first; ours."""
PLAIN, AGAIN, DISORDER = 0, 1, 2

_MARKED: Final = """
CREATE OR REPLACE TEMP TABLE drawn_deliveries AS
WITH alone AS (
    SELECT DISTINCT consumer_group FROM subscriptions WHERE mode = 'broadcasting'
), heard AS (
    SELECT d.*, CASE WHEN a.consumer_group IS NULL THEN '' ELSE d.member END AS reader
    FROM deliveries d LEFT JOIN alone a ON a.consumer_group = d.consumer_group
), seen AS (
    SELECT consumer_group, topic, broker, queue, member, queue_offset, coalesce(received, t) AS at_ns, op,
        row_number() OVER (PARTITION BY consumer_group, reader, topic, broker, queue, queue_offset
            ORDER BY coalesce(received, t), op) AS nth,
        max(queue_offset) OVER (PARTITION BY consumer_group, reader, topic, broker, queue
            ORDER BY coalesce(received, t), op ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest
    FROM heard WHERE queue IS NOT NULL AND queue_offset IS NOT NULL AND consumer_group IS NOT NULL
)
SELECT consumer_group, topic, broker, queue, member, queue_offset, at_ns, op,
    CASE WHEN nth > 1 THEN 1 WHEN highest > queue_offset THEN 2 ELSE 0 END AS mark
FROM seen
"""
_COUNTS: Final = """
SELECT consumer_group, topic, broker, queue, count(*), count(*) FILTER (mark = 1), count(*) FILTER (mark = 2)
FROM drawn_deliveries GROUP BY ALL
ORDER BY count(*) FILTER (mark = 2) DESC, count(*) FILTER (mark = 1) DESC, count(*) DESC, 1, 2, 3, 4
"""
_POINTS: Final = """
WITH numbered AS (
    SELECT *, row_number() OVER (PARTITION BY consumer_group, topic, broker, queue, mark > 0
        ORDER BY at_ns, op) AS place
    FROM drawn_deliveries
)
SELECT consumer_group, topic, broker, queue, at_ns, queue_offset, member, mark FROM numbered
WHERE (mark > 0 AND place <= {marked_max}) OR (mark = 0 AND place % {step} = 0)
ORDER BY consumer_group, topic, broker, queue, at_ns, op
"""


def orders(connection: duckdb.DuckDBPyConnection, span: Span) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """One dictionary for each picture, the strangest first, and how much was left out.

    ``at``: ms since the start, and ``offset``: both as differences to the point before; ``who``: numbers of
    ``members``; ``mark``: [number of the point, 1 again or 2 out of order] for those that are marked.
    """
    connection.execute(_MARKED)
    counts = connection.execute(_COUNTS).fetchall()
    chosen = counts[:PICTURES_MAX]
    total = sum(row[4] for row in chosen)
    step = max(1, -(-total // POINTS_MAX))
    pictures: dict[tuple[Any, ...], dict[str, Any]] = {}
    for group, topic, broker, queue, many, again, disorder in chosen:
        place = {"group": group, "topic": topic, "broker": broker, "queue": queue}
        counted = {"deliveries": many, "again": again, "disorder": disorder}
        points: dict[str, list[Any]] = {"members": [], "at": [], "offset": [], "who": [], "mark": []}
        pictures[(group, topic, broker, queue)] = {**place, **counted, **points}
    shown = _fill(connection, span, pictures, step)
    connection.execute("DROP TABLE drawn_deliveries")
    left_out = {"order pictures": len(counts) - len(chosen), "deliveries in order pictures": total - shown}
    return list(pictures.values()), {name: count for name, count in left_out.items() if count > 0}


def _fill(
    connection: duckdb.DuckDBPyConnection, span: Span, pictures: dict[tuple[Any, ...], dict[str, Any]], step: int
) -> int:
    shown = 0
    before: dict[tuple[Any, ...], tuple[int, int]] = {}
    if not pictures:
        return shown
    for *place, at_ns, offset, member, mark in connection.execute(
        _POINTS.format(marked_max=MARKED_MAX, step=step)
    ).fetchall():
        picture = pictures.get(tuple(place))
        if picture is None:
            continue
        at = round(span.ms(at_ns) or 0)
        last_at, last_offset = before.get(tuple(place), (0, 0))
        before[tuple(place)] = (at, offset)
        if member not in picture["members"]:
            picture["members"].append(member)
        if mark != PLAIN:
            picture["mark"].append([len(picture["at"]), mark])
        picture["at"].append(at - last_at)
        picture["offset"].append(offset - last_offset)
        picture["who"].append(picture["members"].index(member))
        shown += 1
    return shown
