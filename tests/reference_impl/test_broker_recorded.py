"""What real clients sent to a real 4.9.7 broker is answered here with the same code, header fields and remarks."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.broker.core import HANDLERS
from reference_impl.frame import Command, FrameReader
from reference_impl.loose_json import loads_loose
from reference_impl.message import Message

Bench = Any
Golden = list[dict[str, Any]]
NEEDS_A_STATE = {
    "pull_message",
    "consumer_send_msg_back",
    "view_message_by_id",
    "get_consumer_list_by_group",
    "end_transaction",
}
NEEDS_A_STATE |= {
    "get_consumer_connection_list",
    "get_producer_connection_list",
    "invoke_broker_to_reset_offset",
    "query_consume_queue",
}
NEEDS_A_STATE |= {"query_message", "end_transaction", "send_reply_message_v2"}
TRANSACTIONAL = 4


def command(entry: dict[str, Any]) -> Command:
    (found,) = FrameReader().feed(bytes.fromhex(entry["hex"]))
    return found


def entries(golden: Golden, direction: str) -> list[tuple[str, Command]]:
    """Of the 4.9.7 broker's own codes, without recordings of bad frames."""
    found = []
    for entry in golden:
        if entry["id"].startswith("4.9.7-") and entry["direction"] == direction and "acl" not in entry["id"]:
            found.append((entry["id"].removeprefix("4.9.7-"), command(entry)))
    return found


def base(name: str) -> str:
    return name.split("-")[0]


def prepare(b: Bench, asked: Command) -> None:
    """Make what the request speaks of."""
    topic = asked.fields.get("topic") or asked.fields.get("b")
    if topic and asked.code != 17:
        b.begin(
            17, {"topic": topic, "readQueueNums": 16, "writeQueueNums": 16, "perm": 6, "topicFilterType": "SINGLE_TAG"}
        )
    b.answer_calls()


def test_answers_have_the_recorded_fields(bench: type[Bench], golden_frames: Golden) -> None:
    recorded: dict[str, set[frozenset[str]]] = {}
    for name, answer in entries(golden_frames, "response"):
        if answer.code == 0:
            recorded.setdefault(base(name), set()).add(frozenset(answer.fields))
    served = set()
    for name, asked in entries(golden_frames, "request"):
        known = recorded.get(base(name))
        transactional = int(asked.fields.get("f", "0")) & TRANSACTIONAL
        if asked.code not in HANDLERS or known is None or transactional or name.startswith("err-"):
            continue
        if base(name) in NEEDS_A_STATE or asked.is_oneway:
            continue
        b = bench(enablePropertyFilter=True)
        prepare(b, asked)
        b.carry(b.core.request(b.now_ms, 1, ("10.0.0.1", 1), asked))
        b.answer_calls()
        answer = b.replies[1, asked.opaque]
        assert answer.code == 0, (name, answer)
        assert frozenset(answer.fields) in known, (name, answer.fields, known)
        assert answer.serialize == asked.serialize
        served.add(asked.code)
    assert served >= {10, 310, 320, 14, 17, 29, 30, 31, 32, 34, 35, 41, 42, 200, 201, 202, 215, 43, 45, 46}


def test_recorded_pulls_find_what_is_there(bench: type[Bench], golden_frames: Golden) -> None:
    recorded = next(answer for name, answer in entries(golden_frames, "response") if name == "pull_message-resp")
    pulls = 0
    for name, asked in entries(golden_frames, "request"):
        if base(name) != "pull_message":
            continue
        b = bench()
        prepare(b, asked)
        topic, queue, offset = asked.fields["topic"], int(asked.fields["queueId"]), int(asked.fields["queueOffset"])
        b.heartbeat(1, asked.fields["consumerGroup"], [topic])
        b.broker.state.topics.create_internal(topic, 16, b.now_ms)
        state = b.broker.state.members.consumers[asked.fields["consumerGroup"]]
        state.subscriptions[topic] = state.subscriptions[topic].__class__(topic, version=1 << 62)
        for _ in range(max(0, offset) + 1):
            b.store.append(message(topic, queue), b.now_ms, ("127.0.0.1", 1))
        b.carry(b.core.request(b.now_ms, 1, ("10.0.0.1", 1), asked))
        answer = b.replies[1, asked.opaque]
        assert answer.code in (0, 20), (name, answer)
        assert set(answer.fields) == set(recorded.fields)
        pulls += 1
    assert pulls >= 8


