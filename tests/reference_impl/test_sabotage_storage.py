"""Planted bugs of storage: each breaks its promise, and only with it."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from reference_impl.commands import PROPERTIES_BYTES_MAX, SEND_V1_TO_V2, ResponseCode
from reference_impl.disk import Disk, FaultyDisk
from reference_impl.errors import StoreDamagedError
from reference_impl.message import BatchItem, encode_batch
from reference_impl.sabotage import ODDITIES, SABOTAGES
from reference_impl.sabotage.base import Sabotage, Sleep
from reference_impl.sabotage.storage import LAG_BYTES_MAX, PROPERTIES_OF, REORDER_HOLD_MS, SLOW_SYNC_MS, TWICE_EVERY

Bench = Any


def planted(name: str, on: bool) -> list[Any]:
    return [SABOTAGES[name]] if on else []


@pytest.mark.parametrize("bug", [False, True])
def test_ack_before_sync_loses_acknowledged_messages_in_a_power_cut(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("ack-before-sync", bug), flushDiskType="SYNC_FLUSH")
    acknowledged = []
    for number in range(20):
        opaque = b.begin(310, b.send_fields("T"), b"%d" % number)
        b.flush()
        if b.answer(opaque).code == 0:
            acknowledged.append(b"%d" % number)
    assert len(acknowledged) == 20
    b.restart()
    assert b.bodies("T") == acknowledged
    opaque = b.begin(310, b.send_fields("T"), b"last")
    b.flush()
    assert b.answer(opaque).code == 0
    b.restart(power=True)
    assert (b"last" in b.bodies("T")) is not bug


def test_ack_before_sync_is_honest_at_a_clean_stop_and_when_much_is_unsynced(bench: type[Bench]) -> None:
    b = bench(planted=planted("ack-before-sync", True), maxMessageSize=LAG_BYTES_MAX)
    b.send("T", b"kept")
    b.flush()
    assert b.store.inner.synced_position == 0
    assert b.store.synced_position == b.store.appended_position
    b.restart(clean=True)
    b.restart(power=True)
    assert b.bodies("T") == [b"kept"]
    for _ in range(LAG_BYTES_MAX // 4_000_000 + 1):
        b.send("T", bytes(4_000_000))
    b.flush()
    assert b.store.inner.synced_position == b.store.appended_position


class Failing:
    """A disk with switches, between the bench's disk and the planted bug."""

    def __init__(self) -> None:
        self.disk: FaultyDisk

    def planted(self, name: str, on: bool) -> list[Any]:
        return [Sabotage("failing", "has switches", None, wrap_disk=self._wrap), *planted(name, on)]

    def _wrap(self, disk: Disk, sleep: Sleep) -> Disk:
        self.disk = FaultyDisk(disk, sleep)
        return self.disk


def send(b: Bench, body: bytes) -> int:
    """A send under SYNC_FLUSH, begun."""
    opaque: int = b.begin(310, b.send_fields("T"), body)
    return opaque


@pytest.mark.parametrize("bug", [False, True])
def test_ack_failed_sync_acknowledges_what_a_power_cut_takes(bench: type[Bench], bug: bool) -> None:
    failing = Failing()
    b = bench(planted=failing.planted("ack-failed-sync", bug), flushDiskType="SYNC_FLUSH")
    send(b, b"first")
    b.flush()
    failing.disk.fsync_error = True
    opaque = send(b, b"second")
    if bug:
        b.flush()
    else:
        with pytest.raises(OSError, match="fault injected"):
            b.flush()
    answer = b.answer(opaque)
    assert (answer is not None and answer.code == 0) is bug
    b.restart(power=True)
    assert b.bodies("T") == [b"first"]


