"""Transactions over a broker core: half messages, decisions, checks and what survives a restart."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from reference_impl.frame import FLAG_ONEWAY
from reference_impl.message import decode_record
from reference_impl.transactions import SLICE, SLICE_PAUSE_MS

Bench = Any
HALF = "RMQ_SYS_TRANS_HALF_TOPIC"
OP = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
GIVEN_UP = "TRANS_CHECK_MAX_TIME_TOPIC"
COMMIT, ROLLBACK, UNKNOWN = 8, 12, 0


def prepare(b: Bench, key: str = "u1", conn: int = 1, **properties: str) -> Any:
    """A half message; the answer of the broker."""
    kept = {"TRAN_MSG": "true", "PGROUP": "P", "UNIQ_KEY": key, "TAGS": "x"} | properties
    return b.send("T", b"half", queue=1, conn=conn, f=4, properties=kept)


def end(b: Bench, record: Any, decision: int, conn: int = 1, **more: Any) -> Any:
    """END_TRANSACTION for a half record, with an answer."""
    fields = {"producerGroup": "P", "tranStateTableOffset": record.queue_offset}
    fields |= {"commitLogOffset": record.physical_offset, "commitOrRollback": decision}
    return b.ask(37, fields | {"fromTransactionCheck": "false", "msgId": "u1"} | more, conn=conn)


def produce(b: Bench, conn: int = 1) -> None:
    """A producer's heartbeat."""
    body = b'{"clientID":"p%d","producerDataSet":[{"groupName":"P"}],"consumerDataSet":[]}' % conn
    b.ask(34, body=body, conn=conn)


def checks(b: Bench) -> list[Any]:
    """The pushed 39 since the last look."""
    found = [command for _, command in b.pushed if command.code == 39]
    b.pushed.clear()
    return found


def test_a_half_message_is_hidden_and_answered_as_if_stored(bench: type[Bench]) -> None:
    b = bench()
    answer = prepare(b, WAIT="true")
    assert answer.code == 0
    assert (answer.fields["queueId"], answer.fields["queueOffset"]) == ("1", "0")
    assert b.bodies("T", 1) == []
    (half,) = b.records(HALF)
    assert half.offset_message_id == answer.fields["msgId"]
    assert (half.sys_flag, half.topic, half.queue_id) == (0, HALF, 0)
    assert half.properties["REAL_TOPIC"] == "T"
    assert half.properties["REAL_QID"] == "1"
    assert half.properties["WAIT"] == "true"
    assert b.pull(HALF).code == 0, "readable by its internal name, as in RocketMQ"


@pytest.mark.parametrize("flag", [0, 4, 8, 12, 0x305])
@pytest.mark.parametrize("said", ["true", "TRUE", "false", ""])
def test_the_property_makes_it_a_half_message_whatever_the_bits_say(bench: type[Bench], flag: int, said: str) -> None:
    b = bench()
    b.send("T", b"half", queue=1, f=flag, properties={"PGROUP": "P", "TRAN_MSG": said})
    prepared = said.lower() == "true"
    assert [record.sys_flag for record in b.records(HALF)] == ([flag & ~12] if prepared else [])
    queued = not prepared and not flag & 4
    assert [record.sys_flag for record in b.records("T", 1)] == ([flag] if queued else [])


def test_a_compressed_body_stays_compressed(bench: type[Bench]) -> None:
    b = bench()
    body = zlib.compress(b"x" * 5000)
    b.send("T", body, queue=1, f=0x305, properties={"PGROUP": "P", "TRAN_MSG": "true"})
    end(b, b.records(HALF)[0], COMMIT)
    (message,) = b.records("T", 1)
    assert (message.body, message.sys_flag) == (body, 0x309)


def test_a_settled_message_can_be_asked_about_again(bench: type[Bench]) -> None:
    b = bench()
    produce(b)
    prepare(b)
    (half,) = b.records(HALF)
    end(b, half, ROLLBACK)
    assert b.ask(323, {"msgId": half.offset_message_id}).code == 0
    b.advance(60_000)
    assert [command.fields["msgId"] for command in checks(b)] == ["u1"]


