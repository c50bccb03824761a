"""Commit logs damaged at random: recovery never fails, finds nothing that was not written, loses nothing before the
damage, and neither the disk nor the memory grows.

Run as a program it goes on for as long as it is told, in disks in memory and, every twentieth time, in a real folder:
``python tests/fuzz/test_tails.py [--seconds 600] [--seed 1]``. A failure names its case: ``--case N`` runs it again.
"""

from __future__ import annotations

import argparse
import random
import resource
import struct
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from reference_impl.disk import Disk, MemoryDisk, RealDisk
from reference_impl.message import MAGIC_BLANK, MAGIC_V1, Message, decode_record
from reference_impl.store import Store
from reference_impl.store.commit_log import first_position

HOSTS = (("127.0.0.1", 10911), ("fd00::1", 10911))
LONG_TOPIC = "long-" + "x" * 200
GROWTH_KIB_MAX = 48 * 1024
REAL_EVERY = 20


class Written(NamedTuple):
    """One record as it was stored."""

    place: tuple[str, int, int]
    position: int
    end: int
    body: bytes


class Damage(NamedTuple):
    """The commit log after something befell it."""

    files: dict[str, bytes]
    tail_only: bool
    """Whether the files are what they were, up to where they end or garbage begins."""


def write(store: Store, rng: random.Random, count: int) -> list[Written]:
    written: list[Written] = []
    for number in range(count):
        topic, queue_id = rng.choice(["t", "u", LONG_TOPIC]), rng.randrange(2)
        properties = {"TAGS": rng.choice("ab"), "UNIQ_KEY": f"{number:032d}", "KEYS": "k"}
        bodies = [rng.randbytes(rng.choice([0, 1, 30, 300])) for _ in range(rng.choice([1, 1, 1, 3]))]
        messages = [Message(topic, queue_id, body, properties, 0, 0, 1, rng.choice(HOSTS)) for body in bodies]
        for body, one in zip(bodies, store.append_batch(messages, number, rng.choice(HOSTS)), strict=True):
            written.append(Written((topic, queue_id, one.queue_offset), one.physical_offset, one.end_position, body))
    return written


def let_age(store: Store, disk: Disk, rng: random.Random, written: list[Written]) -> list[Written]:
    """Remove old files, sometimes; what is left."""
    if rng.random() < 0.3:
        store.sync()
        store.remove_older(1 << 60, rng.randint(1, 3))
    return [one for one in written if one.position >= first_position(disk)]


def log_of(disk: Disk) -> dict[str, bytes]:
    return {name: disk.read_file(name) or b"" for name in disk.list("commitlog/")}


def garbage(rng: random.Random, files: dict[str, bytes]) -> bytes:
    """What may be found after the last record: noise, zeros, old records, heads of records that promise too much."""
    size = rng.randint(1, 700)
    whole = b"".join(files.values())
    at = rng.randrange(len(whole)) if whole else 0
    wild = rng.choice([0, 7, 8, 75, 76, 200, size, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF])
    head = struct.pack(">II", wild, rng.choice([MAGIC_V1, MAGIC_BLANK]))
    return rng.choice([rng.randbytes(size), bytes(size), whole[at : at + size], head + rng.randbytes(size), head])


def damage(rng: random.Random, before: dict[str, bytes]) -> Damage:
    files, names = dict(before), sorted(before)
    kind = rng.choice(["cut", "cut", "garbage", "garbage", "flip", "block", "remove", "swap", "none"])
    if not names or kind == "none":
        return Damage(files, True)
    name = rng.choice(names)
    data = bytearray(files[name])
    at = rng.randint(0, len(data))
    if kind == "cut":
        data = data[:at]
    elif kind == "garbage":
        name = names[-1]
        data = bytearray(files[name])
        at = rng.choice([rng.randint(0, len(data)), len(data)])
        data[at:] = garbage(rng, files)
    elif kind == "flip" and data:
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "block":
        data[at : at + 64] = rng.choice([bytes, rng.randbytes])(len(data[at : at + 64]))
    elif kind == "swap":
        other = rng.choice(names)
        files[other], data = bytes(data), bytearray(files[other])
    files[name] = bytes(data)
    if kind == "remove":
        del files[name]
    # Garbage within a record may hit what no checksum covers: its properties.
    return Damage(files, kind in ("cut", "remove") or (kind == "garbage" and at == len(before[name])))


