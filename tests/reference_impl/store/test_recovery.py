"""Random appends, syncs and crashes: nothing synced is lost, nothing appears unasked, offsets have no gap."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reference_impl.disk import Disk, MemoryDisk, RealDisk
from reference_impl.message import Message
from reference_impl.store import Store

Bodies = Callable[[Store], dict[tuple[str, int], list[bytes]]]
HOST = ("127.0.0.1", 10911)
FILE_BYTES = 1200

APPENDS = st.tuples(st.just("append"), st.integers(0, 2), st.integers(0, 900))
BATCHES = st.tuples(st.just("batch"), st.integers(0, 2), st.integers(1, 4))
SYNCS = st.tuples(st.just("sync"), st.just(0), st.just(0))
FAILURES = st.tuples(st.just("fail"), st.just(0), st.just(0))
CRASHES = st.tuples(st.sampled_from(["kill", "power", "torn"]), st.integers(0, 2**16), st.just(0))
STEPS = st.lists(st.one_of(APPENDS, APPENDS, BATCHES, SYNCS, FAILURES, CRASHES), max_size=40)


class Model:
    """What each queue holds, and how much of it must survive a power cut."""

    def __init__(self) -> None:
        self.queues: dict[int, list[bytes]] = {0: [], 1: [], 2: []}
        self.synced: dict[int, int] = {0: 0, 1: 0, 2: 0}
        self.number = 0

    def message(self, queue_id: int, size: int) -> Message:
        self.number += 1
        body = b"%d:" % self.number + bytes(size)
        self.queues[queue_id].append(body)
        return Message("t", queue_id, body, {"TAGS": f"tag{self.number % 3}"}, 0, 0, 1, HOST)

    def note_sync(self) -> None:
        self.synced = {queue: len(bodies) for queue, bodies in self.queues.items()}

    def check_after(self, kind: str, found: dict[tuple[str, int], list[bytes]]) -> None:
        for queue, bodies in self.queues.items():
            seen = found.get(("t", queue), [])
            assert seen == bodies[: len(seen)], "something is there that was not appended there"
            least = len(bodies) if kind == "kill" else self.synced[queue]
            assert len(seen) >= least, "a record that had to survive is gone"
            if kind == "power":
                assert len(seen) == least, "a record survived that was never synced"
            self.queues[queue] = seen
        self.note_sync()


def append(store: Store, model: Model, kind: str, queue_id: int, number: int) -> None:
    if kind == "append":
        store.append(model.message(queue_id, number), 1, HOST)
    else:
        store.append_batch([model.message(queue_id, 50) for _ in range(number)], 1, HOST)


@given(steps=STEPS)
@example(steps=[("batch", 1, 4), ("batch", 1, 4), ("fail", 0, 0), ("torn", 0, 0)])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_in_memory(steps: list[tuple[str, int, int]], read_bodies: Bodies) -> None:
    disk, model = MemoryDisk(), Model()
    store = Store.open(disk, commit_log_file_bytes=FILE_BYTES)
    for kind, first, second in steps:
        if kind in ("append", "batch"):
            append(store, model, kind, first, second)
        elif kind == "sync":
            assert store.sync() == store.appended_position
            model.note_sync()
        elif kind == "fail":
            disk.fail_syncs(1)
            before = store.synced_position
            if store.appended_position > before:
                with pytest.raises(OSError, match="fsync failed"):
                    store.sync()
            disk.fail_syncs(0)
            assert store.synced_position == before
        else:
            disk.crash(power=kind != "kill", rng=random.Random(first), torn=kind == "torn")
            store = Store.open(disk, commit_log_file_bytes=FILE_BYTES)
            model.check_after(kind, read_bodies(store))
    model.check_after("kill", read_bodies(store))


@given(steps=st.lists(st.one_of(APPENDS, BATCHES, SYNCS, CRASHES), max_size=25))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@pytest.mark.slow
def test_any_history_on_a_real_disk(
    steps: list[tuple[str, int, int]], read_bodies: Bodies, cut_power: Callable[..., None]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, model = Path(folder), Model()
        disk: Disk = RealDisk(root)
        store = Store.open(disk, commit_log_file_bytes=FILE_BYTES)
        for kind, first, second in steps:
            if kind in ("append", "batch"):
                append(store, model, kind, first, second)
            elif kind == "sync":
                assert store.sync() == store.appended_position
                model.note_sync()
            else:
                store.close()
                disk.close()
                if kind != "kill":
                    cut_power(root, random.Random(first) if kind == "torn" else None)
                disk = RealDisk(root)
                store = Store.open(disk, commit_log_file_bytes=FILE_BYTES)
                model.check_after(kind, read_bodies(store))
        store.close()
        disk.close()


@given(count=st.integers(0, 12), cut=st.integers(0, 4000), tail=st.binary(max_size=300), clean=st.booleans())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_follows_a_cut_is_removed_and_what_is_before_it_stays(
    count: int, cut: int, tail: bytes, clean: bool, read_bodies: Bodies
) -> None:
    """More of it, at random and for as long as one likes: tests/fuzz/test_tails.py."""
    disk, model = MemoryDisk(), Model()
    store = Store.open(disk, commit_log_file_bytes=FILE_BYTES)
    ends = [store.append(model.message(0, number * 31), 1, HOST).end_position for number in range(count)]
    if clean:
        store.sync()
        store.save()
    names = disk.list("commitlog/")
    for name in names[-1:]:
        data = disk.read_file(name) or b""
        kept = data[: min(cut, len(data))]
        disk.replace(name, kept + tail, durable=True)
        cut_at = int(name.removeprefix("commitlog/")) + len(kept)
        ends = [end for end in ends if end <= cut_at]
    found = read_bodies(Store.open(disk, commit_log_file_bytes=FILE_BYTES)).get(("t", 0), [])
    assert found[: len(ends)] == model.queues[0][: len(ends)], "all that is whole before the cut"
    assert found == model.queues[0][: len(found)], "nothing else"


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_anywhere_in_the_last_file_leaves_a_prefix(seed: int, tmp_path: Path, read_bodies: Bodies) -> None:
    model = Model()
    store = Store.open(RealDisk(tmp_path), commit_log_file_bytes=FILE_BYTES)
    for number in range(30):
        append(store, model, "append", number % 3, number * 7)
    store.close()
    last = max((tmp_path / "commitlog").iterdir())
    with last.open("r+b") as file:
        file.truncate(random.Random(seed).randint(0, last.stat().st_size))
    model.check_after("torn", read_bodies(Store.open(RealDisk(tmp_path), commit_log_file_bytes=FILE_BYTES)))
    assert sum(map(len, model.queues.values())) >= 20


def test_a_flipped_bit_in_a_body_ends_the_log_there(tmp_path: Path, read_bodies: Bodies) -> None:
    store = Store.open(RealDisk(tmp_path))
    model = Model()
    ends = [store.append(model.message(0, 10), 1, HOST).physical_offset for _ in range(5)]
    store.close()
    path = tmp_path / "commitlog" / f"{0:020d}"
    data = bytearray(path.read_bytes())
    data[ends[3] + 90] ^= 4
    path.write_bytes(bytes(data))
    assert read_bodies(Store.open(RealDisk(tmp_path))) == {("t", 0): model.queues[0][:3]}
    assert path.stat().st_size == ends[3]


def test_a_gap_in_the_offsets_of_a_queue_ends_the_log(tmp_path: Path, read_bodies: Bodies) -> None:
    disk = MemoryDisk()
    store = Store.open(disk)
    model = Model()
    for _ in range(2):
        store.append(model.message(0, 10), 1, HOST)
    store._queues["t", 0].min_offset += 1
    store.append(model.message(0, 10), 1, HOST)
    assert read_bodies(Store.open(disk)) == {("t", 0): model.queues[0][:2]}
