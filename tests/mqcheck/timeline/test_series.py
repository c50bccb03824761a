"""Curves: every operation is counted once, in the bucket in which it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from mqcheck.timeline.series import figures, series
from mqcheck.timeline.span import Span, span_of

MS = 1_000_000


def test_sends_are_counted_by_their_fate_where_they_ended(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    curves = series(history, span)
    assert sum(curves["acknowledged"]) == 4
    assert [at for at, count in enumerate(curves["acknowledged"]) if count] == [21, 23, 32, 33]
    assert [at for at, count in enumerate(curves["unknown"]) if count] == [29]
    assert [at for at, count in enumerate(curves["refused"]) if count] == [111]
    assert {len(curve) for curve in curves.values()} == {span.buckets}


def test_deliveries_are_counted_and_repeated_ones_told_apart(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    curves = series(history, span)
    assert sum(curves["delivered"]) == 5
    assert [at for at, count in enumerate(curves["again"]) if count] == [44]
    assert curves["trip_p50"][24] == pytest.approx(5.0)
    assert curves["trip_p50"][60] is None


def test_a_trip_is_the_first_delivery_and_a_broadcast_is_none_again(
    lines: Any, loaded: Callable[..., duckdb.DuckDBPyConnection]
) -> None:
    lines.point("subscriptions", 1, consumer_group="all", topic="orders", mode="broadcasting")
    lines.sent(11, 20, 22, 0)
    lines.delivered(11, 25, 0)
    lines.delivered(11, 95, 0)  # consumed again, with no counter of its own
    for number in range(2):
        place = {"topic": "orders", "broker": "broker-a", "queue": 0, "queue_offset": 0}
        lines.point("deliveries", 30 + number, message=11, consumer_group="all", member=f"m-{number}", **place)
        lines.point("deliveries", 40 + number, consumer_group="others", member="m", **place)  # messages of nobody's
    found = loaded(lines)
    curves = series(found, Span(1, 100 * MS, 100))
    assert (curves["delivered"], curves["again"]) == ([6], [1])
    assert curves["trip_p95"][0] == pytest.approx(11.0, abs=0.2)
    assert (figures(found)["deliveries"], figures(found)["delivered_once"]) == (4, 3)


def test_latency_is_that_of_acknowledged_sends(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    curves = series(history, Span(span.start_ns, span.end_ns, 50))
    assert curves["send_p50"][0] == pytest.approx(2.0)
    assert curves["send_max"][0] == pytest.approx(3.0)
    assert curves["send_p50"][2] is None


def test_curves_without_anything_are_left_out(lines: Any, loaded: Callable[..., duckdb.DuckDBPyConnection]) -> None:
    empty = loaded(lines)
    assert series(empty, span_of(empty)) == {}
    assert figures(empty)["sends"] == 0


def test_figures_of_the_whole(history: duckdb.DuckDBPyConnection) -> None:
    found = figures(history)
    assert {key: found[key] for key in ("sends", "acknowledged", "unknown", "deliveries", "delivered_once")} == {
        "sends": 6,
        "acknowledged": 4,
        "unknown": 1,
        "deliveries": 5,
        "delivered_once": 4,
    }
    assert found["acknowledged_per_second"] == pytest.approx(4 / 0.092, abs=0.1)
    assert found["send_max_ms"] == pytest.approx(3.0)