def test_a_commit_makes_it_a_message(bench: type[Bench]) -> None:
    b = bench()
    prepare(b, KEYS="k")
    (half,) = b.records(HALF)
    b.now_ms += 50
    assert end(b, half, COMMIT).code == 0
    (message,) = b.records("T", 1)
    assert (message.body, message.sys_flag, message.prepared_offset) == (b"half", 8, half.physical_offset)
    assert (message.born_time_ms, message.born_host) == (half.born_time_ms, half.born_host)
    assert message.store_time_ms == b.now_ms
    assert message.properties == half.properties
    (op,) = b.records(OP)
    assert (op.body, op.properties, op.born_host) == (b"0", {"WAIT": "true", "TAGS": "d"}, op.store_host)
    b.advance(600_000)
    assert len(b.records(HALF)) == 1, "never asked about"


def test_a_commit_wakes_a_held_pull(bench: type[Bench]) -> None:
    b = bench()
    prepare(b)
    held = b.begin(11, b.pull_fields("T", 1, sysFlag=6), conn=2)
    assert b.answer(held, 2) is None
    end(b, b.records(HALF)[0], COMMIT)
    assert b.answer(held, 2).code == 0


def test_a_rollback_leaves_nothing(bench: type[Bench]) -> None:
    b = bench()
    produce(b)
    prepare(b)
    answer = end(b, b.records(HALF)[0], ROLLBACK)
    assert (answer.code, answer.remark) == (0, "not set any response code")
    assert len(b.records(OP)) == 1
    b.advance(600_000)
    assert b.bodies("T", 1) == []
    assert checks(b) == []


def test_two_commits_make_two_messages_as_in_rocketmq(bench: type[Bench]) -> None:
    b = bench()
    prepare(b)
    (half,) = b.records(HALF)
    assert [end(b, half, decision).code for decision in (ROLLBACK, COMMIT, COMMIT)] == [0, 0, 0]
    assert len(b.records("T", 1)) == 2


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        ({"producerGroup": "OTHER"}, "The producer group wrong"),
        ({"tranStateTableOffset": 9}, "The transaction state table offset wrong"),
        ({"commitLogOffset": 1 << 40}, "Find prepared transaction message failed"),
        ({"commitLogOffset": -1}, "Find prepared transaction message failed"),
        ({"commitOrRollback": 4}, "commitOrRollback field wrong"),
        ({"commitOrRollback": "x"}, "not a number"),
    ],
)
def test_refusals_change_nothing(bench: type[Bench], change: dict[str, Any], remark: str) -> None:
    b = bench()
    prepare(b)
    answer = end(b, b.records(HALF)[0], COMMIT, **change)
    assert answer.code == 1
    assert remark in answer.remark
    assert (b.records(OP), b.records("T", 1)) == ([], [])


def test_the_record_of_another_message_is_no_half_message(bench: type[Bench]) -> None:
    b = bench()
    b.send("T", b"plain", properties={"PGROUP": "P"})
    answer = end(b, b.records("T")[0], COMMIT)
    assert (answer.code, "names no topic" in answer.remark) == (1, True)
    assert len(b.records("T")) == 1


def test_unknown_is_never_answered(bench: type[Bench]) -> None:
    b = bench()
    prepare(b)
    (half,) = b.records(HALF)
    fields = {"producerGroup": "P", "tranStateTableOffset": 0, "commitLogOffset": half.physical_offset}
    opaque = b.begin(37, fields | {"commitOrRollback": UNKNOWN})
    assert b.answer(opaque) is None
    assert b.records(OP) == []


def test_a_oneway_commit_works_in_silence(bench: type[Bench]) -> None:
    b = bench()
    prepare(b)
    (half,) = b.records(HALF)
    fields = {"producerGroup": "P", "tranStateTableOffset": 0, "commitLogOffset": half.physical_offset}
    opaque = b.begin(37, fields | {"commitOrRollback": COMMIT}, flag=FLAG_ONEWAY)
    assert b.answer(opaque) is None
    assert len(b.records("T", 1)) == 1


def test_transactions_can_be_refused_and_do_not_come_in_batches(bench: type[Bench]) -> None:
    b = bench(rejectTransactionMessage=True)
    answer = prepare(b)
    assert (answer.code, "transaction" in answer.remark) == (16, True)
    b = bench()
    answer = b.ask(320, b.send_fields("T", f=4), b"")
    assert answer.code == 13
    assert b.records(HALF) == []