def apply(disk: Disk, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    for name in before.keys() - after.keys():
        disk.remove(name)
    for name, data in after.items():
        if data != before[name]:
            disk.replace(name, data, durable=True)


def undamaged(before: dict[str, bytes], after: dict[str, bytes]) -> tuple[int, int]:
    """The first and the last position between which the log is as it was."""
    names = sorted(before)
    while names and names[0] not in after and len(names) > 1:
        del names[0]
    start = position = int(names[0].removeprefix("commitlog/")) if names else 0
    for name in names:
        old, new = before[name], after.get(name, b"")
        same = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        position += same
        if same < len(old) or len(new) > len(old):
            break
    return start, position


def contents(store: Store) -> dict[tuple[str, int, int], tuple[int, bytes]]:
    """Position and body of every message that can be read, by queue and offset."""
    found = {}
    for topic, queue_id in store.queues():
        offset = store.min_offset(topic, queue_id)
        while (read := store.read(topic, queue_id, offset, 1)).status == "FOUND":
            record = decode_record(read.records)
            found[topic, queue_id, offset] = record.physical_offset, record.body
            offset = read.next_offset
        assert offset == store.max_offset(topic, queue_id)
    return found


def check(store: Store, written: list[Written], harm: Damage, span: tuple[int, int]) -> None:
    start, end = span
    kept = [one for one in written if start <= one.position and one.end <= end]
    for one in kept:
        record = store.record_at(one.position)
        assert record is not None, f"the record at {one.position} is gone, though all is well up to {end}"
        assert record.body == one.body
    found = contents(store)
    bodies = {one.position: one.body for one in written}
    for place, (position, body) in found.items():
        assert bodies.get(position) == body, f"{place} at {position} was never written"
    if harm.tail_only:
        assert found == {one.place: (one.position, one.body) for one in kept}, "neither more nor less than the prefix"


def one_case(seed: int, disk: Disk) -> None:
    """Write, stop in one of three ways, damage, recover; recover again; write on, be killed, recover."""
    rng = random.Random(seed)
    file_bytes = rng.choice([2500, 5000, 40_000])
    store = Store.open(disk, commit_log_file_bytes=file_bytes)
    written = let_age(store, disk, rng, write(store, rng, rng.randint(0, 40)))
    stop = rng.choice(["killed", "clean", "clean, then killed"])
    if stop != "killed":
        store.sync()
        store.save()
    if stop == "clean, then killed":
        written = let_age(store, disk, rng, written + write(store, rng, rng.randint(0, 20)))
    ends = {queue: store.max_offset(*queue) for queue in store.queues()}
    store.close()
    before = log_of(disk)
    harm = damage(rng, before)
    apply(disk, before, harm.files)
    span = undamaged(before, harm.files)

    if stop != "killed" and not harm.tail_only:
        # Bytes that a clean stop vouched for are not read again: without its word the log has to speak for itself.
        Store.open(disk, commit_log_file_bytes=file_bytes).close()
        disk.remove("snapshot")
    store = Store.open(disk, commit_log_file_bytes=file_bytes)
    check(store, written, harm, span)
    if harm.files == before:
        assert {queue: store.max_offset(*queue) for queue in store.queues()} == ends, "offsets go on where they were"
    store.close()
    recovered = log_of(disk)
    assert all(len(data) <= len(harm.files.get(name, b"")) for name, data in recovered.items()), "the log has grown"

    store = Store.open(disk, commit_log_file_bytes=file_bytes)
    assert log_of(disk) == recovered, "what was recovered is recovered again, byte for byte"
    here = contents(store)
    more = write(store, rng, rng.randint(1, 40))
    store.close()
    store = Store.open(disk, commit_log_file_bytes=file_bytes)
    expected = {**here, **{one.place: (one.position, one.body) for one in more}}
    assert contents(store) == expected, "what is written after a recovery is there after the next"
    store.close()


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_log_is_recovered(seed: int) -> None:
    one_case(seed, MemoryDisk())


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_log_in_a_folder_is_recovered(seed: int, tmp_path: Path) -> None:
    one_case(seed, RealDisk(tmp_path))


def in_a_folder(seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="mqcheck-fuzz-") as folder:
        disk = RealDisk(Path(folder))
        one_case(seed, disk)
        disk.close()


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="run this one case alone")
    options = parser.parse_args()
    if options.case is not None:
        one_case(options.case, MemoryDisk())
        return
    ends, case, slowest, warm = time.monotonic() + options.seconds, options.seed, 0.0, 0
    while time.monotonic() < ends:
        began = time.monotonic()
        try:
            in_a_folder(case) if case % REAL_EVERY == 0 else one_case(case, MemoryDisk())
        except BaseException:
            print(f"case {case} failed")
            raise
        slowest = max(slowest, time.monotonic() - began)
        case += 1
        if case == options.seed + 200:
            warm = peak_kib()
    grown = peak_kib() - warm if warm else 0
    print(f"{case - options.seed} cases; the slowest took {slowest:.2f} s; grown by {grown} KiB since the first 200")
    if grown > GROWTH_KIB_MAX:
        raise SystemExit(f"memory grew by {grown} KiB, {GROWTH_KIB_MAX} are allowed")


if __name__ == "__main__":
    main()