def message(topic: str, queue: int) -> Message:
    return Message(topic, queue, b"x", {}, 0, 0, 0, ("127.0.0.1", 1))


@pytest.mark.parametrize("number", ["", "-2", "-3", "-4"])
def test_refusals_are_the_recorded_ones(bench: type[Bench], golden_frames: Golden, number: str) -> None:
    requests, answers = dict(entries(golden_frames, "request")), dict(entries(golden_frames, "response"))
    asked = requests[f"err-send_message_v2-req{number}"]
    recorded = answers[f"err-send_message_v2-resp{number}"]
    b = bench(autoCreateTopicEnable=False)
    b.carry(b.core.request(b.now_ms, 1, ("10.0.0.1", 1), asked))
    answer = b.replies[1, asked.opaque]
    assert (answer.code, answer.remark) == (recorded.code, recorded.remark)
    assert set(answer.fields) == set(recorded.fields)


@pytest.mark.parametrize(
    ("name", "code", "fields"),
    [
        ("get_consumer_list_by_group", 38, {"consumerGroup": "NobodyG"}),
        ("get_consumer_connection_list", 203, {"consumerGroup": "NobodyG"}),
        ("get_producer_connection_list", 204, {"producerGroup": "NobodyP"}),
        ("consumer_send_msg_back", 36, {"offset": "1000000000000", "group": "G", "delayLevel": "0"}),
    ],
)
def test_other_refusals_are_the_recorded_ones(
    bench: type[Bench], golden_frames: Golden, name: str, code: int, fields: dict[str, str]
) -> None:
    recorded = dict(entries(golden_frames, "response"))[f"err-{name}-resp"]
    answer = bench().ask(code, fields)
    assert (answer.code, answer.remark) == (recorded.code, recorded.remark)


@pytest.mark.parametrize(
    ("number", "fields", "settings"),
    [
        ("-3", {"sysFlag": 0}, {}),
        ("-5", {"consumerGroup": "NoSuchG"}, {"autoCreateSubscriptionGroup": False}),
        ("-8", {"expressionType": "SQL92"}, {}),
    ],
)
def test_refused_pulls_are_the_recorded_ones(
    bench: type[Bench], golden_frames: Golden, number: str, fields: dict[str, Any], settings: dict[str, Any]
) -> None:
    recorded = dict(entries(golden_frames, "response"))[f"err-pull_message-resp{number}"]
    b = bench(**settings)
    b.send("T")
    answer = b.ask(11, b.pull_fields("T") | fields)
    assert (answer.code, answer.remark) == (recorded.code, recorded.remark)


def test_the_push_to_members_is_the_recorded_one(bench: type[Bench], golden_frames: Golden) -> None:
    recorded = dict(entries(golden_frames, "request"))["notify_consumer_ids_changed-req"]
    b = bench()
    b.heartbeat(1, recorded.fields["consumerGroup"])
    _, pushed = b.pushed[0]
    assert (pushed.code, pushed.fields, pushed.flag) == (recorded.code, recorded.fields, recorded.flag)


def test_tables_have_the_recorded_shape(bench: type[Bench], golden_frames: Golden) -> None:
    answers = dict(entries(golden_frames, "response"))
    b = bench()
    b.send("T", properties={"DELAY": "1"})
    b.ask(200, body=b'{"groupName":"G"}')
    b.ask(15, {"consumerGroup": "G", "topic": "T", "queueId": 0, "commitOffset": 1})
    names = {201: "get_all_subscriptiongroup_config", 43: "get_all_consumer_offset", 45: "get_all_delay_offset"}
    for code, name in names.items():
        recorded = loads_loose(answers[f"{name}-resp"].body)
        ours = loads_loose(b.ask(code).body)
        assert set(ours) == set(recorded), name
    groups = loads_loose(answers["get_all_subscriptiongroup_config-resp"].body)["subscriptionGroupTable"]
    mine = loads_loose(b.ask(201).body)["subscriptionGroupTable"]["G"]
    assert set(next(iter(groups.values()))) <= set(mine)
