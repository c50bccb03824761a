"""Administration by request."""

from __future__ import annotations

import json
from typing import Any

import pytest

Bench = Any
TOPIC = {"topic": "T", "defaultTopic": "TBW102", "readQueueNums": 2, "writeQueueNums": 3, "perm": 6}


def create(b: Bench, **more: Any) -> Any:
    opaque = b.begin(17, TOPIC | more)
    b.answer_calls()
    return b.answer(opaque)


def test_create_change_and_delete_a_topic(bench: type[Bench]) -> None:
    b = bench()
    answer = create(b)
    assert (answer.code, answer.remark) == (0, "not set any response code")
    topics = json.loads(b.ask(21).body)
    assert topics["topicConfigTable"]["T"]["writeQueueNums"] == 3
    counter = topics["dataVersion"]["counter"]
    create(b)
    assert json.loads(b.ask(21).body)["dataVersion"]["counter"] == counter
    create(b, writeQueueNums=4)
    assert json.loads(b.ask(21).body)["dataVersion"]["counter"] == counter + 1
    b.ask(15, {"consumerGroup": "G", "topic": "T", "queueId": 0, "commitOffset": 1})
    assert b.ask(215, {"topic": "T"}).code == 0
    assert b.ask(215, {"topic": "T"}).code == 0
    assert b.pull("T").code == 17
    assert json.loads(b.ask(43).body) == {"offsetTable": {}}


@pytest.mark.parametrize(
    ("fields", "remark"),
    [
        ({"topic": "TBW102"}, "The topic[TBW102] is conflict with system topic."),
        ({"topic": "a b"}, "illegal characters"),
        ({"readQueueNums": -1}, "give 0 to"),
        ({"writeQueueNums": 10_001}, "give 0 to"),
        ({"perm": "x"}, "<perm>"),
    ],
)
def test_refused_topics(bench: type[Bench], fields: dict[str, Any], remark: str) -> None:
    b = bench()
    before = b.ask(21).body
    answer = b.ask(17, TOPIC | fields)
    assert answer.code == 1
    assert remark in answer.remark
    assert b.ask(21).body == before


def test_a_system_topic_is_not_deleted(bench: type[Bench]) -> None:
    assert bench().ask(215, {"topic": "SCHEDULE_TOPIC_XXXX"}).code == 1


def test_figures_of_every_queue_with_objects_as_keys(bench: type[Bench]) -> None:
    b = bench()
    create(b)
    sent_ms = b.now_ms
    b.send("T", queue=1)
    body = b.ask(202, {"topic": "T"}).body.decode()
    assert body.startswith('{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:')
    assert body.count('"maxOffset"') == 3
    assert f'{{"lastUpdateTimestamp":{sent_ms},"maxOffset":1,"minOffset":0}}' in body
    assert b.ask(202, {"topic": "U"}).code == 17


def test_groups(bench: type[Bench]) -> None:
    b = bench()
    assert b.ask(200, body=b'{"groupName":"G","retryMaxTimes":3}').code == 0
    assert json.loads(b.ask(201).body)["subscriptionGroupTable"]["G"]["retryMaxTimes"] == 3
    assert b.ask(200, body=b'{"groupName":""}').code == 1
    assert b.ask(200, body=b"{}").code == 1


def test_progress_as_slaves_read_it(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", properties={"DELAY": "1"})
    b.ask(15, {"consumerGroup": "G", "topic": "T", "queueId": 2, "commitOffset": 4})
    b.advance(1_200)
    assert json.loads(b.ask(43).body) == {"offsetTable": {"T@G": {"2": 4}}}
    assert json.loads(b.ask(45).body)["offsetTable"]["1"] == 1


def test_settings_and_figures(bench: type[Bench]) -> None:
    b = bench(register_period_ms=12_345)
    answer = b.ask(26)
    lines = dict(line.split("=", 1) for line in answer.body.decode().splitlines())
    assert lines["reference.registerPeriodMs"] == "12345"
    assert lines["autoCreateTopicEnable"] == "true"
    assert json.loads(answer.fields["version"])["counter"] == 0
    table = json.loads(b.ask(28).body)["table"]
    assert table["brokerVersionDesc"] == "V4_9_7"
    assert table["bootTimestamp"] == str(b.now_ms)


def test_one_topic_and_one_group_as_newer_clients_ask(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    b.heartbeat(1, "G")
    topic = json.loads(b.ask(351, {"topic": "T", "lo": "true"}).body)
    assert (topic["topicName"], topic["readQueueNums"], topic["perm"], topic["attributes"]) == ("T", 4, 6, {})
    group = json.loads(b.ask(352, {"group": "G"}).body)
    assert (group["groupName"], group["retryMaxTimes"]) == ("G", 16)
    missing = b.ask(351, {"topic": "X"}), b.ask(352, {"group": "X"})
    assert [(answer.code, answer.remark) for answer in missing] == [
        (17, "No topic in this broker. topic: X"),
        (26, "No group in this broker. group: X"),
    ]
