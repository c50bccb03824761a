"""Periodic jobs on their grid."""

from __future__ import annotations

from reference_impl.broker.timers import Timers


def test_jobs_keep_their_grid_even_after_a_late_tick() -> None:
    ran: list[tuple[str, int]] = []
    timers = Timers()
    assert timers.next_ms is None
    assert timers.run(5) == []
    timers.every(100, lambda now: ran.append(("a", now)) or [], 0)
    timers.every(250, lambda now: ran.append(("b", now)) or [], 0)
    assert timers.next_ms == 100
    timers.run(99)
    timers.run(100)
    timers.run(430)
    assert ran == [("a", 100), ("a", 430), ("b", 430)]
    assert timers.next_ms == 500
    timers.run(500)
    assert ran[3:] == [("a", 500), ("b", 500)]


def test_a_clock_that_is_set_back_does_not_stop_the_jobs() -> None:
    ran: list[int] = []
    timers = Timers()
    timers.every(100, lambda now: ran.append(now) or [], 1_000_000)
    timers.every(1_000, lambda now: ran.append(-now) or [], 1_000_000)
    timers.run(1_000_100)
    timers.run(5_000)
    assert timers.next_ms == 5_100
    for now_ms in range(5_100, 6_100, 100):
        timers.run(now_ms)
    assert sorted(ran) == [-6_000, *range(5_100, 6_100, 100), 1_000_100]


def test_a_period_may_change() -> None:
    ran: list[int] = []
    timers = Timers()
    period_ms = 100
    timers.every(lambda: period_ms, lambda now: ran.append(now) or [], 0)
    timers.run(100)
    period_ms = 10
    timers.run(200)
    timers.run(210)
    assert ran == [100, 200, 210]
    assert timers.next_ms == 220
