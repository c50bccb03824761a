from __future__ import annotations

import random

import pytest

from reference_impl.disk import MemoryDisk

RNG = random.Random(7)


def test_a_kill_loses_nothing() -> None:
    disk = MemoryDisk()
    disk.open_file("a").append(b"abc")
    assert disk.crash(power=False, rng=RNG) == 0
    assert disk.read_file("a") == b"abc"


def test_a_power_cut_keeps_what_was_synced() -> None:
    disk = MemoryDisk()
    file = disk.open_file("a")
    file.append(b"abc")
    assert file.sync() == 3
    file.append(b"de")
    disk.open_file("never-synced").append(b"x")
    assert disk.crash(power=True, rng=RNG) == 3
    assert disk.list() == ["a"]
    assert disk.read_file("a") == b"abc"
    assert disk.read_file("never-synced") is None


def test_a_torn_write_keeps_a_prefix_of_the_rest() -> None:
    seen = set()
    for seed in range(40):
        disk = MemoryDisk()
        file = disk.open_file("a")
        file.append(b"abc")
        file.sync()
        file.append(b"de")
        disk.crash(power=True, rng=random.Random(seed), torn=True)
        seen.add(disk.read_file("a"))
    assert seen == {b"abc", b"abcd", b"abcde"}


def test_files_of_an_earlier_life_are_dead() -> None:
    disk = MemoryDisk()
    file = disk.open_file("a")
    disk.crash(power=False, rng=RNG)
    for use in (file.sync, lambda: file.append(b"x"), lambda: file.read(0, 1), lambda: file.truncate(0)):
        with pytest.raises(OSError, match="crashed"):
            use()


def test_a_failed_sync_loses_its_pages_unless_they_are_written_again() -> None:
    disk = MemoryDisk()
    file = disk.open_file("a")
    file.append(b"abcd")
    disk.fail_syncs(1)
    with pytest.raises(OSError, match="fsync failed"):
        file.sync()
    file.write_at(2, b"cd")
    file.append(b"ef")
    assert file.sync() == 6
    disk.crash(power=True, rng=RNG)
    assert disk.read_file("a") == b"\0\0cdef"


def test_what_was_synced_is_not_overwritten() -> None:
    file = MemoryDisk().open_file("a")
    file.append(b"abc")
    file.sync()
    file.append(b"de")
    file.write_at(3, b"DE")
    for at, data in ((2, b"x"), (4, b"xy")):
        with pytest.raises(ValueError, match="not within the unsynced part"):
            file.write_at(at, data)
    assert file.read(0, 9) == b"abcDE"


def test_a_truncation_is_durable_at_once() -> None:
    disk = MemoryDisk()
    file = disk.open_file("a")
    file.append(b"abcde")
    file.sync()
    file.truncate(2)
    file.append(b"X")
    disk.crash(power=True, rng=RNG)
    assert disk.read_file("a") == b"ab"


def test_a_volatile_replacement_falls_back_to_the_durable_version() -> None:
    disk = MemoryDisk()
    disk.replace("t", b"one", durable=True)
    disk.replace("t", b"two", durable=False)
    disk.replace("new", b"x", durable=False)
    assert disk.read_file("t") == b"two"
    disk.crash(power=True, rng=RNG)
    assert (disk.read_file("t"), disk.read_file("new")) == (b"one", None)


def test_removed_files_stay_removed() -> None:
    disk = MemoryDisk()
    disk.replace("t", b"one", durable=True)
    disk.remove("t", "absent")
    disk.crash(power=True, rng=RNG)
    assert disk.list() == []


def test_a_torn_cut_never_mixes_two_versions_of_a_replaced_file() -> None:
    for seed in range(20):
        disk = MemoryDisk()
        disk.replace("t", b"one", durable=True)
        disk.replace("t", b"twelve", durable=False)
        disk.crash(power=True, torn=True, rng=random.Random(seed))
        assert disk.read_file("t") == b"one"


def test_files_take_space() -> None:
    disk = MemoryDisk()
    before = disk.space()
    assert (before.used, before.usable, before.ratio) == (0, before.total, 0.0)
    disk.replace("t", b"1234", durable=False)
    assert disk.space() == (before.total, 4, before.total - 4)
