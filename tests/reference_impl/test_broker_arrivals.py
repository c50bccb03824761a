"""What a stored message sets off."""

from __future__ import annotations

from typing import Any

from reference_impl.broker.arrivals import make_internal_topic, store_batch, store_message
from reference_impl.effects import Reply
from reference_impl.message import Message

Bench = Any


def message(body: bytes, queue: int = 0, **properties: str) -> Message:
    return Message("T", queue, body, properties, 0, 0, 0, ("127.0.0.1", 1))


def test_the_woken_pulls_are_handed_back_in_order(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    wanted = [
        b.begin(11, b.pull_fields("T", offset=1, sysFlag=6, subscription=tag), conn=conn)
        for conn, tag in ((2, "*"), (3, "a"), (4, "b"))
    ]
    stored, effects = store_message(b.broker.state, message(b"x", TAGS="a"), b.now_ms)
    assert stored.queue_offset == 1
    woken = [effect for effect in effects if isinstance(effect, Reply)]
    assert [(effect.conn, effect.command.opaque) for effect in woken] == [(2, wanted[0]), (3, wanted[1])]
    _, effects = store_batch(b.broker.state, [message(b"y"), message(b"z", TAGS="b")], b.now_ms)
    assert [effect.conn for effect in effects if isinstance(effect, Reply)] == [4]


def test_a_delayed_message_waits_and_sets_the_clock(bench: type[Bench]) -> None:
    b = bench()
    store_message(b.broker.state, message(b"x", DELAY="1"), b.now_ms)
    assert b.broker.state.schedule.next_due_ms() - b.now_ms in range(1_000, 1_101)
    assert b.bodies("SCHEDULE_TOPIC_XXXX") == [b"x"]


def test_internal_topics_are_made_saved_and_registered_once(bench: type[Bench]) -> None:
    b = bench()
    assert len(make_internal_topic(b.broker.state, "%DLQ%G", 1, b.now_ms)) == 2
    assert make_internal_topic(b.broker.state, "%DLQ%G", 1, b.now_ms) == []
    b.restart(power=True)
    assert b.broker.state.topics.get("%DLQ%G") is not None
