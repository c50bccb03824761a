"""Registering at NameServers. Clauses: ns-register-visible, ns-isolated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_impl.broker import registration
from reference_impl.message import body_crc

Bench = Any
TOPIC = {
    "topic": "T",
    "defaultTopic": "TBW102",
    "readQueueNums": 2,
    "writeQueueNums": 2,
    "perm": 6,
    "topicFilterType": "SINGLE_TAG",
}


def topics_of(call: Any) -> dict[str, Any]:
    return dict(json.loads(call.command.body)["topicConfigSerializeWrapper"]["topicConfigTable"])


def test_a_start_tells_every_nameserver_everything(bench: type[Bench]) -> None:
    b = bench(brokerName="broker-x", listenPort=12345)
    assert [call.address for call in b.calls] == ["ns-1:9876", "ns-2:9876"]
    command = b.calls[0].command
    assert command.code == 103
    assert command.version >= 37
    expected = {
        "brokerName": "broker-x",
        "brokerAddr": "127.0.0.1:12345",
        "clusterName": "DefaultCluster",
        "brokerId": "0",
        "haServerAddr": "127.0.0.1:12346",
        "compressed": "false",
        "bodyCrc32": str(body_crc(command.body)),
    }
    assert command.fields == expected
    assert len(topics_of(b.calls[0])) >= 2


def test_every_period_again(bench: type[Bench]) -> None:
    b = bench(register_period_ms=30_000)
    b.answer_calls()
    b.advance(29_999)
    assert b.calls == []
    b.advance(1)
    assert len(b.answer_calls()) == 2
    b.advance(60_000)
    assert len(b.calls) == 4


def test_a_new_topic_is_answered_after_the_last_nameserver(bench: type[Bench]) -> None:
    b = bench()
    b.answer_calls()
    opaque = b.begin(17, TOPIC)
    first, second = b.calls
    assert topics_of(first)["T"]["readQueueNums"] == 2
    b.carry(b.core.response(b.now_ms, first.token, first.command.reply(0)))
    assert b.answer(opaque) is None
    b.carry(b.core.response(b.now_ms, first.token, first.command.reply(0)))
    assert b.answer(opaque) is None
    b.carry(b.core.response(b.now_ms, second.token, None))
    assert b.answer(opaque).code == 0
    b.carry(b.core.response(b.now_ms, second.token, None))
    b.carry(b.core.response(b.now_ms, "something-else", None))


def test_without_nameservers_nobody_waits(bench: type[Bench]) -> None:
    b = bench(namesrvAddr="")
    assert b.calls == []
    assert b.ask(17, TOPIC).code == 0


def test_a_send_that_makes_a_topic_does_not_wait(bench: type[Bench]) -> None:
    b = bench()
    b.answer_calls()
    assert b.send("T").code == 0
    assert all("T" in topics_of(call) for call in b.answer_calls())
    b.send("T")
    assert b.calls == []


def test_a_closed_connection_is_not_answered(bench: type[Bench]) -> None:
    b = bench()
    opaque = b.begin(17, TOPIC, conn=3)
    b.close(3)
    b.answer_calls()
    assert b.answer(opaque, 3) is None


def test_only_so_many_answers_wait(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "WAITING_MAX", 1)
    b = bench()
    waiting = b.begin(17, TOPIC)
    assert b.ask(17, TOPIC).code == 0
    assert b.answer(waiting) is None


def test_a_clean_stop_unregisters(bench: type[Bench]) -> None:
    b = bench()
    b.answer_calls()
    b.carry(b.core.stop(b.now_ms))
    assert [call.command.code for call in b.calls] == [104, 104]
    assert b.calls[0].command.fields["brokerName"] == "broker-a"
    b.answer_calls(failed=True)


def test_a_broker_without_write_says_so_in_each_topic(bench: type[Bench]) -> None:
    b = bench(brokerPermission=4)
    assert {topic["perm"] & 2 for topic in topics_of(b.calls[0]).values()} == {0}
