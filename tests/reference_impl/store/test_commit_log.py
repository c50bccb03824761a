from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from reference_impl.disk import Disk, FaultyDisk, MemoryDisk, RealDisk
from reference_impl.errors import RecordTooLargeError, StoreBusyError
from reference_impl.message import Message, encode_record
from reference_impl.store import commit_log
from reference_impl.store.commit_log import CommitLog
from reference_impl.store.scan import Scanned

RNG = random.Random(5)


def put(log: CommitLog, body: bytes, offset: int = 0) -> int:
    """Append a record as the store does; its position."""
    message = Message("t", 0, body, {}, 0, 0, 1, ("127.0.0.1", 1))
    size = len(record(message, offset, 0))
    at = log.position_for(size)
    log.append(record(message, offset, at))
    return at


def record(message: Message, offset: int, at: int) -> bytes:
    host = ("127.0.0.1", 1)
    return encode_record(message, queue_offset=offset, physical_offset=at, store_time_ms=1, store_host=host)


RECORD_BYTES = len(record(Message("t", 0, b"x" * 8, {}, 0, 0, 1, ("127.0.0.1", 1)), 0, 0))
FILE_BYTES = 3 * RECORD_BYTES + 20


def open_log(disk: Disk, file_bytes: int = FILE_BYTES) -> tuple[CommitLog, list[Scanned]]:
    found: list[Scanned] = []

    def take(one: Scanned) -> bool:
        found.append(one)
        return True

    return CommitLog.open(disk, file_bytes, take), found


def filled(disk: Disk, count: int) -> CommitLog:
    log, _ = open_log(disk)
    for number in range(count):
        put(log, b"%08d" % number, number)
    return log


def test_files_are_named_by_their_first_position_and_end_with_a_blank() -> None:
    disk = MemoryDisk()
    log = filled(disk, 7)
    names = disk.list("commitlog/")
    assert names == [f"commitlog/{start:020d}" for start in (0, FILE_BYTES, 2 * FILE_BYTES)]
    first = disk.read_file(names[0])
    assert first is not None
    assert first[3 * RECORD_BYTES :] == bytes((0, 0, 0, 20)) + bytes.fromhex("CBD43194") + bytes(12)
    assert len(first) == FILE_BYTES
    assert (log.min_position, log.appended_position) == (0, 2 * FILE_BYTES + RECORD_BYTES)


def test_a_file_always_keeps_room_for_its_blank() -> None:
    disk = MemoryDisk()
    log, _ = open_log(disk, 2 * RECORD_BYTES + 7)
    assert [put(log, b"%08d" % number) for number in range(3)] == [0, 2 * RECORD_BYTES + 7, 4 * RECORD_BYTES + 14]
    log, _ = open_log(MemoryDisk(), 2 * RECORD_BYTES + 8)
    assert [put(log, b"%08d" % number) for number in range(3)] == [0, RECORD_BYTES, 2 * RECORD_BYTES + 8]


def test_a_record_longer_than_a_file_is_refused_and_changes_nothing() -> None:
    log, _ = open_log(MemoryDisk())
    with pytest.raises(RecordTooLargeError, match="raise mappedFileSizeCommitLog") as caught:
        log.position_for(FILE_BYTES - 7)
    assert str(FILE_BYTES - 7) in str(caught.value)
    assert log.appended_position == 0


def test_reads_end_with_the_file_and_outside_there_is_nothing() -> None:
    log = filled(MemoryDisk(), 4)
    assert len(log.read(RECORD_BYTES, RECORD_BYTES)) == RECORD_BYTES
    assert len(log.read(FILE_BYTES - 5, 100)) == 5
    assert log.file_end(FILE_BYTES - 5) == FILE_BYTES
    assert log.read(-1, 10) == b""
    assert log.read(log.appended_position, 10) == b""
    assert log.file_end(-1) == 0


def test_positions_that_no_file_system_takes_are_outside_too(tmp_path: Path) -> None:
    log = filled(RealDisk(tmp_path), 2)
    for position in (log.appended_position, 1 << 62, (1 << 63) - 1):
        assert log.read(position, 10) == b""
    log.close()


