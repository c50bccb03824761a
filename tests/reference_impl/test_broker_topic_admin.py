"""Administration of topics by request."""

from __future__ import annotations

import json
from typing import Any

import pytest

Bench = Any
TOPIC = {
    "topic": "T",
    "defaultTopic": "TBW102",
    "readQueueNums": 2,
    "writeQueueNums": 3,
    "perm": 6,
    "topicFilterType": "SINGLE_TAG",
}


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
    assert b.settle(215, {"topic": "T"}).code == 0
    assert b.settle(215, {"topic": "T"}).code == 0
    assert b.pull("T").code == 17
    assert json.loads(b.ask(43).body) == {"offsetTable": {}}


@pytest.mark.parametrize(
    ("fields", "remark"),
    [
        ({"topic": "TBW102"}, "The topic[TBW102] is conflict with system topic."),
        ({"topic": "a b"}, "illegal characters"),
        ({"readQueueNums": -1}, "give 0 to"),
        ({"topicFilterType": "ANY_TAG"}, "topicFilterType is 'ANY_TAG'"),
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
    assert bench().settle(215, {"topic": "SCHEDULE_TOPIC_XXXX"}).code == 1


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


def test_one_topic_as_newer_clients_ask(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    topic = json.loads(b.ask(351, {"topic": "T", "lo": "true"}).body)
    assert (topic["topicName"], topic["readQueueNums"], topic["perm"], topic["attributes"]) == ("T", 4, 6, {})
    answer = b.ask(351, {"topic": "X"})
    assert (answer.code, answer.remark) == (17, "No topic in this broker. topic: X")


def test_who_reads_a_topic(bench: type[Bench]) -> None:
    b = bench()
    b.heartbeat(2, "online", ["T"])
    b.ask(15, {"consumerGroup": "offline", "topic": "T", "queueId": 0, "commitOffset": 1})
    b.ask(15, {"consumerGroup": "other", "topic": "U", "queueId": 0, "commitOffset": 1})
    assert json.loads(b.ask(300, {"topic": "T"}).body) == {"groupList": ["online", "offline"]}
    assert json.loads(b.ask(300, {"topic": "X"}).body) == {"groupList": []}


def test_ages_of_a_queue(bench: type[Bench]) -> None:
    b = bench()
    create(b, writeQueueNums=2)
    first_ms = b.now_ms
    for _ in range(3):
        b.send("T", queue=1)
        b.advance(1000)
    b.ask(15, {"consumerGroup": "G", "topic": "T", "queueId": 1, "commitOffset": 2})
    empty, filled = json.loads(b.ask(303, {"topic": "T", "group": "G"}).body)["consumeTimeSpanSet"]
    assert (empty["minTimeStamp"], empty["maxTimeStamp"], empty["delayTime"]) == (-1, -1, 0)
    assert filled["messageQueue"] == {"brokerName": "broker-a", "queueId": 1, "topic": "T"}
    assert (filled["minTimeStamp"], filled["maxTimeStamp"]) == (first_ms, first_ms + 2000)
    assert (filled["consumeTimeStamp"], filled["delayTime"]) == (first_ms + 1000, 1000)
    assert b.ask(303, {"topic": "X", "group": "G"}).remark == "topic[X] not exist"


def test_where_a_queues_messages_are(bench: type[Bench]) -> None:
    b = bench()
    places = [b.send("T", properties={"TAGS": "TagA"}) for _ in range(3)]
    b.heartbeat(2, "G", ["T"])
    fields = {"topic": "T", "queueId": 0, "index": 1, "count": 5}
    answer = b.ask(321, fields)
    assert (answer.code, answer.remark) == (0, "not set any response code")
    body = json.loads(answer.body)
    assert (body["minQueueIndex"], body["maxQueueIndex"], "filterData" in body) == (0, 3, False)
    positions = [int(place.fields["msgId"][16:], 16) for place in places]
    assert [unit["physicOffset"] for unit in body["queueData"]] == positions[1:]
    assert {unit["tagsCode"] for unit in body["queueData"]} == {2598919}, "Java's hash of TagA"
    assert len(json.loads(b.ask(321, fields | {"count": 1}).body)["queueData"]) == 1
    wanted = json.loads(b.ask(321, fields | {"consumerGroup": "G"}).body)
    assert (wanted["subscriptionData"]["subString"], wanted["filterData"]) == ("*", "null")
    assert json.loads(b.ask(321, fields | {"consumerGroup": "X"}).body)["filterData"] == "X@T is not online!"
    assert b.ask(321, fields | {"index": 99}).remark == "Index 99 of 0@T is not exist!"
    nowhere = b.ask(321, fields | {"queueId": 9})
    assert (nowhere.code, nowhere.remark) == (0, "Index 1 of 9@T is not exist!")
    assert b.ask(321, fields | {"topic": ""}).code == 1
    unread = b.ask(321, {"topic": "T", "queueId": "x", "index": "", "count": "1 "})
    assert (unread.code, json.loads(unread.body)["queueData"]) == (0, []), "what cannot be read is 0"


def test_system_topics_are_listed_and_kept(bench: type[Bench]) -> None:
    b = bench()
    names = json.loads(b.ask(305).body)["topicList"]
    assert {"TBW102", "broker-a", "DefaultCluster", "DefaultCluster_REPLY_TOPIC", "SCHEDULE_TOPIC_XXXX"} <= set(names)
    for name in names:
        assert b.settle(215, {"topic": name}).code == 1
        assert b.ask(17, TOPIC | {"topic": name}).code == 1
    assert "illegal characters" in b.settle(215, {"topic": "a.b"}).remark


@pytest.mark.parametrize("code", [306, 316, 329])
def test_there_is_nothing_to_clean(bench: type[Bench], code: int) -> None:
    b = bench()
    b.send("T")
    answer = b.ask(code)
    assert (answer.code, answer.remark, answer.body) == (0, None, b"")
    assert b.bodies("T") == [b"hello"]


@pytest.mark.parametrize("goes", [True, False])
def test_the_counts_of_a_topic_go_with_it_where_that_is_wanted(bench: type[Bench], goes: bool) -> None:
    b = bench(autoDeleteUnusedStats=goes)
    b.send("T")
    b.settle(215, {"topic": "T"})
    assert b.ask(315, {"statsName": "TOPIC_PUT_NUMS", "statsKey": "T"}).code == int(goes)


@pytest.mark.parametrize("how", ["runs on", "kill", "power", "clean"])
def test_a_topic_made_anew_begins_empty(bench: type[Bench], how: str) -> None:
    b = bench()
    create(b)
    for _ in range(3):
        b.send("T", b"old")
        b.send("U", b"other")
    b.flush()
    b.ask(15, {"consumerGroup": "G", "topic": "T", "queueId": 0, "commitOffset": 3})
    b.settle(215, {"topic": "T"})
    create(b)
    if how != "runs on":
        b.restart(power=how == "power", clean=how == "clean")
    assert b.ask(30, {"topic": "T", "queueId": 0}).fields["offset"] == "0"
    assert b.pull("T").code == 19
    assert b.send("T", b"new").fields["queueOffset"] == "0"
    b.restart(clean=how == "clean")
    assert b.bodies("T") == [b"new"]
    assert b.bodies("U") == [b"other"] * 3
    b.flush()
    b.settle(215, {"topic": "T"})
    b.restart(power=True)
    assert b.bodies("T") == []


def test_what_the_log_has_lost_needs_no_reminder(bench: type[Bench]) -> None:
    b = bench(mappedFileSizeCommitLog=1000)
    b.send("T")
    b.settle(215, {"topic": "T"})
    for _ in range(20):
        b.send("U")
    b.flush()
    b.restart(clean=True)
    assert list(b.broker.state.deleted_topics) == ["T"]
    assert b.store.remove_older(b.now_ms + 1, 1) == 1
    b.restart(clean=True)
    assert b.broker.state.deleted_topics == {}


def test_an_emptied_broker_has_no_deleted_topics(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    b.settle(215, {"topic": "T"})
    b.broker.empty(b.now_ms)
    b.restart()
    assert b.broker.state.deleted_topics == {}
