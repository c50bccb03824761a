from __future__ import annotations

import random

import pytest

from reference_impl.disk import FaultyDisk, MemoryDisk


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def disk(slept: list[float]) -> FaultyDisk:
    return FaultyDisk(MemoryDisk(), slept.append)


def test_without_a_fault_it_is_the_inner_disk(disk: FaultyDisk, slept: list[float]) -> None:
    file = disk.open_file("commitlog/0")
    assert file.append(b"abc") == 0
    assert (file.name, file.size, file.read(1, 9)) == ("commitlog/0", 3, b"bc")
    assert file.sync() == 3
    file.append(b"de")
    file.write_at(3, b"DE")
    file.truncate(4)
    file.close()
    disk.replace("config/t.json", b"{}", durable=True)
    assert disk.read_file("config/t.json") == b"{}"
    assert disk.list() == ["commitlog/0", "config/t.json"]
    disk.remove("config/t.json")
    disk.close()
    assert disk.list("c") == ["commitlog/0"]
    assert disk.read_file("commitlog/0") == b"abcD"
    assert slept == []


def test_a_delay_holds_up_each_sync_of_the_log_alone(disk: FaultyDisk, slept: list[float]) -> None:
    log, other = disk.open_file("commitlog/0"), disk.open_file("index/0")
    disk.fsync_delay_ms = 250
    log.sync()
    other.sync()
    disk.replace("config/t.json", b"{}", durable=True)
    assert slept == [0.25]
    assert (disk.delayed_fsyncs, disk.failed_fsyncs) == (1, 0)


def test_an_error_reaches_the_caller_and_never_the_disk(disk: FaultyDisk) -> None:
    file = disk.open_file("commitlog/0")
    file.append(b"abc")
    disk.fsync_error = True
    with pytest.raises(OSError, match="fault injected"):
        file.sync()
    inner = disk.inner
    assert isinstance(inner, MemoryDisk)
    assert inner.crash(power=True, rng=random.Random(1)) == 3


def test_switched_off_the_sync_succeeds_again(disk: FaultyDisk) -> None:
    file = disk.open_file("commitlog/0")
    file.append(b"abc")
    disk.fsync_error = True
    with pytest.raises(OSError, match="fault injected"):
        file.sync()
    disk.fsync_error = False
    assert file.sync() == 3
    assert (disk.delayed_fsyncs, disk.failed_fsyncs) == (0, 1)


def test_a_full_disk_refuses_writes_of_the_log_alone(disk: FaultyDisk) -> None:
    log, other = disk.open_file("commitlog/0"), disk.open_file("index/0")
    log.append(b"abc")
    disk.disk_full = True
    for write in (lambda: log.append(b"d"), lambda: log.write_at(0, b"A")):
        with pytest.raises(OSError, match="no space left"):
            write()
    assert other.append(b"x") == 0
    assert (log.size, log.read(0, 9), disk.refused_writes) == (3, b"abc", 2)
    disk.disk_full = False
    assert log.append(b"d") == 3


def test_space_is_the_inner_disks(disk: FaultyDisk) -> None:
    disk.replace("t", b"1234", durable=False)
    assert disk.space() == disk.inner.space()


def test_writes_of_the_log_can_be_slow_and_fail(disk: FaultyDisk, slept: list[float]) -> None:
    log, other = disk.open_file("commitlog/0"), disk.open_file("index/0")
    disk.set(write_delay_ms=30)
    log.append(b"abc")
    assert slept == [0.03]
    disk.set(write_error=True)
    for write in (lambda: log.append(b"d"), lambda: log.write_at(0, b"A")):
        with pytest.raises(OSError, match="write failed"):
            write()
    assert other.append(b"x") == 0
    disk.set()
    assert log.append(b"d") == 3
    counts = disk.counts()
    assert (counts["delayed_writes"], counts["failed_writes"], counts["refused_writes"]) == (1, 2, 0)


def test_space_can_be_another_than_there_is(disk: FaultyDisk) -> None:
    disk.set(used_percent=97)
    assert (disk.space().ratio, disk.space().usable, disk.counts()["looks"]) == (0.97, 3, 2)
    disk.set()
    assert disk.space() == disk.inner.space()
    assert disk.counts()["looks"] == 2
