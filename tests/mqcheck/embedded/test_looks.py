"""Looks at what a real broker saw, and that looking changes nothing."""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from mqcheck.embedded.asking import Line
from mqcheck.embedded.cluster import RocketMQServer
from mqcheck.embedded.looks import Queue
from mqcheck.errors import NodeError

Send = Callable[..., Any]


def test_messages_are_as_they_were_sent(rocketmq_server: RocketMQServer, send: Send) -> None:
    before_ms = time.time_ns() // 1_000_000
    address = rocketmq_server.broker_address
    send(address, "T", b"one", queues=2, queue=1, KEYS="k1 k2", TAGS="red", UNIQ_KEY="U1", colour="x")
    send(address, "T", b"two", queues=2)
    first, second = rocketmq_server.messages("T")
    assert (first.body, first.text, first.tags, first.keys) == (b"one", "one", "red", ("k1", "k2"))
    assert (first.queue, first.offset, first.message_id, first.reconsume_times) == (1, 0, "U1", 0)
    assert first.properties["colour"] == "x"
    assert before_ms <= first.stored_ms <= time.time_ns() // 1_000_000
    assert (second.tags, second.keys) == (None, ())
    assert len(second.message_id) == 32
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.tags = "blue"  # type: ignore[misc]
    assert rocketmq_server.messages("nothing") == ()
    assert "T" in rocketmq_server.topics()


def test_many_messages_and_packed_ones(rocketmq_server: RocketMQServer, send: Send) -> None:
    for number in range(70):
        send(rocketmq_server.broker_address, "T", b"%d" % number)
    with Line(rocketmq_server.broker_address) as line:
        fields = {"a": "P", "b": "T", "c": "TBW102", "d": 1, "e": 0, "f": 1, "g": 0, "h": 0}
        line.ask(310, fields, zlib.compress(b"packed"))
    bodies = [message.body for message in rocketmq_server.messages("T")]
    assert bodies == [*(b"%d" % number for number in range(70)), b"packed"]


def test_offsets_are_what_was_committed(rocketmq_server: RocketMQServer, send: Send) -> None:
    for topic in ("T", "U"):
        send(rocketmq_server.broker_address, topic)
        with Line(rocketmq_server.broker_address) as line:
            line.ask(15, {"consumerGroup": "G", "topic": topic, "queueId": 0, "commitOffset": 1})
    assert rocketmq_server.consumer_offset("G", "T") == {Queue("T", "broker-a", 0): 1}
    assert sum(rocketmq_server.consumer_offset("G").values()) == 2
    assert rocketmq_server.consumer_offset("H") == {}


def test_groups_are_who_is_there(rocketmq_server: RocketMQServer, heartbeat: bytes) -> None:
    with Line(rocketmq_server.broker_address) as line:
        assert line.ask(34, body=heartbeat).code == 0
        (group,) = rocketmq_server.groups().values()
        assert (group.name, group.members, group.subscriptions["T"]) == ("G", ("c1",), "red")
        line.ask(35, {"clientID": "c1", "consumerGroup": "G"})
        assert rocketmq_server.groups()["G"].members == ()


def test_a_look_leaves_no_trace(rocketmq_server: RocketMQServer, send: Send) -> None:
    send(rocketmq_server.broker_address, "T")
    topics = rocketmq_server.topics()
    for _ in range(2):
        assert len(rocketmq_server.messages("T")) == 1
        assert rocketmq_server.groups() == {}
        assert rocketmq_server.topics() == topics
    assert rocketmq_server.consumer_offset("TOOLS_CONSUMER") == {}


def test_a_message_comes_again_and_is_given_up(rocketmq_server: RocketMQServer, send: Send) -> None:
    send(rocketmq_server.broker_address, "T", b"bad", UNIQ_KEY="U")
    (message,) = rocketmq_server.messages("T")
    for times in range(1, 17):
        rocketmq_server.redeliver(message, "G")
        rocketmq_server.advance("1s")
        message = rocketmq_server.messages("%RETRY%G")[-1]
        assert message.reconsume_times == times
        assert rocketmq_server.dead_letters("G") == ()
    rocketmq_server.redeliver(message, "G")
    (dead,) = rocketmq_server.dead_letters("G")
    assert (dead.body, dead.message_id) == (b"bad", "U")
    with pytest.raises(NodeError, match="does not take"):
        rocketmq_server.redeliver(dataclasses.replace(message, position=10**9), "G")


def test_waiting_gives_what_it_waited_for(rocketmq_server: RocketMQServer) -> None:
    values = iter([0, AssertionError("no"), (), "found"])

    def look() -> object:
        value = next(values)
        if isinstance(value, AssertionError):
            raise value
        return value

    assert rocketmq_server.wait_for(look) == "found"


def test_waiting_in_vain_shows_the_last_value(rocketmq_server: RocketMQServer) -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.05 s; at the end it was \(\)"):
        rocketmq_server.wait_for(lambda: rocketmq_server.messages("T"), timeout_s=0.05)

    def never() -> bool:
        raise AssertionError("three are missing")

    with pytest.raises(AssertionError, match="three are missing"):
        rocketmq_server.wait_for(never, timeout_s=0)
