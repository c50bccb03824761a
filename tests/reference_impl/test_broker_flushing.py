"""Answers that wait for the disk. Clauses: dur-ack-power-sf, dur-notok-stored."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.broker.flushing import FlushWaiters
from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command

OK, LATE = Command(code=0), Command(code=10)


def codes(effects: list[Effect]) -> list[tuple[int, int]]:
    return [(effect.conn, effect.command.code) for effect in effects if isinstance(effect, Reply)]


def test_one_flush_serves_all_it_covers() -> None:
    waiters = FlushWaiters()
    for conn, position in enumerate((100, 200, 300)):
        waiters.wait(conn, OK, LATE, position, 5_000 + conn)
    assert codes(waiters.flushed(99)) == []
    assert codes(waiters.flushed(200)) == [(0, 0), (1, 0)]
    assert waiters.next_deadline_ms() == 5_002
    assert codes(waiters.expired(5_001)) == []
    assert codes(waiters.expired(5_002)) == [(2, 10)]
    assert waiters.next_deadline_ms() is None
    assert codes(waiters.flushed(300)) == []


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 120)), max_size=40))
def test_everybody_is_answered_exactly_once(steps: list[tuple[bool, int]]) -> None:
    waiters = FlushWaiters()
    for conn in range(10):
        waiters.wait(conn, OK, LATE, 10 * (conn + 1), 10 * (conn + 1))
    answered: list[tuple[int, int]] = []
    for by_flush, value in [*steps, (True, 100)]:
        answered += codes(waiters.flushed(value) if by_flush else waiters.expired(value))
    assert [conn for conn, _ in answered] == list(range(10))
