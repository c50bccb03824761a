"""Request-reply: an answer goes to the client that asked, and its sender hears how that went."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.message import decode_properties

Bench = Any
TOPIC = "DefaultCluster_REPLY_TOPIC"
REQUESTER, REPLIER = 1, 2


def begin_reply(b: Bench, code: int = 325, **properties: str) -> int:
    """The replier sends its answer to the broker."""
    kept = {
        "MSG_TYPE": "reply",
        "REPLY_TO_CLIENT": "r",
        "CORRELATION_ID": "c-1",
        "UNIQ_KEY": "u",
        "WAIT": "true",
    } | properties
    fields = b.send_fields(TOPIC, properties={name: value for name, value in kept.items() if value})
    if code == 324:
        names = {"a": "producerGroup", "b": "topic", "c": "defaultTopic", "d": "defaultTopicQueueNums", "e": "queueId"}
        names |= {"f": "sysFlag", "g": "bornTimestamp", "h": "flag", "i": "properties"}
        fields = {names[name]: value for name, value in fields.items()}
    opaque: int = b.begin(code, fields, b"answer", conn=REPLIER)
    return opaque


def requester(bench: type[Bench], **settings: Any) -> Bench:
    """A broker to which the requester is connected."""
    b = bench(**settings)
    b.ask(34, body=b'{"clientID":"r","producerDataSet":[{"groupName":"P"}]}', conn=REQUESTER)
    return b


@pytest.mark.parametrize("code", [324, 325])
def test_an_answer_reaches_the_requester_and_then_its_sender_hears(bench: type[Bench], code: int) -> None:
    b = requester(bench)
    opaque = begin_reply(b, code)
    ((conn, pushed),) = b.pushed
    assert (conn, pushed.code, pushed.body, pushed.is_oneway) == (REQUESTER, 326, b"answer", False)
    assert (pushed.fields["topic"], pushed.fields["bornHost"]) == (TOPIC, "10.0.0.2:4002")
    told = decode_properties(pushed.fields["properties"])
    assert (told["CORRELATION_ID"], told["WAIT"]) == ("c-1", "true")
    assert "CLUSTER" not in told, "the answer is passed on as it came"
    assert told["PUSH_REPLY_TIME"] == pushed.fields["storeTimestamp"] == str(b.now_ms)
    assert b.answer(opaque, REPLIER) is None, "not before the requester has it"
    b.carry(b.core.request(b.now_ms, REQUESTER, ("10.0.0.1", 1), pushed.reply(0)))
    answer = b.answer(opaque, REPLIER)
    assert (answer.code, answer.fields["queueId"], answer.fields["queueOffset"]) == (0, "0", "0")
    assert answer.fields["MSG_REGION"] == "DefaultRegion"
    (record,) = b.records(TOPIC)
    assert record.offset_message_id == answer.fields["msgId"]
    assert record.properties == {name: value for name, value in told.items() if name != "PUSH_REPLY_TIME"}


@pytest.mark.parametrize("how", ["refuses", "is silent", "goes"])
def test_a_requester_that_does_not_take_it(bench: type[Bench], how: str) -> None:
    b = requester(bench)
    opaque = begin_reply(b)
    ((_, pushed),) = b.pushed
    if how == "refuses":
        b.carry(b.core.request(b.now_ms, REQUESTER, ("10.0.0.1", 1), pushed.reply(1)))
    elif how == "is silent":
        b.advance(9_999)
        assert b.answer(opaque, REPLIER) is None
        b.advance(1)
    else:
        b.close(REQUESTER)
    answer = b.answer(opaque, REPLIER)
    assert (answer.code, answer.remark) == (1, "push reply message to rfail.")


@pytest.mark.parametrize(("client", "remark"), [("", "properties[REPLY_TO_CLIENT] is null"), ("x", "channel of <x>")])
def test_an_answer_to_nobody_is_stored_as_in_rocketmq(bench: type[Bench], client: str, remark: str) -> None:
    b = requester(bench)
    answer = b.answer(begin_reply(b, REPLY_TO_CLIENT=client), REPLIER)
    assert answer.code == 1
    assert remark in answer.remark
    assert b.pushed == []
    assert [record.offset_message_id for record in b.records(TOPIC)] == [answer.fields["msgId"]]


def test_storing_answers_can_be_switched_off(bench: type[Bench]) -> None:
    b = requester(bench, storeReplyMessageEnable=False)
    opaque = begin_reply(b)
    ((_, pushed),) = b.pushed
    b.carry(b.core.request(b.now_ms, REQUESTER, ("10.0.0.1", 1), pushed.reply(0)))
    assert b.answer(opaque, REPLIER).code == 0
    assert b.records(TOPIC) == []
