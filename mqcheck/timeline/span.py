"""The time that a timeline shows, and how it is cut into buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import duckdb

NS_PER_MS: Final = 1_000_000
BUCKETS_MAX: Final = 200
"""Points of a curve; ours: about four pixels each on a wide screen."""
WIDTHS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000)
"""Widths of a bucket that people can read."""

_ENDS: Final = """
SELECT (SELECT min(t) FROM streams), greatest(
    (SELECT max(coalesce(ended, began)) FROM phases), (SELECT max(coalesce(ended, ready, spawned)) FROM nodes),
    (SELECT max(coalesce(healed, began)) FROM faults), (SELECT max(coalesce(returned, invoked)) FROM sends),
    (SELECT max(t) FROM deliveries), (SELECT max(t) FROM streams))
"""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time: ns of CLOCK_MONOTONIC for queries, ms since its start for people."""

    start_ns: int
    """The first line of the first stream: evidence counts its times from there too."""
    end_ns: int
    width_ms: int
    """Of a bucket."""

    @property
    def length_ms(self) -> float:
        """How long it is."""
        return round((self.end_ns - self.start_ns) / NS_PER_MS, 1)

    @property
    def buckets(self) -> int:
        """How many buckets cover it."""
        return max(1, -(-(self.end_ns - self.start_ns) // (self.width_ms * NS_PER_MS)))

    def bucket(self, column: str) -> str:
        """SQL: the number of the bucket that a time falls into."""
        return f"CAST(({column} - {self.start_ns}) // {self.width_ms * NS_PER_MS} AS INTEGER)"

    def ms(self, at_ns: int | None) -> float | None:
        """A time in ms since the start, to a hundredth; None stays None."""
        return None if at_ns is None else round((at_ns - self.start_ns) / NS_PER_MS, 2)


def span_of(connection: duckdb.DuckDBPyConnection) -> Span:
    """The time from a history's first line to the last thing that a timeline shows."""
    row = connection.execute(_ENDS).fetchone() or (None, None)
    start = int(row[0] or 0)
    end = max(int(row[1] or 0), start + NS_PER_MS)
    wanted = (end - start) / NS_PER_MS / BUCKETS_MAX
    width = next((width for width in WIDTHS_MS if width >= wanted), WIDTHS_MS[-1])
    return Span(start, end, width)
