"""Answers that wait for the disk, a slave, or both. Clauses: dur-ack-power-sf, dur-notok-stored, rep-slave-slow."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.broker.flushing import Answer, Line
from reference_impl.commands import ResponseCode
from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command

OK = Command(code=0)
LATE, LATE_SLAVE = ResponseCode.FLUSH_DISK_TIMEOUT, ResponseCode.FLUSH_SLAVE_TIMEOUT


def codes(effects: list[Effect]) -> list[tuple[int, int]]:
    return [(effect.conn, effect.command.code) for effect in effects if isinstance(effect, Reply)]


def test_one_flush_serves_all_it_covers() -> None:
    line = Line()
    for conn, position in enumerate((100, 200, 300)):
        line.wait(Answer(conn, OK), LATE, position, 5_000 + conn)
    assert codes(line.reached(99)) == []
    assert codes(line.reached(200)) == [(0, 0), (1, 0)]
    assert line.next_deadline_ms() == 5_002
    assert codes(line.expired(5_001)) == []
    assert codes(line.expired(5_002)) == [(2, 10)]
    assert line.next_deadline_ms() is None
    assert codes(line.reached(300)) == []


@pytest.mark.parametrize(
    ("disk", "slave", "code"), [(True, True, 0), (False, True, 10), (True, False, 12), (False, False, 12)]
)
def test_who_needs_both_waits_for_both_and_the_slave_has_the_last_word(disk: bool, slave: bool, code: int) -> None:
    for order in itertools.permutations((0, 1)):
        flushes, replicas = Line(), Line()
        answer = Answer(7, OK)
        flushes.wait(answer, LATE, 100, 5_000)
        replicas.wait(answer, LATE_SLAVE, 100, 3_000)
        lines = ((flushes, disk), (replicas, slave))
        effects = [line.reached(100) if good else line.expired(5_000) for line, good in (lines[at] for at in order)]
        assert [codes(step) for step in effects] == [[], [(7, code)]]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 120)), max_size=40))
def test_everybody_is_answered_exactly_once(steps: list[tuple[bool, int]]) -> None:
    line = Line()
    for conn in range(10):
        line.wait(Answer(conn, OK), LATE, 10 * (conn + 1), 10 * (conn + 1))
    answered: list[tuple[int, int]] = []
    for by_flush, value in [*steps, (True, 100)]:
        answered += codes(line.reached(value) if by_flush else line.expired(value))
    assert [conn for conn, _ in answered] == list(range(10))
