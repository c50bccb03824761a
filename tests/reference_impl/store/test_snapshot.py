"""Snapshots: a start with one knows what a start without one knows, whatever happened to either in between."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.disk import MemoryDisk
from reference_impl.message import Message
from reference_impl.store import Store
from reference_impl.store import store as module
from reference_impl.store.snapshot import NAME, read_snapshot

HOST = ("127.0.0.1", 10911)
FILE_BYTES = 2000


def message(number: int) -> Message:
    properties = {"KEYS": f"k{number % 3}", "UNIQ_KEY": f"u{number}", "TAGS": "t"}
    return Message(f"T{number % 2}", number % 3, b"x" * (number * 37 % 300), properties, 0, 0, 1, ("10.0.0.1", 5))


def opened(disk: MemoryDisk) -> Store:
    return Store.open(disk, commit_log_file_bytes=FILE_BYTES)


def fill(store: Store, count: int) -> None:
    for number in range(count):
        store.append(message(number), 1000 + number, HOST)


def known(store: Store) -> dict[str, Any]:
    """All that a reader can see."""
    queues = sorted(store.queues())
    return {
        "end": store.appended_position,
        "offsets": [(queue, store.min_offset(*queue), store.max_offset(*queue)) for queue in queues],
        "records": [store.read(*queue, store.min_offset(*queue), 1000, 1 << 30).records for queue in queues],
        "keys": [store.by_key(topic, key, 64, 0, 1 << 60) for topic in ("T0", "T1") for key in ("k0", "k1", "u4")],
    }


def stopped(disk: MemoryDisk, count: int) -> Store:
    """A store that was stopped cleanly with so many messages."""
    store = opened(disk)
    fill(store, count)
    store.sync()
    store.save()
    store.close()
    return store


@pytest.mark.parametrize("count", [0, 1, 40])
def test_after_a_clean_stop_nothing_is_read_again(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryDisk()
    before = known(stopped(disk, count))
    scanned: list[Any] = []
    take_in = Store._take_in
    monkeypatch.setattr(Store, "_take_in", lambda self, found: scanned.append(found) or take_in(self, found))
    store = opened(disk)
    assert known(store) == before
    assert scanned == []
    fill(store, 3)
    assert store.appended_position > before["end"]


@pytest.mark.parametrize("power", [False, True])
def test_after_a_later_death_only_the_rest_is_read(power: bool) -> None:
    disk = MemoryDisk()
    stopped(disk, 30)
    store = opened(disk)
    fill(store, 20)
    store.sync()
    fill(store, 5)
    disk.crash(power=power, rng=random.Random(3))
    with_snapshot = known(opened(disk))
    disk.remove(NAME)
    assert with_snapshot == known(opened(disk))
    assert len(with_snapshot["records"]) == 6


@given(st.integers(0, 40), st.integers(0, 60), st.data())
def test_a_damaged_snapshot_is_left_aside(count: int, at: int, data: st.DataObject) -> None:
    disk = MemoryDisk()
    stopped(disk, count)
    wanted = known(opened(disk))
    whole = disk.read_file(NAME)
    assert whole is not None
    place = data.draw(st.integers(0, len(whole) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "garbage"]))
    broken = {
        "flip": whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
        "cut": whole[:place],
        "garbage": bytes(at),
    }[how]
    disk.replace(NAME, broken, durable=True)
    assert read_snapshot(disk) is None
    assert known(opened(disk)) == wanted


def test_a_log_that_was_cut_since_counts_alone() -> None:
    disk = MemoryDisk()
    stopped(disk, 40)
    last = disk.list("commitlog/")[-1]
    file = disk.open_file(last)
    file.truncate(file.size - 5)
    store = opened(disk)
    found = known(store)
    disk.remove(NAME)
    assert found == known(opened(disk))


def test_files_that_are_gone_take_their_messages_along() -> None:
    disk = MemoryDisk()
    stopped(disk, 40)
    disk.remove(disk.list("commitlog/")[0])
    store = opened(disk)
    assert min(store.min_offset(*queue) for queue in store.queues()) > 0
    assert all(store.record_at(position) is not None for position in store._index.positions)


def test_what_is_not_synced_is_not_written_down() -> None:
    disk = MemoryDisk()
    store = opened(disk)
    fill(store, 2)
    store.save()
    assert read_snapshot(disk) is None


def test_emptying_takes_the_snapshot_along() -> None:
    disk = MemoryDisk()
    stopped(disk, 10)
    store = opened(disk)
    store.empty()
    fill(store, 2)
    disk.crash(power=False, rng=random.Random(1))
    assert sum(store.max_offset(*queue) for queue in opened(disk).queues()) == 2


def test_the_limit_of_one_query(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryDisk()
    store = opened(disk)
    fill(store, 12)
    assert len(store.by_key("T0", "k0", 64, 0, 1 << 60)) == 2
    monkeypatch.setattr(module, "QUERIED_MAX", 1)
    assert len(store.by_key("T0", "k0", 64, 0, 1 << 60)) == 1


def test_without_an_index_nothing_is_found_by_key() -> None:
    store = Store.open(MemoryDisk(), indexed=False)
    fill(store, 3)
    assert store.by_key("T0", "k0", 64, 0, 1 << 60) == []


def aged(disk: MemoryDisk, store: Store) -> None:
    """Let every file go but the one that is written to."""
    store.sync()
    assert store.remove_older(1 << 60, 1000) > 0
    assert disk.list("commitlog/")[0] == f"commitlog/{store._log.min_position:020d}"


def test_a_snapshot_that_ends_before_the_log_begins_does_not_cost_the_log() -> None:
    disk = MemoryDisk()
    stopped(disk, 3)
    store = opened(disk)
    fill(store, 40)
    aged(disk, store)
    assert store._log.min_position > 0
    before = known(store)
    disk.crash(power=False, rng=random.Random(1))
    assert known(opened(disk)) == before
    assert disk.read_file(NAME) is None


def test_a_snapshot_of_a_log_that_was_cut_is_not_believed_once_the_log_has_grown_again() -> None:
    disk = MemoryDisk()
    stopped(disk, 20)
    last = disk.list("commitlog/")[-1]
    disk.open_file(last).truncate(0)
    store = opened(disk)
    for number in range(40):
        store.append(message(number + 1), 1, HOST)
    before = known(store)
    disk.crash(power=False, rng=random.Random(1))
    assert known(opened(disk)) == before


@pytest.mark.parametrize("how", ["killed", "power", "clean"])
def test_a_queue_whose_messages_are_too_old_goes_on_where_it_was(how: str) -> None:
    disk = MemoryDisk()
    store = opened(disk)
    for _ in range(5):
        store.append(Message("old", 1, b"", {}, 0, 0, 1, ("10.0.0.1", 5)), 1, HOST)
    fill(store, 40)
    aged(disk, store)
    assert (store.min_offset("old", 1), store.max_offset("old", 1)) == (5, 5)
    before = known(store)
    if how == "clean":
        store.save()
    store.close()
    disk.crash(power=how == "power", rng=random.Random(1))
    store = opened(disk)
    assert known(store) == before
    assert store.append(Message("old", 1, b"", {}, 0, 0, 1, ("10.0.0.1", 5)), 1, HOST).queue_offset == 5
    store.empty()
    assert not disk.list("config/"), "after an emptying queues begin anew"
    assert list(opened(disk).queues()) == []


def test_a_deleted_topic_whose_messages_were_too_old_begins_anew() -> None:
    disk = MemoryDisk()
    store = opened(disk)
    store.append(Message("old", 1, b"", {}, 0, 0, 1, ("10.0.0.1", 5)), 1, HOST)
    fill(store, 40)
    aged(disk, store)
    assert store.max_offset("old", 1) == 1
    assert store.forget_topic("old", store.appended_position)
    store.close()
    assert opened(disk).max_offset("old", 1) == 0
