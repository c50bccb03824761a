"""Administration of progress by request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_impl.delivery.groups import BORN
from reference_impl.loose_json import loads_loose

Bench = Any


def test_progress_as_slaves_read_it(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", properties={"DELAY": "1"})
    b.ask(15, {"consumerGroup": "G", "topic": "T", "queueId": 2, "commitOffset": 4})
    b.advance(1_200)
    assert json.loads(b.ask(43).body) == {"offsetTable": {"T@G": {"2": 4}}}
    assert json.loads(b.ask(45).body)["offsetTable"]["1"] == 1


TOPIC = {"topic": "T", "readQueueNums": 2, "writeQueueNums": 2, "perm": 6, "topicFilterType": "SINGLE_TAG"}
QUEUE_0 = '{"brokerName":"broker-a","queueId":0,"topic":"T"}'
QUEUE_1 = '{"brokerName":"broker-a","queueId":1,"topic":"T"}'


def filled(bench: type[Bench], **settings: Any) -> Any:
    """A broker with three messages in queue 0 and one in queue 1 of T, of which G has consumed two and none."""
    b = bench(**settings)
    b.begin(17, TOPIC)
    b.answer_calls()
    for queue in (0, 0, 0, 1):
        b.send("T", queue=queue)
        b.advance(1000)
    commit(b, "G", 2, 0)
    return b


def commit(b: Any, group: str, *offsets: int) -> None:
    for queue, offset in enumerate(offsets):
        b.ask(15, {"consumerGroup": group, "topic": "T", "queueId": queue, "commitOffset": offset})


def test_how_far_a_group_is(bench: type[Bench]) -> None:
    b = filled(bench)
    first_ms = b.now_ms - 4000
    body = b.ask(208, {"consumerGroup": "G", "topic": "T"}).body
    assert body.decode().startswith('{"consumeTps":0.0,"offsetTable":{{"brokerName":"broker-a","queueId":0,')
    assert loads_loose(body)["offsetTable"] == {
        QUEUE_0: {"brokerOffset": 3, "consumerOffset": 2, "lastTimestamp": first_ms + 1000},
        QUEUE_1: {"brokerOffset": 1, "consumerOffset": 0, "lastTimestamp": 0},
    }
    assert b.ask(208, {"consumerGroup": "G"}).body == body, "of all topics with an offset"
    assert loads_loose(b.ask(208, {"consumerGroup": "X"}).body) == {"consumeTps": 0.0, "offsetTable": {}}
    assert len(loads_loose(b.ask(208, {"consumerGroup": "X", "topic": "T"}).body)["offsetTable"]) == 2
    assert loads_loose(b.ask(208, {"consumerGroup": "G", "topic": "X"}).body)["offsetTable"] == {}
    b.heartbeat(2, "G", ["U"])
    assert loads_loose(b.ask(208, {"consumerGroup": "G", "topic": "T"}).body)["offsetTable"] == {}


def test_the_rate_of_a_group(bench: type[Bench]) -> None:
    b = filled(bench)
    b.pull("T")
    b.advance(10_000)
    assert loads_loose(b.ask(208, {"consumerGroup": "G", "topic": "T"}).body)["consumeTps"] > 0


def test_how_far_all_groups_are(bench: type[Bench]) -> None:
    b = filled(bench)
    b.ask(200, body=b'{"groupName":"G"}')
    b.ask(200, body=b'{"groupName":"H"}')
    found = loads_loose(b.ask(317, {"isOrder": "false"}).body)
    assert (found["totalDiff"], found["brokerAddr"]) == (2, "127.0.0.1:10911")
    stats = {name: entry for one in found["consumeStatsList"] for name, entry in one.items()}
    assert stats.keys() == {*BORN, "G", "H"}
    assert stats["G"][0]["offsetTable"][QUEUE_0]["consumerOffset"] == 2
    assert loads_loose(b.ask(317, {"isOrder": "true"}).body)["totalDiff"] == 0


def test_offsets_are_cloned(bench: type[Bench]) -> None:
    b = filled(bench)
    fields = {"srcGroup": "G", "destGroup": "H", "topic": "T", "offline": "false"}
    assert b.ask(314, fields).code == 0
    assert json.loads(b.ask(43).body)["offsetTable"]["T@H"] == {"0": 2, "1": 0}
    commit(b, "H", 1)
    assert b.ask(14, {"consumerGroup": "G", "topic": "T", "queueId": 0}).fields["offset"] == "2", "a copy"
    for other in ({"topic": "X"}, {"topic": ""}, {"srcGroup": "X"}):
        assert b.ask(314, fields | {"destGroup": "I"} | other).code == 0
    b.heartbeat(2, "G", ["U"])
    b.ask(314, fields | {"destGroup": "I"})
    assert "T@I" not in json.loads(b.ask(43).body)["offsetTable"]
    b.ask(314, fields | {"destGroup": "I", "offline": "true"})
    assert "T@I" in json.loads(b.ask(43).body)["offsetTable"]


def reset(b: Any, **more: Any) -> Any:
    language = more.pop("language", "JAVA")
    return b.ask(222, {"topic": "T", "group": "G", "timestamp": -1, "isForce": "true"} | more, language=language)


@pytest.mark.parametrize(
    ("after_ms", "force", "offsets"),
    [
        (None, "true", (3, 1)),
        (0, "true", (0, 0)),
        (2000, "true", (2, 0)),
        (None, "false", (2, 0)),
        (0, "false", (0, 0)),
    ],
)
def test_members_are_told_where_to_go_on(
    bench: type[Bench], after_ms: int | None, force: str, offsets: tuple[int, int]
) -> None:
    b = filled(bench)
    b.heartbeat(
        2,
        "G",
        ["T"],
    )
    b.heartbeat(3, "G", ["T"])
    b.pushed.clear()
    time_ms = -1 if after_ms is None else b.now_ms - 4000 + after_ms
    answer = reset(b, timestamp=time_ms, isForce=force)
    assert (answer.code, answer.remark) == (0, "not set any response code")
    assert loads_loose(answer.body) == {"offsetTable": dict(zip((QUEUE_0, QUEUE_1), offsets, strict=True))}
    assert [conn for conn, _ in b.pushed] == [2, 3]
    pushed = b.pushed[0][1]
    assert (pushed.code, pushed.is_oneway, pushed.body) == (220, True, answer.body)
    assert pushed.fields == {"topic": "T", "group": "G", "timestamp": str(time_ms), "isForce": "false"}
    assert json.loads(b.ask(43).body)["offsetTable"]["T@G"] == {"0": 2, "1": 0}, "that is the members' to commit"


def test_a_cpp_administrator_has_plain_json_pushed(bench: type[Bench]) -> None:
    b = filled(bench)
    b.heartbeat(2, "G", ["T"])
    b.pushed.clear()
    assert loads_loose(reset(b, language="CPP").body)["offsetTable"][QUEUE_0] == 3
    queues = json.loads(b.pushed[0][1].body)["offsetTable"]
    assert queues[0] == {"brokerName": "broker-a", "offset": 3, "queueId": 0, "topic": "T"}


def test_resets_that_cannot_be(bench: type[Bench]) -> None:
    b = filled(bench)
    late = reset(b)
    assert (late.code, late.remark) == (
        206,
        "Consumer not online, so can not reset offset, Group: G Topic: T Timestamp: -1",
    )
    b.heartbeat(2, "G", ["T"])
    assert (reset(b, group="X").code, reset(b, group="X").remark) == (1, "THe consumer group <X> not exist")
    assert reset(b, topic="X").remark == "[reset-offset] reset offset failed, no topic in this broker. topic=X"
    old = {"clientID": "old", "consumerDataSet": [{"groupName": "G", "subscriptionDataSet": []}]}
    b.ask(34, body=json.dumps(old).encode(), conn=4, version=27)
    b.pushed.clear()
    assert reset(b).remark == "the client does not support this feature. version=27"
    assert b.pushed == []


def test_offsets_in_the_memory_of_members(bench: type[Bench]) -> None:
    b = bench()
    assert b.ask(223, {"topic": "T", "group": "G"}).code == 1
    for conn in (2, 3, 4):
        b.heartbeat(conn, "G", ["T"])
    b.pushed.clear()
    opaque = b.begin(223, {"topic": "T", "group": "G"})
    asked = {conn: command for conn, command in b.pushed if command.code == 221}
    assert list(asked) == [2, 3, 4]
    assert asked[2].fields == {"topic": "T", "group": "G"}
    body = f'{{"messageQueueTable":{{{QUEUE_0}:7}}}}'.encode()
    b.carry(b.core.request(b.now_ms, 2, ("10.0.0.2", 1), asked[2].reply(0, body=body)))
    b.carry(b.core.request(b.now_ms, 3, ("10.0.0.3", 1), asked[3].reply(0, body=b"[")))
    assert b.answer(opaque) is None
    b.advance(5000)
    answer = b.answer(opaque)
    assert (answer.code, loads_loose(answer.body)["consumerTable"]) == (0, {"c2": {QUEUE_0: 7}, "c3": {}})
    b.pushed.clear()
    opaque = b.begin(223, {"topic": "T", "group": "G", "clientAddr": "c3"})
    assert [conn for conn, _ in b.pushed] == [3]
    b.close(3)
    assert loads_loose(b.answer(opaque).body)["consumerTable"] == {}
    assert loads_loose(b.ask(223, {"topic": "T", "group": "G", "clientAddr": "nobody"}).body)["consumerTable"] == {}
