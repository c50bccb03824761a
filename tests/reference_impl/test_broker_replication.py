"""Masters and slaves as whole brokers: acknowledgements, reads and refusals of a slave, tables, addresses.

Clauses: rep-sync-ack, rep-slave-missing, rep-slave-slow, rep-offset-same, rep-slave-read, rep-redirect, rep-meta.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_impl.effects import StreamClose
from tests.reference_impl.pairs import HA, MASTER, Pair


@pytest.fixture
def pair(bench: Any) -> Pair:
    made = Pair(bench)
    made.connect()
    made.tables()
    return made


def test_without_a_slave_a_send_is_stored_and_answered_11_at_once(bench: Any) -> None:
    master = bench(brokerRole="SYNC_MASTER")
    assert master.send("T").code == 11
    assert master.send("T", i="WAIT\x01false").code == 0
    assert master.bodies("T") == [b"hello", b"hello"]
    assert master.begin(310, master.send_fields("T"), b"x", flag=2)


def test_a_send_is_answered_when_a_slave_has_it(pair: Pair) -> None:
    opaque = pair.master.begin(310, pair.master.send_fields("T"), b"x")
    assert pair.master.answer(opaque) is None
    pair.to_slave()
    assert pair.slave.bodies("T") == [b"x"]
    assert pair.master.answer(opaque) is None
    pair.to_master()
    assert pair.master.answer(opaque).code == 0
    assert pair.slave.records("T") == pair.master.records("T")


def test_a_slave_that_is_late_means_12_and_the_message_is_kept(pair: Pair) -> None:
    opaque = pair.master.begin(310, pair.master.send_fields("T"), b"x")
    pair.master.advance(2_999)
    assert pair.master.answer(opaque) is None
    pair.master.advance(1)
    assert pair.master.answer(opaque).code == 12
    pair.carry()
    assert pair.slave.bodies("T") == pair.master.bodies("T") == [b"x"]


def test_a_slave_that_is_far_behind_is_not_waited_for(bench: Any) -> None:
    pair = Pair(bench, {"haSlaveFallbehindMax": 1_000})
    pair.connect()
    opaque = pair.master.begin(310, pair.master.send_fields("T"), b"x")
    assert pair.master.answer(opaque) is None
    assert pair.master.send("T", b"y" * 1_000).code == 11
    pair.carry()
    assert pair.master.answer(opaque).code == 0


@pytest.mark.parametrize("slave_first", [True, False])
def test_sync_flush_and_sync_master_wait_for_both(bench: Any, slave_first: bool) -> None:
    pair = Pair(bench, {"flushDiskType": "SYNC_FLUSH"})
    pair.connect()
    opaque = pair.master.begin(310, pair.master.send_fields("T"), b"x")
    for step in (pair.carry, pair.master.flush) if slave_first else (pair.master.flush, pair.carry):
        assert pair.master.answer(opaque) is None
        step()
    assert pair.master.answer(opaque).code == 0
    alone = bench(brokerRole="SYNC_MASTER", flushDiskType="SYNC_FLUSH")
    opaque = alone.begin(310, alone.send_fields("T"), b"x")
    assert alone.answer(opaque) is None
    alone.flush()
    assert alone.answer(opaque).code == 11


def test_a_stranger_acknowledges_nothing(bench: Any) -> None:
    master = bench(brokerRole="SYNC_MASTER")
    master.stream(1, b"")
    master.stream(1, bytes(8))
    opaque = master.begin(310, master.send_fields("T"), b"x")
    (closed,) = [effect for effect in master.stream(1, b"\x00" * 6 + b"\x7f" * 10) if isinstance(effect, StreamClose)]
    assert "reports" in closed.reason
    assert master.answer(opaque) is None
    master.advance(3_000)
    assert master.answer(opaque).code == 12


def test_an_async_master_waits_for_nobody(bench: Any) -> None:
    pair = Pair(bench, {"brokerRole": "ASYNC_MASTER"})
    assert pair.master.send("T").code == 0
    pair.connect()
    assert pair.slave.bodies("T") == [b"hello"]


def test_a_slave_takes_nothing_from_clients(pair: Pair) -> None:
    before = pair.slave.store.appended_position
    for code in (10, 310, 320):
        refused = pair.slave.ask(code, pair.slave.send_fields("T2"), b"x")
        assert refused.code == 14
        assert "messages are put to the slave" in refused.remark
    back = pair.slave.ask(36, {"offset": 0, "group": "G", "delayLevel": 0})
    assert (back.code, back.remark) == (1, "SERVICE_NOT_AVAILABLE")
    for code in (17, 215, 200, 207):
        assert "from slave broker" in pair.slave.ask(code, {"topic": "X"}, b"{}").remark
    end = {"producerGroup": "P", "tranStateTableOffset": 0, "commitLogOffset": 0, "commitOrRollback": 8}
    assert pair.slave.ask(37, end).code == 11
    assert pair.slave.store.appended_position == before
    assert pair.slave.broker.state.topics.get("T2") is None


def test_a_slave_serves_reads_and_corrects_no_offsets(pair: Pair) -> None:
    pair.master.begin(310, pair.master.send_fields("T"), b"x")
    pair.carry()
    pair.slave.advance(10_000)
    pair.tables()
    found = pair.slave.pull("T")
    assert (found.code, found.fields["suggestWhichBrokerId"]) == (0, "0")
    assert pair.slave.pull("T", offset=1).code == 19
    for offset in (5, -1):
        moved = pair.slave.pull("T", offset=offset)
        assert (moved.code, moved.fields["nextBeginOffset"]) == (20, str(offset))
    pair.slave.pull("T", sysFlag=5, commitOffset=1)
    assert pair.slave.ask(14, {"consumerGroup": "G", "topic": "T", "queueId": 0}).fields["offset"] == "0"


def test_a_slave_that_checks_offsets_corrects_them(bench: Any) -> None:
    pair = Pair(bench, {"brokerRole": "ASYNC_MASTER"}, {"offsetCheckInSlave": True})
    pair.master.send("T")
    pair.connect()
    pair.tables()
    moved = pair.slave.pull("T", offset=5)
    assert (moved.code, moved.fields["nextBeginOffset"]) == (21, "1")


def test_a_held_pull_of_a_slave_wakes(pair: Pair) -> None:
    pair.master.begin(310, pair.master.send_fields("T"), b"x")
    pair.carry()
    pair.slave.advance(10_000)
    pair.tables()
    opaque = pair.slave.begin(11, pair.slave.pull_fields("T", offset=1, sysFlag=6, suspendTimeoutMillis=60_000))
    assert pair.slave.answer(opaque) is None
    pair.master.begin(310, pair.master.send_fields("T"), b"y")
    pair.carry()
    assert pair.slave.answer(opaque).code == 0


def test_a_pull_far_behind_is_sent_to_a_slave_where_slaves_may_be_read(bench: Any) -> None:
    for settings, wanted in (
        ({"slaveReadEnable": True, "physical_memory_bytes": 2_000}, "1"),
        ({"slaveReadEnable": True, "physical_memory_bytes": 1 << 30}, "0"),
        ({"slaveReadEnable": False, "physical_memory_bytes": 2_000}, "0"),
    ):
        master = bench(**settings)
        for _ in range(20):
            master.send("T", b"x" * 100)
        far, near = master.pull("T", maxMsgNums=1), master.pull("T", offset=19)
        assert (far.fields["suggestWhichBrokerId"], near.fields["suggestWhichBrokerId"]) == (wanted, "0")


def test_tables_reach_the_slave(pair: Pair) -> None:
    master, slave = pair.master, pair.slave
    master.ask(200, body=json.dumps({"groupName": "G2", "retryMaxTimes": 3}).encode())
    master.begin(
        17, {"topic": "T2", "readQueueNums": 3, "writeQueueNums": 3, "perm": 6, "topicFilterType": "SINGLE_TAG"}
    )
    master.ask(15, {"consumerGroup": "G", "topic": "T2", "queueId": 1, "commitOffset": 77})
    master.broker.state.schedule.offsets[3] = 5
    slave.advance(10_000)
    assert pair.tables() == [21, 43, 45, 201]
    for code in (21, 43, 45, 201):
        assert slave.ask(code).body == master.ask(code).body
    slave.restart(clean=True)
    for code in (21, 43, 45, 201):
        assert slave.ask(code).body == master.ask(code).body


def test_a_master_that_answers_nonsense_changes_nothing(pair: Pair) -> None:
    before = [pair.slave.ask(code).body for code in (21, 43, 45, 201)]
    pair.slave.advance(10_000)
    calls = [call for call in pair.slave.calls if call.address == MASTER]
    assert len(calls) == 4
    for body in (
        b"",
        b"[]",
        b'{"topicConfigTable":5,"dataVersion":{"timestamp":1,"counter":1},"offsetTable":{"a@b":1}}',
    ):
        for call in calls:
            pair.slave.carry(pair.slave.core.response(pair.slave.now_ms, call.token, call.command.reply(0, {}, body)))
    assert [pair.slave.ask(code).body for code in (21, 43, 45, 201)] == before


def test_a_slave_delivers_and_asks_nothing_itself(bench: Any) -> None:
    pair = Pair(bench, {"brokerRole": "ASYNC_MASTER"})
    pair.master.send("T", properties={"DELAY": "1"})
    pair.connect()
    pair.slave.advance(10_000)
    assert pair.slave.store.appended_position == pair.master.store.appended_position
    pair.master.advance(2_000)
    pair.carry()
    assert pair.slave.bodies("T") == [b"hello"]


def test_the_property_beats_what_the_nameservers_say(bench: Any) -> None:
    slave = bench(brokerRole="SLAVE", brokerId=1, haMasterAddress="10.0.0.8:1")
    (opened,) = slave.streamed
    assert opened.address == "10.0.0.8:1"
    slave.answer_calls(fields={"haServerAddr": HA, "masterAddr": MASTER})
    assert slave.streamed == [opened]
    assert {call.address for call in slave.calls} == {MASTER}


def test_a_slave_has_no_slaves(pair: Pair) -> None:
    (closed,) = pair.slave.stream(9, b"")
    assert isinstance(closed, StreamClose)
    assert pair.slave.stream(9, bytes(8)) == []
