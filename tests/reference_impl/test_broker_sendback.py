"""Send-backs: retry copies and dead letters.

Clauses: con-retry-delay, con-retry-max, con-retry-identity, con-retry-alo.
"""

from __future__ import annotations

from typing import Any

import pytest

Bench = Any
LADDER_S = (10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200)


def fail(b: Bench, topic: str, index: int, level: int = 0, **more: Any) -> Any:
    record = b.records(topic)[index]
    return b.ask(36, {"offset": record.physical_offset, "group": "G", "delayLevel": level} | more)


def test_the_whole_ladder_and_then_a_dead_letter(bench: type[Bench]) -> None:
    b = bench()
    answer = b.send("T", b"poison", properties={"TAGS": "t", "KEYS": "k", "UNIQ_KEY": "u", "X": "y"}, h=3)
    topic = "T"
    for step, wait_s in enumerate(LADDER_S, 1):
        assert fail(b, topic, -1).code == 0
        before = len(b.bodies("%RETRY%G"))
        b.advance(wait_s * 1000 - 1)
        assert len(b.bodies("%RETRY%G")) == before, f"step {step} came early"
        b.advance(101)
        topic = "%RETRY%G"
        copy = b.records(topic)[-1]
        assert len(b.bodies(topic)) == step
        assert copy.reconsume_times == step
        assert (copy.body, copy.flag) == (b"poison", 3)
        kept = {name: copy.properties[name] for name in ("TAGS", "KEYS", "UNIQ_KEY", "X")}
        assert kept == {"TAGS": "t", "KEYS": "k", "UNIQ_KEY": "u", "X": "y"}
        assert copy.properties["RETRY_TOPIC"] == "T"
        assert copy.properties["ORIGIN_MESSAGE_ID"] == answer.fields["msgId"]
        assert copy.properties["DELAY"] == str(step + 2)
        assert copy.properties["WAIT"] == "false"
    assert fail(b, topic, -1).code == 0
    dead = b.records("%DLQ%G")
    assert [record.reconsume_times for record in dead] == [17]
    assert dead[0].properties["DELAY"] == "0"
    b.advance(20_000_000)
    assert len(b.bodies("%RETRY%G")) == 16


@pytest.mark.parametrize(("limit", "version", "dead"), [(0, 407, True), (1, 407, False), (0, 100, False)])
def test_the_limit_of_the_request_counts_for_newer_clients(
    bench: type[Bench], limit: int, version: int, dead: bool
) -> None:
    b = bench()
    b.send("T")
    record = b.records("T")[0]
    fields = {"offset": record.physical_offset, "group": "G", "delayLevel": 0, "maxReconsumeTimes": limit}
    assert b.ask(36, fields, version=version).code == 0
    assert len(b.bodies("%DLQ%G")) == int(dead)


def test_the_level_of_the_request(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    fail(b, "T", 0, level=2)
    b.advance(4_999)
    assert b.bodies("%RETRY%G") == []
    b.advance(101)
    assert len(b.bodies("%RETRY%G")) == 1
    fail(b, "T", 0, level=-1)
    assert b.records("%DLQ%G")[0].reconsume_times == 1
    assert "REAL_TOPIC" not in b.records("%DLQ%G")[0].properties


def test_the_retry_topic_is_made_and_registered(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    b.calls.clear()
    fail(b, "T", 0)
    topic = b.broker.state.topics.get("%RETRY%G")
    assert (topic.read_queues, topic.write_queues, topic.perm) == (1, 1, 6)
    assert [call.command.code for call in b.calls] == [103, 103]


@pytest.mark.parametrize("offset", [-1, 1, 10_000_000])
def test_an_offset_that_is_no_record(bench: type[Bench], offset: int) -> None:
    b = bench()
    b.send("T")
    answer = b.ask(36, {"offset": offset, "group": "G", "delayLevel": 0})
    assert answer.code == 1
    assert answer.remark == f"look message by offset failed, {offset}"
    assert b.broker.state.topics.get("%RETRY%G") is None


def test_groups_that_refuse_or_drop(bench: type[Bench]) -> None:
    b = bench(autoCreateSubscriptionGroup=False)
    b.send("T")
    assert fail(b, "T", 0).code == 26
    b.ask(200, body=b'{"groupName":"G","retryQueueNums":0}')
    assert fail(b, "T", 0).code == 0
    b.advance(20_000)
    assert b.bodies("%RETRY%G") == []


def test_a_broker_without_write(bench: type[Bench]) -> None:
    b = bench(brokerPermission=4)
    b.send("T")
    assert fail(b, "T", 0).code == 16


def test_several_retry_queues(bench: type[Bench]) -> None:
    b = bench()
    b.ask(200, body=b'{"groupName":"G","retryQueueNums":3,"retryMaxTimes":99}')
    for _ in range(30):
        b.send("T")
    for index in range(30):
        fail(b, "T", index, level=1)
    b.advance(1_100)
    assert sum(len(b.bodies("%RETRY%G", queue)) for queue in range(3)) == 30
    assert all(b.bodies("%RETRY%G", queue) for queue in range(3))
