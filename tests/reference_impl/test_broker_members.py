"""Membership by request. Clauses: con-on-expire, con-notify-ids, con-unregister."""

from __future__ import annotations

import json
from typing import Any

import pytest

Bench = Any


def listed(b: Bench) -> list[str]:
    answer = b.ask(38, {"consumerGroup": "G"})
    return list(json.loads(answer.body)["consumerIdList"]) if answer.code == 0 else []


def test_joining_is_told_to_everybody_the_newcomer_included(bench: type[Bench]) -> None:
    b = bench()
    b.heartbeat(1, "G")
    assert b.notified() == [1]
    b.heartbeat(1, "G")
    assert b.notified() == []
    b.heartbeat(2, "G")
    assert b.notified() == [1, 2]
    assert listed(b) == ["c1", "c2"]
    b.heartbeat(2, "G", topics=("T", "U"))
    assert b.notified() == [1, 2]


def test_what_is_pushed_is_one_way(bench: type[Bench]) -> None:
    b = bench()
    b.heartbeat(1, "G")
    _, command = b.pushed[0]
    assert (command.code, command.fields, command.is_oneway) == (40, {"consumerGroup": "G"}, True)


def test_leaving_and_a_closed_connection_are_told_to_the_others(bench: type[Bench]) -> None:
    b = bench()
    for conn in (1, 2, 3):
        b.heartbeat(conn, "G")
    b.notified()
    assert b.ask(35, {"clientID": "c3", "consumerGroup": "G", "producerGroup": "P"}, conn=3).code == 0
    assert b.notified() == [1, 2]
    b.close(2)
    assert b.notified() == [1]
    b.close(1)
    assert b.notified() == []
    answer = b.ask(38, {"consumerGroup": "G"})
    assert (answer.code, answer.remark) == (1, "no consumer for this group, G")


def test_silence_is_out_at_the_scan_after_the_expiry_and_nobody_is_told(bench: type[Bench]) -> None:
    b = bench()
    b.heartbeat(1, "G")
    for _ in range(12):
        b.advance(10_000)
        b.heartbeat(2, "G")
    b.notified()
    assert listed(b) == ["c1", "c2"]
    b.advance(9_999)
    assert listed(b) == ["c1", "c2"]
    b.advance(1)
    assert listed(b) == ["c2"]
    assert b.closed == [1]
    assert b.notified() == []


@pytest.mark.parametrize("how", ["broker", "group"])
def test_notification_can_be_switched_off(bench: type[Bench], how: str) -> None:
    b = bench(notifyConsumerIdsChangedEnable=how != "broker")
    if how == "group":
        b.ask(200, body=b'{"groupName":"G","notifyConsumerIdsChangedEnable":false}')
    b.heartbeat(1, "G")
    assert b.notified() == []


def test_a_heartbeat_makes_the_retry_topic(bench: type[Bench]) -> None:
    b = bench()
    b.answer_calls()
    b.heartbeat(1, "G")
    assert b.broker.state.topics.get("%RETRY%G").read_queues == 1
    assert [call.command.code for call in b.answer_calls()] == [103, 103]
    b.heartbeat(1, "G")
    assert b.calls == []


def test_loose_heartbeats_of_other_clients(bench: type[Bench]) -> None:
    b = bench()
    body = (
        b'{"clientID":"cpp","producerDataSet":[{"groupName":"P"}],"consumerDataSet":[{"groupName":"G","consumeType":0,'
        b'"messageModel":0,"consumeFromWhere":0,"subscriptionDataSet":[{"topic":"T","subString":"a||b","subVersion":"3",'
        b'"codeSet":["97"],"tagsSet":["a"]}]}]}\n'
    )
    assert b.ask(34, body=body).code == 0
    answer = json.loads(b.ask(203, {"consumerGroup": "G"}).body)
    assert (answer["messageModel"], answer["consumeType"]) == ("BROADCASTING", "CONSUME_ACTIVELY")
    assert answer["subscriptionTable"]["T"]["codeSet"] == [97], "the client's own, not those of the text"
    assert answer["subscriptionTable"]["T"]["tagsSet"] == ["a"]
    client = {"clientId": "cpp", "clientAddr": "10.0.0.1:4001", "language": "PYTHON", "version": 407}
    assert answer["connectionSet"] == [client]
    assert json.loads(b.ask(204, {"producerGroup": "P"}).body) == {"connectionSet": [client]}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'{"consumerDataSet":[{}]}', b'{"producerDataSet":3}'])
