"""Requests to clients: each ends once, by an answer, its deadline, or the end of the connection."""

from __future__ import annotations

import pytest

from reference_impl.broker.relays import RELAY_TIMEOUT_MS, WAITING_MAX, Relays
from reference_impl.effects import Close, Effect, Push
from reference_impl.frame import Command

NOW_MS = 1_000


def then(now_ms: int, answer: Command | None) -> list[Effect]:
    """Shows in an effect what it was called with."""
    return [Close(-1 if answer is None else answer.code)]


def ask(relays: Relays, conn: int = 1, timeout_ms: int = RELAY_TIMEOUT_MS) -> Command:
    (push,) = relays.ask(conn, 326, {"a": "b"}, b"body", NOW_MS, then, timeout_ms)
    assert isinstance(push, Push)
    assert (push.conn, push.command.code, push.command.fields, push.command.body) == (conn, 326, {"a": "b"}, b"body")
    assert not push.command.is_oneway
    return push.command


def test_an_answer_ends_it_once() -> None:
    relays = Relays()
    asked = ask(relays)
    assert relays.answered(2, asked.reply(5), NOW_MS) == [], "another connection"
    assert relays.answered(1, asked.reply(5), NOW_MS) == [Close(5)]
    assert relays.answered(1, asked.reply(5), NOW_MS) == []
    assert relays.next_deadline_ms() is None


def test_deadlines_and_closed_connections_end_it_without_an_answer() -> None:
    relays = Relays()
    ask(relays, 1, 500)
    ask(relays, 2, 300)
    ask(relays, 2, 400)
    assert relays.next_deadline_ms() == NOW_MS + 300
    assert relays.expired(NOW_MS + 299) == []
    assert relays.expired(NOW_MS + 300) == [Close(-1)]
    assert relays.closed(2, NOW_MS + 301) == [Close(-1)]
    assert relays.closed(2, NOW_MS + 301) == []
    assert relays.next_deadline_ms() == NOW_MS + 500


def test_opaques_differ_and_come_round() -> None:
    relays = Relays(opaque=0x7FFFFFFF - 1)
    assert [ask(relays).opaque for _ in range(3)] == [0x7FFFFFFF, 1, 2]


def test_too_many_fail_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert WAITING_MAX > 1000
    monkeypatch.setattr("reference_impl.broker.relays.WAITING_MAX", 1)
    relays = Relays()
    ask(relays)
    assert relays.ask(1, 326, {}, b"", NOW_MS, then) == [Close(-1)]