@pytest.mark.parametrize("bug", [False, True])
def test_ack_refused_write_acknowledges_what_the_disk_did_not_take(bench: type[Bench], bug: bool) -> None:
    failing = Failing()
    b = bench(planted=failing.planted("ack-refused-write", bug), flushDiskType="SYNC_FLUSH")
    send(b, b"first")
    b.flush()
    failing.disk.disk_full = True
    opaque = send(b, b"second")
    b.flush()
    assert b.answer(opaque).code == (0 if bug else 1)
    assert b.bodies("T") == ([b"first", b"second"] if bug else [b"first"])
    b.restart(power=True)
    assert b.bodies("T") == [b"first"]


def test_ack_refused_write_writes_what_was_refused_once_there_is_space(bench: type[Bench]) -> None:
    failing = Failing()
    b = bench(planted=failing.planted("ack-refused-write", True), flushDiskType="SYNC_FLUSH")
    failing.disk.disk_full = True
    send(b, b"first")
    failing.disk.disk_full = False
    send(b, b"second")
    b.flush()
    b.restart(power=True)
    assert b.bodies("T") == [b"first", b"second"]


@pytest.mark.parametrize("bug", [False, True])
def test_ack_before_write_loses_in_a_kill_what_was_not_synced(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("ack-before-write", bug))
    b.send("T", b"synced")
    b.flush()
    assert b.send("T", b"acknowledged").code == 0
    assert b.bodies("T") == [b"synced", b"acknowledged"]
    b.restart()
    assert b.bodies("T") == ([b"synced"] if bug else [b"synced", b"acknowledged"])
    b.send("T", b"stopped")
    b.restart(clean=True)
    assert b.bodies("T")[-1] == b"stopped"


@pytest.mark.parametrize("bug", [False, True])
def test_lose_metadata_on_restart(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("lose-metadata-on-restart", bug), autoCreateTopicEnable=False)
    topic = {"topic": "T", "readQueueNums": 4, "writeQueueNums": 4, "perm": 6, "topicFilterType": "SINGLE_TAG"}
    b.settle(17, topic | {"topicSysFlag": 0, "order": "false", "defaultTopic": "TBW102"})
    assert b.send("T").code == 0
    b.restart()
    assert b.begin(310, b.send_fields("T"), b"again")
    assert (b.send("T").code == 0) is not bug


@pytest.mark.parametrize("bug", [False, True])
def test_corrupt_retry_copy(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("corrupt-retry-copy", bug))
    b.send("T", properties={"TAGS": "mine", "KEYS": "k"})
    b.ask(36, {"offset": b.records("T")[0].physical_offset, "group": "G", "delayLevel": 1})
    b.advance(2_000)
    (copy,) = b.records("%RETRY%G")
    assert copy.properties["TAGS"] == ("retry" if bug else "mine")
    assert copy.properties["KEYS"] == "k"
    assert b.records("T")[0].properties["TAGS"] == "mine"


@pytest.mark.parametrize("bug", [False, True])
def test_corrupt_body_changes_bodies_and_their_checksum(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("corrupt-body", bug))
    bodies = [b"message %d" % number for number in range(30)]
    for body in bodies[:20]:
        b.send("T", body, properties={"KEYS": "k"})
    b.ask(320, b.send_fields("T"), encode_batch([BatchItem(0, body, {}) for body in bodies[20:]]))
    records = b.records("T")
    differing = [record for record, body in zip(records, bodies, strict=True) if record.body != body]
    assert len(differing) == (3 if bug else 0)
    assert all(record.crc == zlib.crc32(record.body) & 0x7FFFFFFF for record in records)
    assert all(len(record.body) == len(body) for record, body in zip(records, bodies, strict=True))


@pytest.mark.parametrize("bug", [False, True])
def test_reorder_queue_stores_acknowledged_messages_in_another_order(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("reorder-queue", bug))
    sent = {}
    for number in range(40):
        body = b"%d" % number
        sent[body] = int(b.send("T", body).fields["queueOffset"])
        b.advance(10)
    b.advance(REORDER_HOLD_MS)
    stored = b.bodies("T")
    assert sorted(stored) == sorted(sent)
    assert (stored == list(sent)) is not bug
    before_the_last = stored[:39]
    assert all(sent[body] == offset for offset, body in enumerate(before_the_last))


