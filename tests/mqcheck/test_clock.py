"""The host's clocks."""

from __future__ import annotations

import time

from mqcheck.clock import RealClock


def test_monotonic_time_is_the_hosts_and_never_goes_back() -> None:
    clock = RealClock()
    before, first, second = time.monotonic_ns(), clock.monotonic_ns(), clock.monotonic_ns()
    assert before <= first <= second <= time.monotonic_ns()


def test_wall_time_is_in_milliseconds_since_1970() -> None:
    before, now, after = time.time(), RealClock().wall_ms(), time.time()
    assert int(before * 1000) <= now <= after * 1000
