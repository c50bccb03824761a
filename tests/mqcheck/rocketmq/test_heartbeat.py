"""mqcheck.rocketmq.heartbeat: bodies as the official client writes them, answers as brokers do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqcheck.errors import FrameError
from mqcheck.rocketmq.frame import decode
from mqcheck.rocketmq.heartbeat import (
    GroupView,
    Subscription,
    heartbeat_body,
    lock_body,
    parse_locked,
    parse_members,
)
from mqcheck.rocketmq.models import MessageQueue

GOLDEN = Path(__file__).parents[2] / "golden" / "frames.jsonl"
FRAMES = {line["id"]: line for line in map(json.loads, GOLDEN.read_text(encoding="utf-8").splitlines())}


def body_of(name: str) -> Any:
    return json.loads(decode(bytes.fromhex(FRAMES[name]["hex"])[4:]).body)


def test_a_heartbeat_is_the_official_ones_twin() -> None:
    recorded = body_of("4.9.7-heart_beat-req")
    (group,) = recorded["consumerDataSet"]
    subscriptions = tuple(
        Subscription(item["topic"], item["subString"], item["subVersion"]) for item in group["subscriptionDataSet"]
    )
    producers = [item["groupName"] for item in recorded["producerDataSet"]]
    ours = heartbeat_body(
        recorded["clientID"], producers, [GroupView(group["groupName"], "clustering", "last", subscriptions)]
    )
    assert json.loads(ours) == recorded


def test_a_lock_request_is_the_official_ones_twin() -> None:
    recorded = body_of("4.9.7-lock_batch_mq-req")
    queues = [MessageQueue(q["topic"], q["brokerName"], q["queueId"]) for q in recorded["mqSet"]]
    assert json.loads(lock_body(recorded["clientId"], recorded["consumerGroup"], queues)) == recorded


def test_recorded_answers() -> None:
    locked = decode(bytes.fromhex(FRAMES["4.9.7-lock_batch_mq-resp"]["hex"])[4:]).body
    assert parse_locked(locked) == {MessageQueue("JOrd", "broker-a", 0)}
    members = decode(bytes.fromhex(FRAMES["4.9.7-get_consumer_list_by_group-resp"]["hex"])[4:]).body
    assert parse_members(members) == ("127.0.0.1@JCG",)
    assert parse_locked(b"{}") == frozenset()
    assert parse_members(b'{"consumerIdList":["b","a"]}') == ("a", "b")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"lockOKMQSet":[1]}', b'{"lockOKMQSet":[{"topic":"T"}]}'])
def test_unreadable_locks(body: bytes) -> None:
    with pytest.raises(FrameError, match="locks"):
        parse_locked(body)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"consumerIdList":1}'])
def test_unreadable_members(body: bytes) -> None:
    with pytest.raises(FrameError, match="member list"):
        parse_members(body)


@pytest.mark.parametrize(
    ("expression", "tags", "accepted", "refused"),
    [("*", (), None, "-"), ("", (), "A", "-"), ("A", ("A",), "A", "B"), (" A || B ||", ("A", "B"), "B", None)],
)
def test_tag_expressions(expression: str, tags: tuple[str, ...], accepted: str | None, refused: str | None) -> None:
    subscription = Subscription("T", expression, 1)
    assert subscription.tags == tags
    assert subscription.accepts(accepted)
    assert not tags or not subscription.accepts(refused)


def test_a_filter_has_no_tags_and_is_said_to_be_one() -> None:
    subscription = Subscription("T", "a > 1", 1, "SQL92")
    assert subscription.tags == ()
    assert subscription.accepts("B")
    view = GroupView("G", "clustering", "first", (subscription,))
    (said,) = json.loads(heartbeat_body("c", (), (view,)))["consumerDataSet"][0]["subscriptionDataSet"]
    assert (said["expressionType"], said["subString"], said["codeSet"]) == ("SQL92", "a > 1", [])