def test_a_slave_ends_no_transactions(bench: type[Bench]) -> None:
    b = bench(brokerId=1, brokerRole="SLAVE")
    fields = {"producerGroup": "P", "tranStateTableOffset": 0, "commitLogOffset": 0, "commitOrRollback": COMMIT}
    assert b.ask(37, fields).code == 11


def test_fifteen_checks_and_then_it_is_given_up(bench: type[Bench]) -> None:
    b = bench()
    produce(b)
    sent_ms = b.now_ms
    prepare(b)
    asked: list[tuple[int, str]] = []
    for _ in range(20):
        b.advance(60_000)
        produce(b)
        for command in checks(b):
            record = decode_record(command.body)
            assert (record.topic, record.queue_id, record.body) == ("T", 1, b"half")
            assert record.queue_offset == int(command.fields["tranStateTableOffset"])
            assert record.physical_offset == int(command.fields["commitLogOffset"])
            assert record.offset_message_id == command.fields["offsetMsgId"]
            assert command.fields["msgId"] == command.fields["transactionId"] == "u1"
            assert command.is_oneway
            asked.append(((b.now_ms - sent_ms) // 60_000, record.properties["TRANSACTION_CHECK_TIMES"]))
    assert asked == [(minute, str(minute)) for minute in range(1, 16)]
    (given_up,) = b.records(GIVEN_UP)
    assert given_up.properties["TRANSACTION_CHECK_TIMES"] == "15"
    assert b.bodies("T", 1) == []
    assert len(b.records(HALF)) == 16


def test_the_answer_to_a_check_settles_the_copy(bench: type[Bench]) -> None:
    b = bench()
    produce(b)
    prepare(b)
    b.advance(60_000)
    (command,) = checks(b)
    copy = decode_record(command.body)
    assert end(b, copy, COMMIT, fromTransactionCheck="true").code == 0
    (message,) = b.records("T", 1)
    assert message.prepared_offset == copy.physical_offset
    assert message.properties["TRANSACTION_CHECK_TIMES"] == "1"
    b.advance(300_000)
    assert checks(b) == []
    assert len(b.records(HALF)) == 2


def test_a_young_message_waits_and_nobody_there_counts_as_asked(bench: type[Bench]) -> None:
    b = bench(transactionCheckInterval=5000)
    b.advance(4000)
    prepare(b)
    b.advance(1000)
    assert len(b.records(HALF)) == 1, "1 s old: younger than transactionTimeOut"
    b.advance(5000)
    assert len(b.records(HALF)) == 2, "11 s old: asked about, but nobody heard"
    produce(b)
    b.advance(5000)
    assert [command.fields["msgId"] for command in checks(b)] == ["u1"]


def test_a_round_of_checks_lets_everything_else_go_on(bench: type[Bench]) -> None:
    b = bench()
    produce(b)
    halves = SLICE + 2
    for number in range(halves):
        prepare(b, f"u{number}")
    wanted = [f"u{number}" for number in range(halves)]
    del wanted[SLICE]
    for minute in range(1, 4):
        produce(b)
        b.advance(minute * 60_000 - (b.now_ms - 1_700_000_000_000))
        asked = [command.fields["msgId"] for command in checks(b)]
        assert len(asked) == SLICE, "one slice at once"
        if minute == 1:
            _, late = b.records(HALF)[SLICE - 1 : SLICE + 1]
            assert end(b, late, ROLLBACK).code == 0, "settled while the round goes on"
        b.advance(SLICE_PAUSE_MS - 1)
        assert checks(b) == []
        b.advance(1)
        asked += [command.fields["msgId"] for command in checks(b)]
        assert asked == wanted, "each once, the earliest first"


def test_a_clock_that_is_set_back_holds_up_no_round(bench: type[Bench]) -> None:
    b = bench()
    produce(b)
    for number in range(SLICE + 1):
        prepare(b, f"u{number}")
    b.advance(60_000)
    assert len(checks(b)) == SLICE
    b.now_ms -= 3_600_000
    b.carry(b.core.tick(b.now_ms))
    assert len(checks(b)) == 1


def test_only_producers_of_its_group_are_asked(bench: type[Bench]) -> None:
    b = bench()
    b.ask(34, body=b'{"clientID":"q","producerDataSet":[{"groupName":"Q"}]}', conn=3)
    prepare(b)
    b.advance(60_000)
    assert checks(b) == []


def test_immunity_counts_rounds_and_asks_nobody(bench: type[Bench]) -> None:
    b = bench()
    produce(b)
    prepare(b, CHECK_IMMUNITY_TIME_IN_SECONDS="100")
    b.advance(60_000)
    assert checks(b) == []
    copy = b.records(HALF)[-1]
    kept = {name: copy.properties[name] for name in ("TRAN_PREPARED_QUEUE_OFFSET", "TRANSACTION_CHECK_TIMES", "WAIT")}
    assert kept == {"TRAN_PREPARED_QUEUE_OFFSET": "0", "TRANSACTION_CHECK_TIMES": "1", "WAIT": "false"}
    b.advance(60_000)
    (command,) = checks(b)
    assert decode_record(command.body).properties["TRANSACTION_CHECK_TIMES"] == "2"


def test_a_commit_of_the_first_copy_settles_what_immunity_stored_again(bench: type[Bench]) -> None:
    b = bench()
    produce(b)
    prepare(b, CHECK_IMMUNITY_TIME_IN_SECONDS="100")
    (first,) = b.records(HALF)
    b.advance(60_000)
    assert len(b.records(HALF)) == 2
    assert end(b, first, COMMIT).code == 0
    b.advance(300_000)
    assert checks(b) == []
    assert len(b.records("T", 1)) == 1


def test_a_given_up_message_can_be_resumed(bench: type[Bench]) -> None:
    b = bench(transactionCheckMax=1)
    produce(b)
    prepare(b)
    b.advance(120_000)
    (given_up,) = b.records(GIVEN_UP)
    checks(b)
    assert b.ask(323, {"msgId": given_up.offset_message_id}).code == 0
    produce(b)
    b.advance(60_000)
    (command,) = checks(b)
    assert decode_record(command.body).properties["TRANSACTION_CHECK_TIMES"] == "1"


@pytest.mark.parametrize("wanted", ["", "zz", "plain"])
def test_only_half_messages_are_resumed(bench: type[Bench], wanted: str) -> None:
    b = bench()
    prepare(b)
    msg_id = b.send("T").fields["msgId"] if wanted == "plain" else wanted
    assert b.ask(323, {"msgId": msg_id}).code == 1
    assert len(b.records(HALF)) == 1


@pytest.mark.parametrize("how", [{"clean": True}, {}, {"power": True}])
def test_what_is_open_is_known_after_a_restart(bench: type[Bench], how: dict[str, bool]) -> None:
    b = bench()
    produce(b)
    for key in ("u1", "u2", "u3"):
        prepare(b, key)
    committed, rolled_back, undecided = b.records(HALF)
    end(b, committed, COMMIT)
    end(b, rolled_back, ROLLBACK)
    b.flush()
    b.restart(**how)
    assert b.broker.state.transactions.open.keys() == {undecided.queue_offset}
    produce(b)
    b.advance(60_000)
    assert [command.fields["msgId"] for command in checks(b)] == ["u3"]
    assert len(b.records("T", 1)) == 1


def test_progress_passes_what_is_settled(bench: type[Bench]) -> None:
    b = bench()
    for number in range(5):
        prepare(b, f"u{number}")
    for half in b.records(HALF)[:3]:
        end(b, half, COMMIT)
    b.advance(60_000)
    offsets = {
        topic: b.ask(14, {"consumerGroup": "CID_RMQ_SYS_TRANS", "topic": topic, "queueId": 0}) for topic in (HALF, OP)
    }
    assert offsets[HALF].fields["offset"] == "5", "the copies of the two open ones"
    assert offsets[OP].fields["offset"] == "3"
    b.restart(clean=True)
    assert len(b.broker.state.transactions.open) == 2


def test_a_half_message_with_a_delay_is_scheduled_as_in_rocketmq(bench: type[Bench]) -> None:
    b = bench()
    prepare(b, DELAY="1")
    assert b.records(HALF) == []
    assert b.records("SCHEDULE_TOPIC_XXXX")[0].properties["REAL_TOPIC"] == HALF