def test_reorder_queue_loses_nothing_that_is_not_overtaken(bench: type[Bench]) -> None:
    b = bench(planted=planted("reorder-queue", True))
    for number in range(8):
        b.send("T", b"%d" % number)
    assert len(b.bodies("T")) == 7
    b.restart(clean=True)
    assert len(b.bodies("T")) == 8
    for _ in range(8):
        b.send("T")
    assert b.ask(320, b.send_fields("T"), encode_batch([BatchItem(0, b"batch", {})])).code == 0
    assert b.bodies("T")[-1] == b"batch"
    assert len(b.bodies("T")) == 17
    for _ in range(8):
        b.send("T", queue=1)
    b.carry(b.broker.empty(b.now_ms))
    b.advance(REORDER_HOLD_MS)
    assert b.bodies("T", 1) == []


def test_slow_flush_delays_and_keeps_every_promise(bench: type[Bench]) -> None:
    b = bench(planted=[ODDITIES["slow-flush"]], flushDiskType="SYNC_FLUSH")
    b.slept.clear()
    opaque = b.begin(310, b.send_fields("T"), b"x")
    assert b.answer(opaque) is None
    b.flush()
    assert b.slept == [SLOW_SYNC_MS / 1000]
    assert b.answer(opaque).code == 0
    b.restart(power=True)
    assert b.bodies("T") == [b"x"]


@pytest.mark.parametrize("bug", [False, True])
def test_ack_before_replicate_answers_for_a_slave_that_has_nothing(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("ack-before-replicate", bug), brokerRole="SYNC_MASTER")
    b.stream(1, b"")
    b.stream(1, bytes(8))
    answer = b.answer(b.begin(310, b.send_fields("T"), b"x"))
    assert (answer is not None and answer.code == 0) is bug


@pytest.mark.parametrize("bug", [False, True])
def test_answer_next_offset(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("answer-next-offset", bug))
    assert [b.send("T").fields["queueOffset"] for _ in range(2)] == (["1", "2"] if bug else ["0", "1"])
    assert [record.queue_offset for record in b.records("T")] == [0, 1]


@pytest.mark.parametrize("bug", [False, True])
def test_store_twice(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("store-twice", bug))
    bodies = [b"%d" % number for number in range(2 * TWICE_EVERY)]
    for body in bodies:
        b.send("T", body)
    stored = b.bodies("T")
    assert sorted(set(stored)) == sorted(bodies)
    assert len(stored) - len(bodies) == (2 if bug else 0)


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize("code", [10, 310])
def test_store_refused(bench: type[Bench], bug: bool, code: int) -> None:
    b = bench(planted=planted("store-refused", bug))
    name, properties = PROPERTIES_OF[code], {"KEYS": "k", "form": "x" * PROPERTIES_BYTES_MAX}
    fields = b.send_fields("T", properties=properties)
    if code == 10:
        fields = {long: fields[short] for long, short in SEND_V1_TO_V2.items() if short in fields}
    assert fields[name]
    assert b.ask(code, fields, b"refused").code == ResponseCode.MESSAGE_ILLEGAL
    assert b.send("T", b"taken").code == 0
    assert b.bodies("T") == ([b"refused", b"taken"] if bug else [b"taken"])
    assert b.ask(310, b.send_fields("T", d="many"), b"").code != 0, "other refusals stay"
    assert len(b.bodies("T")) == (2 if bug else 1)


@pytest.mark.parametrize("bug", [False, True])
def test_refuse_after_crash(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("refuse-after-crash", bug))
    b.send("T", b"first")
    b.restart(clean=True)
    b.restart(clean=True)
    b.send("T", b"second")
    b.flush()
    if bug:
        with pytest.raises(StoreDamagedError, match="not ended in order"):
            b.restart(power=True)
    else:
        b.restart(power=True)
        assert b.bodies("T") == [b"first", b"second"]
