"""The time a timeline shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

from mqcheck.timeline.span import BUCKETS_MAX, Span, span_of


def test_it_reaches_from_the_first_line_to_the_last_event(span: Span) -> None:
    assert (span.start_ns, span.length_ms, span.width_ms, span.buckets) == (1, 200.0, 1, 200)
    assert span.ms(1 + 12_345_678) == 12.35
    assert span.ms(None) is None


def test_buckets_are_wide_enough_for_a_long_run() -> None:
    for seconds in (1, 60, 3600, 86_400):
        end = seconds * 1_000_000_000
        width = next(w for w in (1, 5, 10, 500, 20_000, 30_000, 300_000, 600_000) if w * BUCKETS_MAX >= seconds * 1000)
        assert Span(0, end, width).buckets <= BUCKETS_MAX


def test_a_history_without_anything_has_a_time_too(
    lines: Any, loaded: Callable[..., duckdb.DuckDBPyConnection]
) -> None:
    empty = span_of(loaded(lines))
    assert empty.buckets == 1
    assert empty.length_ms == 1.0
