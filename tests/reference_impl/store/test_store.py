from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reference_impl.disk import MemoryDisk, RealDisk
from reference_impl.errors import RecordError, RecordTooLargeError, StoreBusyError
from reference_impl.message import Message, decode_record, encode_record, java_hash, peek_record
from reference_impl.store import Store
from reference_impl.store.reads import SCANNED_MESSAGES

Make = Callable[..., Message]
Bodies = Callable[[Store], dict[tuple[str, int], list[bytes]]]
HOST = ("127.0.0.1", 10911)
RNG = random.Random(9)


@pytest.fixture(params=["memory", "real"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    disk = MemoryDisk() if request.param == "memory" else RealDisk(tmp_path)
    store = Store.open(disk, commit_log_file_bytes=4096)
    yield store
    store.close()
    disk.close()


def offsets(records: bytes) -> list[int]:
    found, at = [], 0
    while at < len(records):
        found.append(decode_record(records, at).queue_offset)
        at += peek_record(records, at)[0]
    return found


def test_what_is_appended_is_read(store: Store, make_message: Make) -> None:
    first = store.append(make_message(b"one", tags="A"), 5_000, HOST)
    second = store.append(make_message(b"two"), 5_001, HOST)
    assert (first.queue_offset, first.physical_offset, first.end_position) == (0, 0, first.size)
    assert (second.queue_offset, second.physical_offset) == (1, first.end_position)
    assert store.appended_position == second.end_position
    answer = store.read("orders", 0, 0, 32)
    assert (answer.status, answer.count, answer.next_offset) == ("FOUND", 2, 2)
    assert (answer.min_offset, answer.max_offset) == (0, 2)
    record = decode_record(answer.records)
    assert (record.body, record.store_time_ms, record.store_host, record.size) == (b"one", 5_000, HOST, first.size)
    assert (record.topic, record.properties["TAGS"], record.physical_offset) == ("orders", "A", 0)


def test_queues_have_offsets_of_their_own(store: Store, make_message: Make, read_bodies: Bodies) -> None:
    for number in range(60):
        store.append(make_message(b"%d" % number, topic="ab"[number % 2], queue_id=number % 3), 1, HOST)
    expected = {
        (topic, queue): [b"%d" % n for n in range(60) if "ab"[n % 2] == topic and n % 3 == queue]
        for topic in "ab"
        for queue in range(3)
    }
    assert read_bodies(store) == expected
    assert sorted(store.queues()) == sorted(expected)
    assert store.max_offset("a", 0) == 10


@pytest.mark.parametrize(
    ("offset", "status", "following"),
    [
        (-1, "OFFSET_TOO_SMALL", 0),
        (3, "OFFSET_OVERFLOW_ONE", 3),
        (4, "OFFSET_OVERFLOW_BADLY", 3),
        (2**62, "OFFSET_OVERFLOW_BADLY", 3),
    ],
)
def test_offsets_outside_the_queue(store: Store, make_message: Make, offset: int, status: str, following: int) -> None:
    for _ in range(3):
        store.append(make_message(), 1, HOST)
    answer = store.read("orders", 0, offset, 32)
    assert (answer.status, answer.next_offset, answer.count, answer.records) == (status, following, 0, b"")
    assert (answer.min_offset, answer.max_offset) == (0, 3)


@pytest.mark.parametrize("offset", [-1, 0, 7])
def test_a_queue_without_messages(store: Store, offset: int) -> None:
    answer = store.read("orders", 0, offset, 32)
    assert (answer.status, answer.next_offset, answer.max_offset) == ("NO_MESSAGE_IN_QUEUE", 0, 0)
    assert (store.min_offset("orders", 0), store.max_offset("orders", 0)) == (0, 0)
    assert (store.offset_by_time("orders", 0, 5), store.earliest_time("orders", 0)) == (0, -1)
    assert list(store.queues()) == []


def test_a_read_ends_at_its_number_of_messages_and_of_bytes(store: Store, make_message: Make) -> None:
    sizes = [store.append(make_message(b"x" * 100), 1, HOST).size for _ in range(10)]
    assert offsets(store.read("orders", 0, 2, 3).records) == [2, 3, 4]
    assert store.read("orders", 0, 2, 3).next_offset == 5
    assert offsets(store.read("orders", 0, 0, 32, sizes[0] * 2).records) == [0, 1]
    assert offsets(store.read("orders", 0, 0, 32, sizes[0] * 2 - 1).records) == [0]
    assert offsets(store.read("orders", 0, 0, 32, 1).records) == [0]
    assert offsets(store.read("orders", 0, 8, 0).records) == [8]


def test_a_filter_chooses_by_the_hash_of_the_tags(store: Store, make_message: Make) -> None:
    for tags in ("A", "B", "", "A", "C"):
        store.append(make_message(tags=tags), 1, HOST)
    answer = store.read("orders", 0, 0, 32, accept=lambda code: code == java_hash("A"))
    assert (answer.status, offsets(answer.records), answer.next_offset) == ("FOUND", [0, 3], 5)
    answer = store.read("orders", 0, 0, 1, accept=lambda code: code == java_hash("A"))
    assert (offsets(answer.records), answer.next_offset) == ([0], 1)
    answer = store.read("orders", 0, 1, 32, accept=lambda code: code == 0)
    assert offsets(answer.records) == [2]
    answer = store.read("orders", 0, 1, 32, accept=lambda code: code == java_hash("Z"))
    assert (answer.status, answer.records, answer.next_offset) == ("NO_MATCHED_MESSAGE", b"", 5)


def test_a_filtered_read_looks_at_a_limited_number_of_messages(make_message: Make) -> None:
    store = Store.open(MemoryDisk())
    for _ in range(SCANNED_MESSAGES + 5):
        store.append(make_message(), 1, HOST)
    answer = store.read("orders", 0, 0, 32, accept=lambda code: code == 7)
    assert (answer.status, answer.next_offset) == ("NO_MATCHED_MESSAGE", SCANNED_MESSAGES)


def test_scattered_records_are_read_like_close_ones(store: Store, make_message: Make) -> None:
    for number in range(40):
        store.append(make_message(b"%d" % number), 1, HOST)
        for other in range(number % 7):
            store.append(make_message(b"y" * 50, queue_id=1 + other), 1, HOST)
    assert offsets(store.read("orders", 0, 0, 40).records) == list(range(40))


def test_a_batch_is_consecutive_in_its_queue_and_in_one_file(store: Store, make_message: Make) -> None:
    for _ in range(20):
        store.append(make_message(), 1, HOST)
    stored = store.append_batch([make_message(b"x" * 300, queue_id=1, tags="T") for _ in range(5)], 2, HOST)
    assert [one.queue_offset for one in stored] == [0, 1, 2, 3, 4]
    assert [one.end_position for one in stored[:-1]] == [one.physical_offset for one in stored[1:]]
    assert stored[0].physical_offset // 4096 == (stored[-1].end_position - 1) // 4096 == 1
    answer = store.read("orders", 1, 0, 32, accept=lambda code: code == java_hash("T"))
    assert offsets(answer.records) == [0, 1, 2, 3, 4]
    assert [store.record_at(one.physical_offset) is not None for one in stored] == [True] * 5


def test_a_refused_message_uses_up_no_offset(store: Store, make_message: Make) -> None:
    with pytest.raises(RecordTooLargeError):
        store.append(make_message(b"x" * 4096), 1, HOST)
    with pytest.raises(RecordTooLargeError):
        store.append_batch([make_message(b"x" * 1500)] * 3, 1, HOST)
    with pytest.raises(RecordError):
        store.append(make_message(LONG="x" * 40_000), 1, HOST)
    assert list(store.queues()) == []
    assert store.append(make_message(), 1, HOST).queue_offset == 0


def test_no_record_begins_elsewhere(store: Store, make_message: Make) -> None:
    stored = [store.append(make_message(b"x" * 200, tags="T"), 1, HOST) for _ in range(20)]
    starts = {one.physical_offset for one in stored}
    for position in range(-2, store.appended_position + 2):
        assert (store.record_at(position) is not None) == (position in starts)


def test_searching_by_time(store: Store, make_message: Make) -> None:
    for time_ms in (100, 200, 200, 300):
        store.append(make_message(), time_ms, HOST)
    found = {time_ms: store.offset_by_time("orders", 0, time_ms) for time_ms in (0, 100, 101, 200, 201, 300, 301)}
    assert found == {0: 0, 100: 0, 101: 1, 200: 1, 201: 3, 300: 3, 301: 3}
    assert store.earliest_time("orders", 0) == 100


@given(steps=st.lists(st.integers(0, 3), min_size=1, max_size=40), time_ms=st.integers(0, 80))
def test_searching_by_time_agrees_with_looking_at_every_message(steps: list[int], time_ms: int) -> None:
    store = Store.open(MemoryDisk())
    now, times = 0, []
    for step in steps:
        now += step
        times.append(now)
        store.append(Message("orders", 0, b"", {}, 0, 0, 1, HOST), now, HOST)
    expected = next((offset for offset, stored in enumerate(times) if stored >= time_ms), len(times) - 1)
    assert store.offset_by_time("orders", 0, time_ms) == expected


def test_sync_makes_what_was_appended_durable(make_message: Make, read_bodies: Bodies) -> None:
    disk = MemoryDisk()
    store = Store.open(disk)
    store.append(make_message(b"synced"), 1, HOST)
    assert store.synced_position == 0
    assert store.sync() == store.synced_position == store.appended_position
    store.append(make_message(b"lost"), 1, HOST)
    disk.crash(power=True, rng=RNG)
    assert read_bodies(Store.open(disk)) == {("orders", 0): [b"synced"]}


def test_empty_drops_everything_and_begins_anew(store: Store, make_message: Make, read_bodies: Bodies) -> None:
    for _ in range(50):
        store.append(make_message(), 1, HOST)
    end = store.appended_position
    store.empty()
    assert read_bodies(store) == {}
    stored = store.append(make_message(b"new"), 1, HOST)
    assert (stored.queue_offset, stored.physical_offset) == (0, end)
    assert read_bodies(store) == {("orders", 0): [b"new"]}
    assert store.sync() == stored.end_position


def test_many_different_tags_do_not_fill_the_memory(make_message: Make) -> None:
    store = Store.open(MemoryDisk())
    for number in range(4100):
        store.append(make_message(b"", tags=f"t{number}"), 1, HOST)
    assert len(store._tags_codes) <= 4096
    answer = store.read("orders", 0, 4050, 32, accept=lambda code: code == java_hash("t4060"))
    assert offsets(answer.records) == [4060]


def copy_of(store: Store, begin: int = 0) -> bytes:
    data = b""
    while piece := store.read_log(begin + len(data), 1 << 20):
        data += piece
    return data


def test_records_of_another_log_are_taken_over_byte_for_byte(make_message: Make, read_bodies: Bodies) -> None:
    master, disk = Store.open(MemoryDisk(), commit_log_file_bytes=2048), MemoryDisk()
    for number in range(30):
        master.append(make_message(b"%d" % number, queue_id=number % 3, tags="T"), 1, HOST)
    copy = Store.open(disk, commit_log_file_bytes=2048)
    data = copy_of(master)
    while taken := copy.take_over(data):
        assert all(record.topic for record in taken[:-1]), "a blank ends a file"
        data = data[sum(record.size for record in taken) :]
    assert data == b""
    assert copy_of(copy) == copy_of(master)
    assert copy.last_file_position == master.last_file_position > 0
    assert read_bodies(copy) == read_bodies(master) == read_bodies(Store.open(disk, commit_log_file_bytes=2048))


def test_a_store_may_begin_in_the_middle_of_another_log(make_message: Make) -> None:
    master, copy = Store.open(MemoryDisk()), Store.open(MemoryDisk())
    stored = [master.append(make_message(), 1, HOST) for _ in range(3)]
    begin = stored[1].physical_offset
    copy.begin_at(begin)
    copy.take_over(copy_of(master, begin))
    assert (copy.min_offset("orders", 0), copy.max_offset("orders", 0)) == (1, 3)
    assert copy.position_of("orders", 0, 2) == stored[2].physical_offset
    assert copy.position_of("orders", 0, 0) is None
    with pytest.raises(ValueError, match="only one at 0"):
        copy.begin_at(0)


def test_what_is_no_next_record_is_not_taken_over(make_message: Make) -> None:
    master, copy = Store.open(MemoryDisk()), Store.open(MemoryDisk())
    first, second = (master.append(make_message(), 1, HOST) for _ in range(2))
    data = copy_of(master)
    spoilt = bytearray(data)
    spoilt[first.size + 90] ^= 1
    assert len(copy.take_over(spoilt)) == 1, "the good one before it is"
    for wrong in (spoilt[first.size :], data, b"\x00" * 8, b"x" * 100):
        with pytest.raises(RecordError, match="no record at"):
            copy.take_over(wrong)
    assert copy.take_over(data[first.size : first.size + 50]) == []
    assert copy.appended_position == second.physical_offset


def test_a_copied_queue_has_no_gap_and_may_begin_again(make_message: Make, read_bodies: Bodies) -> None:
    def record(offset: int, at: int, body: bytes) -> bytes:
        where = {"queue_offset": offset, "physical_offset": at, "store_time_ms": 1, "store_host": HOST}
        return encode_record(make_message(body), **where)

    disk = MemoryDisk()
    copy = Store.open(disk)
    size = len(record(0, 0, b"a"))
    copy.take_over(record(0, 0, b"a") + record(1, size, b"b"))
    with pytest.raises(RecordError, match="has offset 3 of orders:0, which ends at 2"):
        copy.take_over(record(3, 2 * size, b"c"))
    copy.take_over(record(0, 2 * size, b"d"))
    assert read_bodies(copy) == read_bodies(Store.open(disk)) == {("orders", 0): [b"d"]}


def test_a_copy_waits_for_the_disk_too(make_message: Make, monkeypatch: Any) -> None:
    master, copy = Store.open(MemoryDisk()), Store.open(MemoryDisk())
    master.append(make_message(), 1, HOST)
    monkeypatch.setattr("reference_impl.store.commit_log.UNSYNCED_BYTES_MAX", 10)
    with pytest.raises(StoreBusyError):
        copy.take_over(copy_of(master))
    assert copy.appended_position == 0


@pytest.mark.parametrize("sys_flag", [4, 12])
def test_prepared_and_rolled_back_messages_are_in_the_log_alone(
    make_message: Make, read_bodies: Bodies, sys_flag: int
) -> None:
    disk, copy = MemoryDisk(), Store.open(MemoryDisk())
    store = Store.open(disk)
    for number in range(2):
        store.append(make_message(b"%d" % number), 1, HOST)
        odd = store.append(replace(make_message(b"odd"), sys_flag=sys_flag), 1, HOST)
        assert odd.queue_offset == 0
        found = store.record_at(odd.physical_offset)
        assert found is not None
        assert (found.body, found.sys_flag) == (b"odd", sys_flag)
    store.append(replace(make_message(topic="odd"), sys_flag=sys_flag), 1, HOST)
    copy.take_over(copy_of(store))
    expected = {("orders", 0): [b"0", b"1"]}
    assert read_bodies(store) == read_bodies(copy) == read_bodies(Store.open(disk)) == expected


def test_a_topic_is_forgotten_up_to_a_position(make_message: Make, read_bodies: Bodies) -> None:
    disk = MemoryDisk()
    store = Store.open(disk)
    store.append(make_message(b"a"), 1, HOST)
    store.append(make_message(b"b", topic="other"), 1, HOST)
    assert store.forget_topic("orders", store.appended_position)
    assert (store.max_offset("orders", 0), read_bodies(store)) == (0, {("other", 0): [b"b"]})
    deleted_at = store.appended_position
    assert store.append(make_message(b"c"), 1, HOST).queue_offset == 0
    assert store.forget_topic("orders", deleted_at), "what came later stays"
    assert read_bodies(store) == read_bodies(Store.open(disk)) == {("other", 0): [b"b"], ("orders", 0): [b"c"]}
    assert not store.forget_topic("orders", 0)
