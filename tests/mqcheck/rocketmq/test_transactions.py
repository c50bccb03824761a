"""mqcheck.rocketmq.transactions: half messages, decisions, answers to checks, and their rows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.message import encode_record
from mqcheck.rocketmq.models import Outgoing
from mqcheck.rocketmq.transactions import DECISIONS, Decision, Half, TransactionalProducer

MESSAGE = Outgoing("T", b"body", tag="A", delay_level=3)
END, CHECK, HEART_BEAT = 37, 39, 34
Act = Callable[[Any, TransactionalProducer], Awaitable[None]]


def played(lab: Any, act: Act, says: Decision | None = "commit", script: tuple[Any, ...] = ()) -> Any:
    """Runs an act with a producer of group PG; the broker answers END_TRANSACTION by the script."""

    async def run() -> Any:
        async with lab.cluster() as cluster, lab.client(cluster, "producer-1") as client:
            cluster.create("T")
            cluster.broker.script[END] = list(script)
            producer = TransactionalProducer(client, "PG", lambda check: says)
            await producer.start("T")
            await act(cluster, producer)
            return cluster.broker

    return asyncio.run(run())


def ask(cluster: Any, group: str = "PG", **more: Any) -> None:
    """The broker asks about its last record as about a half message of a group."""
    record = list(cluster.broker.by_position.values())[-1]
    fields = {"tranStateTableOffset": "4", "commitLogOffset": "900", "transactionId": record.properties["UNIQ_KEY"]}
    assert record.properties["PGROUP"] == "PG"
    body = more.pop("body", encode_record(record)).replace(b"PGROUP\x01PG", b"PGROUP\x01" + group.encode())
    (session,) = cluster.broker.sessions
    session.send(Command(code=CHECK, flag=2, fields=fields, body=body))


def test_a_half_message_says_so_and_has_no_delay(lab: Any) -> None:
    async def act(cluster: Any, producer: TransactionalProducer) -> None:
        outcome, half = await producer.prepare(MESSAGE)
        (record,) = cluster.broker.by_position.values()
        assert half == Half(outcome.message, outcome.unique_key, "broker-a", 0, record.physical_offset)
        assert (record.properties["TRAN_MSG"], record.properties["PGROUP"]) == ("true", "PG")
        assert record.sys_flag == 4
        assert "DELAY" not in record.properties

    played(lab, act)
    (send,) = lab.rows("sends")
    assert (send["transactional"], send["delay_level"]) == (True, 0)


def test_what_was_not_stored_is_no_half_message(lab: Any) -> None:
    async def act(cluster: Any, producer: TransactionalProducer) -> None:
        cluster.broker.script[310] = [13, 13]
        assert (await producer.prepare(MESSAGE))[1] is None
        assert (await producer.send(MESSAGE, "commit"))[1] is None

    assert played(lab, act).asked(END) == []


@pytest.mark.parametrize("decision", ["commit", "rollback", "none"])
def test_a_whole_call_ends_one_way(lab: Any, decision: Decision) -> None:
    async def act(cluster: Any, producer: TransactionalProducer) -> None:
        outcome, half = await producer.send(MESSAGE, decision)
        assert half is not None
        await lab.until(lambda: cluster.broker.asked(END))
        (end,) = cluster.broker.asked(END)
        assert end.is_oneway
        assert end.fields == {
            "producerGroup": "PG",
            "tranStateTableOffset": str(half.half_offset),
            "commitLogOffset": str(half.physical_offset),
            "commitOrRollback": str(DECISIONS[decision]),
            "fromTransactionCheck": "false",
            "msgId": outcome.unique_key,
            "transactionId": outcome.unique_key,
        }

    played(lab, act)
    (row,) = lab.rows("transactions")
    assert (row["kind"], row["decision"], row["outcome"]) == ("oneway", decision, "unknown")
    assert row["message"] == lab.rows("sends")[0]["message"]


def test_one_that_was_stored_with_a_warning_is_rolled_back(lab: Any) -> None:
    async def act(cluster: Any, producer: TransactionalProducer) -> None:
        place = "7F00000100002A9F0000000000000064"
        fields = {"msgId": place, "queueId": "0", "queueOffset": "3"}
        cluster.broker.script[310] = [Command(code=10, fields=fields)]
        assert (await producer.send(MESSAGE, "commit"))[0].outcome == "kept"
        await lab.until(lambda: cluster.broker.asked(END))

    assert [end.fields["commitOrRollback"] for end in played(lab, act).asked(END)] == ["12"]


@pytest.mark.parametrize(("script", "outcome", "code"), [(0, "ok", 0), (1, "refused", 1), ("silence", "unknown", None)])
def test_a_decision_is_answered(lab: Any, script: Any, outcome: str, code: int | None) -> None:
    async def act(cluster: Any, producer: TransactionalProducer) -> None:
        _, half = await producer.prepare(MESSAGE)
        assert half is not None
        assert await producer.end(half, "commit", oneway=False, group="other") == code

    broker = played(lab, act, script=(script,))
    assert [end.fields["producerGroup"] for end in broker.asked(END)] == ["other"]
    (row,) = lab.rows("transactions")
    assert (row["outcome"], row.get("code"), row["producer_group"], row["kind"]) == (outcome, code, "other", "reply")


def test_the_words_of_a_refusal_are_kept(lab: Any) -> None:
    async def act(cluster: Any, producer: TransactionalProducer) -> None:
        _, half = await producer.prepare(MESSAGE)
        assert half is not None
        assert await producer.end(half, "rollback", oneway=False) == 1

    played(lab, act, script=(Command(code=1, remark="The producer group wrong"),))
    assert lab.rows("transactions")[0]["remark"] == "The producer group wrong"


def test_a_decision_for_a_broker_that_nobody_knows_is_unsent(lab: Any) -> None:
    async def act(cluster: Any, producer: TransactionalProducer) -> None:
        assert await producer.end(Half(1, "K", "broker-z", 0, 0), "rollback", oneway=True) is None

    played(lab, act)
    assert lab.rows("transactions")[0]["outcome"] == "unsent"


def test_nobody_waits_for_an_answer_that_never_comes(lab: Any) -> None:
    async def act(cluster: Any, producer: TransactionalProducer) -> None:
        with pytest.raises(ValueError, match="one-way"):
            await producer.end(Half(1, "K", "broker-a", 0, 0), "none", oneway=False)

    played(lab, act)


@pytest.mark.parametrize(("says", "kind"), [("commit", "reply"), ("rollback", "reply"), ("none", "oneway")])
def test_a_check_is_answered_with_its_own_place(lab: Any, says: Decision, kind: str) -> None:
    async def act(cluster: Any, producer: TransactionalProducer) -> None:
        await producer.prepare(MESSAGE)
        ask(cluster)
        await lab.until(lambda: cluster.broker.asked(END))
        await lab.until(lambda: "outcome" in lab.rows("transactions")[0])

    (end,) = played(lab, act, says, script=(0,)).asked(END)
    assert (end.fields["tranStateTableOffset"], end.fields["commitLogOffset"]) == ("4", "900")
    assert (end.fields["fromTransactionCheck"], end.fields["commitOrRollback"]) == ("true", str(DECISIONS[says]))
    (check,) = lab.rows("checks")
    (row,) = lab.rows("transactions")
    assert (row["from_check"], row["check_op"], row["kind"]) == (True, check["op"], kind)
    assert check["message"] == row["message"] == lab.rows("sends")[0]["message"]
    assert (check["producer"], check["producer_group"], check["half_offset"]) == ("producer-1", "PG", 4)
    (told, *_) = lab.rows("members", kind="produces")
    assert (told["producer_group"], told["member"], told["node"]) == ("PG", check["member"], "broker-a")
    assert told["conn"] == lab.rows("connections", node="broker-a")[0]["conn"]


def test_a_check_is_noted_where_nobody_answers_it(lab: Any) -> None:
    async def act(cluster: Any, producer: TransactionalProducer) -> None:
        await producer.prepare(MESSAGE)
        ask(cluster)
        ask(cluster, "QG")
        ask(cluster, body=b"garbage")
        await lab.until(lambda: len(lab.rows("checks")) == 3)

    assert played(lab, act, None).asked(END) == []
    assert [row.get("producer_group") for row in lab.rows("checks")] == ["PG", "QG", None]