def test_synced_position_follows_a_sync_and_nothing_else() -> None:
    log = filled(MemoryDisk(), 5)
    assert log.synced_position == 0
    assert log.sync() == log.appended_position == log.synced_position
    before = log.synced_position
    put(log, b"12345678", 5)
    assert log.synced_position == before
    assert log.sync() == log.appended_position


def test_opened_again_it_finds_the_records_and_goes_on_behind_them() -> None:
    disk = MemoryDisk()
    end = filled(disk, 7).appended_position
    disk.crash(power=False, rng=RNG)
    log, found = open_log(disk)
    assert [one.queue_offset for one in found] == list(range(7))
    assert (log.appended_position, log.synced_position) == (end, end)
    assert put(log, b"12345678", 7) == end


def test_what_was_recovered_is_durable() -> None:
    disk = MemoryDisk()
    filled(disk, 5)
    disk.crash(power=False, rng=RNG)
    open_log(disk)
    assert disk.crash(power=True, rng=RNG) == 0
    assert len(open_log(disk)[1]) == 5


def test_a_bad_record_ends_the_log_for_good() -> None:
    disk = MemoryDisk()
    log = filled(disk, 8)
    log.sync()
    damaged = bytearray(disk.read_file(f"commitlog/{FILE_BYTES:020d}") or b"")
    damaged[RECORD_BYTES + 90] ^= 1
    disk.replace(f"commitlog/{FILE_BYTES:020d}", bytes(damaged), durable=True)
    log, found = open_log(disk)
    assert [one.queue_offset for one in found] == [0, 1, 2, 3]
    assert log.appended_position == FILE_BYTES + RECORD_BYTES
    assert disk.list("commitlog/") == [f"commitlog/{0:020d}", f"commitlog/{FILE_BYTES:020d}"]
    put(log, b"anew....", 4)
    assert [one.queue_offset for one in open_log(disk)[1]] == [0, 1, 2, 3, 4]


def test_a_record_that_the_owner_refuses_ends_the_log() -> None:
    disk = MemoryDisk()
    filled(disk, 5)
    log = CommitLog.open(disk, FILE_BYTES, lambda one: one.queue_offset < 2)
    assert log.appended_position == 2 * RECORD_BYTES


def test_files_behind_a_hole_are_removed() -> None:
    disk = MemoryDisk()
    filled(disk, 8)
    disk.remove(f"commitlog/{FILE_BYTES:020d}")
    log, found = open_log(disk)
    assert len(found) == 3
    assert disk.list("commitlog/") == [f"commitlog/{0:020d}"]
    assert put(log, b"12345678", 3) == FILE_BYTES


def test_a_log_whose_first_files_are_gone_begins_later() -> None:
    disk = MemoryDisk()
    filled(disk, 8)
    disk.remove(f"commitlog/{0:020d}")
    log, found = open_log(disk)
    assert [one.queue_offset for one in found] == [3, 4, 5, 6, 7]
    assert log.min_position == FILE_BYTES


def test_records_longer_than_the_window_of_recovery_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_log, "_WINDOW_BYTES", RECORD_BYTES + 10)
    disk = MemoryDisk()
    log, _ = open_log(disk, 10_000)
    for number, size in enumerate((8, 300, 8, 900, 8)):
        put(log, b"x" * size, number)
    end = log.appended_position
    log, found = open_log(disk, 10_000)
    assert [one.queue_offset for one in found] == [0, 1, 2, 3, 4]
    assert log.appended_position == end
    disk.open_file(f"commitlog/{0:020d}").append(b"\x7f" * 500)
    assert open_log(disk, 10_000)[0].appended_position == end


def test_a_smaller_file_size_takes_effect_with_the_next_file() -> None:
    disk = MemoryDisk()
    filled(disk, 3)
    log, _ = open_log(disk, RECORD_BYTES + 8)
    assert put(log, b"12345678", 3) == 3 * RECORD_BYTES
    assert len(open_log(disk, RECORD_BYTES + 8)[1]) == 4