def test_a_heartbeat_that_cannot_be_read(bench: type[Bench], body: bytes) -> None:
    b = bench()
    answer = b.ask(34, body=body)
    assert answer.code == 1
    assert answer.remark
    assert not b.broker.state.members.consumers


def test_absent_groups(bench: type[Bench]) -> None:
    b = bench()
    answer = b.ask(203, {"consumerGroup": "G"})
    assert (answer.code, answer.remark) == (206, "the consumer group[G] not online")
    answer = b.ask(204, {"producerGroup": "P"})
    assert (answer.code, answer.remark) == (1, "the producer group[P] not exist")


def test_checking_a_subscription(bench: type[Bench]) -> None:
    b = bench()
    tag = b'{"clientId":"c","group":"G","subscriptionData":{"expressionType":"TAG"}}'
    assert b.ask(46, body=tag).code == 0
    answer = b.ask(46, body=tag.replace(b"TAG", b"SQL92"))
    assert answer.code == 1
    assert "SQL92" in answer.remark


@pytest.mark.parametrize(("text", "code"), [("a > 3 AND TAGS IS NOT NULL", 0), ("a >> 1 AND", 23), ("", 23)])
def test_an_expression_is_read_before_it_is_used(bench: type[Bench], text: str, code: int) -> None:
    b = bench(enablePropertyFilter=True)
    wanted = {"topic": "T", "subString": text, "expressionType": "SQL92"}
    answer = b.ask(46, body=json.dumps({"clientId": "c", "group": "G", "subscriptionData": wanted}).encode())
    assert answer.code == code


def test_an_unknown_kind_of_expression_is_refused(bench: type[Bench]) -> None:
    wanted = {"topic": "T", "subString": "a", "expressionType": "XXX"}
    body = json.dumps({"clientId": "c", "group": "G", "subscriptionData": wanted}).encode()
    assert bench(enablePropertyFilter=True).ask(46, body=body).code == 23
    assert bench().ask(46, body=body).remark == "The broker does not support consumer to filter message by XXX"


def test_a_subscription_without_a_version_gets_the_time(bench: type[Bench]) -> None:
    b = bench()
    b.heartbeat(1, "G", subscriptionDataSet=[{"topic": "T", "subString": "||"}])
    assert b.broker.state.members.subscription("G", "T").version == b.now_ms
    many = [{"topic": "T", "subString": "x", "codeSet": list(range(1001))}]
    assert b.heartbeat(1, "G", subscriptionDataSet=many).code == 1


def second_version(b: Bench, conn: int, fingerprint: int, subscriptions: bool) -> dict[str, str]:
    """A 5.x heartbeat; what it was answered."""
    wanted = [{"topic": "T", "subString": "a", "subVersion": 1}] if subscriptions else []
    consumer = {"groupName": "G", "subscriptionDataSet": wanted}
    body = {"clientID": f"c{conn}", "consumerDataSet": [consumer], "heartbeatFingerprint": fingerprint}
    body |= {"withoutSub": not subscriptions}
    return dict(b.ask(34, body=json.dumps(body).encode(), conn=conn).fields)


def test_newer_clients_may_leave_their_subscriptions_out_once_they_are_known(bench: type[Bench]) -> None:
    b = bench()
    assert second_version(b, 1, 0, True) == {"IS_SUPPORT_HEART_BEAT_V2": "true", "IS_SUB_CHANGE": "true"}
    assert second_version(b, 1, 77, True)["IS_SUB_CHANGE"] == "false"
    assert second_version(b, 1, 77, False)["IS_SUB_CHANGE"] == "false"
    assert b.broker.state.members.subscription("G", "T").expression == "a"
    b.restart()
    assert second_version(b, 1, 77, False)["IS_SUB_CHANGE"] == "true", "a broker that has forgotten wants to hear all"
    assert b.broker.state.members.client_ids("G") == ["c1"]
    assert second_version(b, 1, 77, True)["IS_SUB_CHANGE"] == "true"
    assert second_version(b, 1, 77, False)["IS_SUB_CHANGE"] == "false"


def test_older_clients_hear_nothing_of_it(bench: type[Bench]) -> None:
    assert bench().heartbeat(1, "G").fields == {}
