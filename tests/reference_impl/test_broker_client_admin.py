"""What only a consumer can answer is handed on, and its answer handed back."""

from __future__ import annotations

from typing import Any

import pytest

Bench = Any


ASKED = {"consumerGroup": "G", "clientId": "c2", "jstackEnable": "false"}


def online(bench: type[Bench]) -> Any:
    b = bench()
    b.heartbeat(2, "G", ["T"])
    b.pushed.clear()
    return b


def test_a_member_is_asked_and_its_answer_handed_back(bench: type[Bench]) -> None:
    b = online(bench)
    opaque = b.begin(307, ASKED, conn=9)
    ((conn, asked),) = b.pushed
    assert (conn, asked.code, asked.fields, asked.is_oneway) == (2, 307, ASKED, False)
    assert b.answer(opaque, 9) is None
    b.carry(b.core.request(b.now_ms, 2, ("10.0.0.2", 1), asked.reply(4321, {"a": "b"}, b"{}", "own words")))
    answer = b.answer(opaque, 9)
    assert (answer.code, answer.fields, answer.body, answer.remark) == (4321, {"a": "b"}, b"{}", "own words")


def test_a_member_that_does_not_answer(bench: type[Bench]) -> None:
    b = online(bench)
    opaque = b.begin(307, ASKED)
    b.advance(9_999)
    assert b.answer(opaque) is None
    b.advance(1)
    answer = b.answer(opaque)
    assert (answer.code, answer.remark) == (207, "consumer <G> <c2> Timeout: no answer in 10000 ms")
    opaque = b.begin(307, ASKED)
    b.close(2)
    answer = b.answer(opaque)
    assert (answer.code, answer.remark) == (1, "invoke consumer <G> <c2> Exception: the connection closed")


def test_one_message_is_handed_to_a_member(bench: type[Bench], split: Any) -> None:
    b = online(bench)
    msg_id = b.send("T", b"look").fields["msgId"]
    b.begin(309, {"consumerGroup": "G", "clientId": "c2", "msgId": msg_id})
    ((_, asked),) = b.pushed
    (record,) = split(asked.body)
    assert (asked.code, asked.fields["brokerName"], record.body) == (309, "broker-a", b"look")
    b.pushed.clear()
    b.begin(309, {"consumerGroup": "G", "clientId": "c2"}, b"as it is")
    assert b.pushed[0][1].body == b"as it is"


@pytest.mark.parametrize(
    ("fields", "code", "remark"),
    [
        ({"clientId": "x"}, 1, "The Consumer <G> <x> not online"),
        ({"consumerGroup": "X"}, 1, "The Consumer <X> <c2> not online"),
        ({"msgId": "00" * 16}, 1, "can not find message by the offset id, " + "00" * 16),
        ({"msgId": "zz"}, 1, "msgId: 'zz' is no offset message id: 32 or 56 hex digits are wanted"),
    ],
)
def test_what_cannot_be_handed_on(bench: type[Bench], fields: dict[str, str], code: int, remark: str) -> None:
    b = online(bench)
    answer = b.ask(309, ASKED | fields)
    assert (answer.code, answer.remark) == (code, remark)
    assert b.pushed == []


def test_members_may_be_too_old(bench: type[Bench]) -> None:
    b = bench()
    body = b'{"clientID":"c2","consumerDataSet":[{"groupName":"G","subscriptionDataSet":[]}]}'
    b.ask(34, body=body, conn=2, version=61)
    remark = b.ask(307, ASKED).remark
    assert remark == "The Consumer <c2> Version <61> too low to finish, please upgrade it to V3_1_8_SNAPSHOT"