def test_after_a_failed_sync_the_bytes_are_written_again_before_they_count() -> None:
    disk = MemoryDisk()
    log = filled(disk, 1)
    log.sync()
    before = log.synced_position
    for number in range(1, 6):
        put(log, b"%08d" % number, number)
    disk.fail_syncs(1)
    with pytest.raises(OSError, match="fsync failed"):
        log.sync()
    assert log.synced_position == before
    put(log, b"%08d" % 6, 6)
    assert log.sync() == log.appended_position
    disk.crash(power=True, rng=RNG)
    assert [one.queue_offset for one in open_log(disk)[1]] == list(range(7))


class SecondFileFails(FaultyDisk):
    """A disk on which the file that begins at ``FILE_BYTES`` cannot be synced."""

    def before_sync(self, name: str) -> None:
        self.fsync_error = self.fsync_delay_ms == 0 and name.endswith(f"{FILE_BYTES:020d}")
        super().before_sync(name)


def test_a_sync_that_fails_in_the_second_file_counts_the_first() -> None:
    memory = MemoryDisk()
    disk = SecondFileFails(memory, lambda seconds: None)
    log, _ = open_log(disk)
    for number in range(8):
        put(log, b"%08d" % number, number)
    with pytest.raises(OSError, match="fault injected"):
        log.sync()
    assert log.synced_position == FILE_BYTES
    disk.fsync_delay_ms = 1
    assert log.sync() == log.appended_position
    memory.crash(power=True, rng=RNG)
    assert len(open_log(memory)[1]) == 8


def test_too_many_unsynced_bytes_are_refused_until_a_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_log, "UNSYNCED_BYTES_MAX", 2 * RECORD_BYTES)
    log = filled(MemoryDisk(), 2)
    with pytest.raises(StoreBusyError, match="try again"):
        put(log, b"12345678", 2)
    log.sync()
    put(log, b"12345678", 2)
    assert log.appended_position == 3 * RECORD_BYTES


def test_emptied_it_is_durably_empty_and_positions_go_on() -> None:
    disk = MemoryDisk()
    log = filled(disk, 5)
    log.sync()
    end = log.appended_position
    log.empty()
    assert disk.list() == []
    assert (log.min_position, log.appended_position, log.synced_position) == (end, end, end)
    assert log.read(0, 10) == b""
    assert log.sync() == end
    assert put(log, b"12345678") == end
    assert log.synced_position == end
    disk.crash(power=False, rng=RNG)
    log, found = open_log(disk)
    assert [one.position for one in found] == [end]


def test_appends_go_on_while_another_thread_syncs(tmp_path: Path) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def wait(seconds: float) -> None:
        inside.set()
        assert go_on.wait(seconds)

    disk = FaultyDisk(RealDisk(tmp_path), wait)
    log, _ = open_log(disk)
    put(log, b"12345678")
    disk.fsync_delay_ms = 30_000
    synced: list[int] = []
    thread = threading.Thread(target=lambda: synced.append(log.sync()))
    thread.start()
    assert inside.wait(30)
    for number in range(1, 5):
        put(log, b"%08d" % number, number)
    assert log.synced_position == 0
    go_on.set()
    thread.join()
    assert synced[0] >= RECORD_BYTES
    assert log.synced_position == synced[0] < log.appended_position
    assert log.sync() == log.appended_position
    log.close()
    disk.close()


def test_syncs_and_appends_at_full_speed_agree(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path)
    log = CommitLog.open(disk, 64 * RECORD_BYTES, lambda one: True)
    done = threading.Event()
    seen: list[int] = []

    def sync_on_and_on() -> None:
        while not done.is_set():
            seen.append(log.sync())

    thread = threading.Thread(target=sync_on_and_on)
    thread.start()
    for number in range(3000):
        put(log, b"%08d" % number, number)
    done.set()
    thread.join()
    assert seen == sorted(seen)
    assert log.sync() == log.appended_position
    assert log._unsynced_bytes == 0
    assert not log._unsynced
    log.close()
    found: list[Scanned] = []
    CommitLog.open(disk, 64 * RECORD_BYTES, lambda one: found.append(one) is None).close()
    assert [one.queue_offset for one in found] == list(range(3000))
    disk.close()
