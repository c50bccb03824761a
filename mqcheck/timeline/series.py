"""Curves over time, a value for each bucket: what was sent, answered and delivered, and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import duckdb

from mqcheck.timeline.span import Span

_SENDS: Final = """
SELECT {bucket} AS bucket,
    count(*) FILTER (outcome = 'ok') AS acknowledged,
    count(*) FILTER (outcome = 'unknown') AS unknown,
    count(*) FILTER (outcome NOT IN ('ok', 'unknown')) AS refused,
    round(quantile_cont((returned - invoked) / 1e6, 0.5) FILTER (outcome = 'ok'), 1) AS send_p50,
    round(quantile_cont((returned - invoked) / 1e6, 0.95) FILTER (outcome = 'ok'), 1) AS send_p95,
    round(max((returned - invoked) / 1e6) FILTER (outcome = 'ok'), 1) AS send_max
FROM sends GROUP BY 1
"""
_HEARD: Final = """
    SELECT d.consumer_group, d.message, d.op, d.reconsume_times, coalesce(d.received, d.t) AS at_ns,
        CASE WHEN a.consumer_group IS NULL THEN '' ELSE d.member END AS reader
    FROM deliveries d
    LEFT JOIN (SELECT DISTINCT consumer_group FROM subscriptions WHERE mode = 'broadcasting') a
        ON a.consumer_group = d.consumer_group
"""
"""Each member of a broadcasting group hears for itself."""

_DELIVERIES: Final = f"""
SELECT {{bucket}} AS bucket, count(*) AS delivered,
    count(*) FILTER (reconsume_times > 0 OR (message IS NOT NULL AND nth > 1)) AS again,
    round(quantile_cont(after_ms, 0.5) FILTER (nth = 1), 1) AS trip_p50,
    round(quantile_cont(after_ms, 0.95) FILTER (nth = 1), 1) AS trip_p95
FROM (
    SELECT h.at_ns, h.message, h.reconsume_times, row_number() OVER (
            PARTITION BY h.consumer_group, h.reader, h.message ORDER BY h.at_ns, h.op) AS nth,
        CASE WHEN h.reconsume_times = 0 AND s.delay_level = 0 AND s.delay_ms = 0 AND NOT s.transactional
            THEN (h.at_ns - s.invoked) / 1e6 END AS after_ms
    FROM ({_HEARD}) h LEFT JOIN (SELECT message, min(invoked) AS invoked, max(delay_level) AS delay_level,
        max(delay_ms) AS delay_ms, bool_or(transactional) AS transactional FROM sends GROUP BY message) s
        ON s.message = h.message
) GROUP BY 1
"""
_REQUESTS: Final = """
SELECT {bucket} AS bucket, count(*) AS requests FROM (
    SELECT invoked FROM pulls UNION ALL SELECT invoked FROM offsets UNION ALL SELECT invoked FROM locks
    UNION ALL SELECT invoked FROM replies UNION ALL SELECT invoked FROM routes UNION ALL SELECT invoked FROM lookups
    UNION ALL SELECT invoked FROM transactions UNION ALL SELECT invoked FROM states
) GROUP BY 1
"""
_CURVES: Final = ((_SENDS, "coalesce(returned, invoked)"), (_DELIVERIES, "at_ns"), (_REQUESTS, "invoked"))
"""Queries and the time that puts a row of them into a bucket: an operation counts when it ends."""

_FIGURES: Final = f"""
SELECT s.*, d.* FROM (
    SELECT count(*) AS sends, count(*) FILTER (outcome = 'ok') AS acknowledged,
        count(*) FILTER (outcome = 'unknown') AS unknown,
        round(count(*) FILTER (outcome = 'ok') / nullif((max(coalesce(returned, invoked)) - min(invoked)) / 1e9, 0), 1)
            AS acknowledged_per_second,
        round(quantile_cont((returned - invoked) / 1e6, 0.5) FILTER (outcome = 'ok'), 2) AS send_p50_ms,
        round(quantile_cont((returned - invoked) / 1e6, 0.99) FILTER (outcome = 'ok'), 2) AS send_p99_ms,
        round(max((returned - invoked) / 1e6) FILTER (outcome = 'ok'), 2) AS send_max_ms
    FROM sends) s
CROSS JOIN (
    SELECT count(*) AS deliveries, count(DISTINCT consumer_group || '/' || reader || '/' || message) AS delivered_once,
        round(count(*) / nullif((max(at_ns) - min(at_ns)) / 1e9, 0), 1) AS delivered_per_second
    FROM ({_HEARD}) WHERE message IS NOT NULL) d
"""


def series(connection: duckdb.DuckDBPyConnection, span: Span) -> dict[str, list[Any]]:
    """Each curve by name, a value for each bucket of the span; curves that are empty all over are left out.

    Counts per bucket: ``acknowledged``, ``refused``, ``unknown``, ``delivered``, ``again`` (of them: not for the first
    time), ``requests`` (everything else that clients asked). Milliseconds, None where there is nothing to measure:
    ``send_p50``, ``send_p95``, ``send_max``, and ``trip_p50``, ``trip_p95`` from send to first delivery.
    """
    found: dict[str, list[Any]] = {}
    for query, at in _CURVES:
        result = connection.execute(query.format(bucket=span.bucket(at)))
        names = [column[0] for column in result.description]
        found.update(_spread(names, result.fetchall(), span.buckets))
    return {name: values for name, values in found.items() if any(values)}


def _spread(names: Sequence[str], rows: Sequence[Sequence[Any]], buckets: int) -> dict[str, list[Any]]:
    curves: dict[str, list[Any]] = {}
    for column, name in enumerate(names[1:], 1):
        curve: list[Any] = [None if "_" in name else 0] * buckets
        for row in rows:
            if row[0] is not None and 0 <= row[0] < buckets:
                curve[row[0]] = row[column]
        curves[name] = curve
    return curves


def figures(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The whole scenario in a few numbers, as two runs are compared by: counts, messages per second, latencies in ms.

    Keys without anything to measure are left out.
    """
    result = connection.execute(_FIGURES)
    names = [column[0] for column in result.description]
    row = result.fetchone() or ()
    return {name: value for name, value in zip(names, row, strict=False) if value is not None}
