"""Held pulls. Clauses: con-longpoll-wake, con-longpoll-timeout."""

from __future__ import annotations

import pytest

from reference_impl.delivery import held as module
from reference_impl.delivery.filters import Filter
from reference_impl.delivery.held import HeldPull, HeldPulls
from reference_impl.frame import Command


def pull(conn: int = 1, queue: int = 0, offset: int = 0, until_ms: int = 100, tag: int | None = None) -> HeldPull:
    wanted = None if tag is None else Filter(frozenset({tag}))
    return HeldPull(conn, ("h", 1), Command(code=11), "T", queue, offset, wanted, until_ms)


def test_a_wanted_message_wakes_only_those_who_want_it() -> None:
    held = HeldPulls()
    everything, tagged, other = pull(), pull(tag=7), pull(queue=1)
    for one in (everything, tagged, other):
        assert held.hold(one)
    assert held.arrived("T", 0, lambda: 5, {}, 0) == [everything]
    assert held.arrived("T", 0, lambda: 7, {}, 0) == [tagged]
    assert held.arrived("T", 0, lambda: 7, {}, 0) == []
    assert held.count == 1


def test_the_tag_is_not_computed_for_nobody() -> None:
    def never() -> int:
        raise AssertionError

    assert HeldPulls().arrived("T", 0, never, {}, 0) == []


def test_the_scan_wakes_by_time_and_by_growth() -> None:
    held = HeldPulls()
    late, behind, patient = pull(offset=3, until_ms=50), pull(offset=3), pull(offset=9)
    for one in (late, behind, patient):
        held.hold(one)
    assert held.scan(49, lambda topic, queue: 3) == []
    assert held.scan(50, lambda topic, queue: 3) == [late]
    assert held.scan(51, lambda topic, queue: 4) == [behind]
    assert held.count == 1


def test_a_closed_connection_waits_no_more() -> None:
    held = HeldPulls()
    held.hold(pull(conn=1))
    held.hold(pull(conn=2))
    held.closed(1)
    assert [one.conn for one in held.scan(100, lambda topic, queue: 0)] == [2]
    held.hold(pull())
    held.clear()
    assert held.count == 0
    assert held.waiting == {}


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_MAX", 1)
    held = HeldPulls()
    assert held.hold(pull())
    assert not held.hold(pull())


def test_a_message_wakes_those_whose_time_is_up() -> None:
    held = HeldPulls()
    late, early = pull(tag=7, until_ms=100), pull(tag=7, until_ms=101)
    assert held.hold(late)
    assert held.hold(early)
    assert held.arrived("T", 0, lambda: 5, {}, 100) == [late]
