"""How fast the store is, beside plain system calls on the same bytes in the same run: ``python benchmarks/store.py``.

Ratios, since absolute figures say more about the machine than about the store. Each is the median of several rounds.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reference_impl.disk import RealDisk
from reference_impl.message import Message
from reference_impl.store import Store

MESSAGES = 20_000
ROUNDS = 5
READS = 2_000
BATCH = 32
HOST = ("127.0.0.1", 10911)
BODY = bytes(200)


def message(number: int) -> Message:
    """One message of the load: eight queues, three tags."""
    properties = {
        "KEYS": f"key-{number}",
        "TAGS": "abc"[number % 3],
        "UNIQ_KEY": f"{number:032X}",
        "CLUSTER": "DefaultCluster",
    }
    return Message("bench", number % 8, BODY, properties, 0, 0, 1_700_000_000_000, ("127.0.0.1", 50000))


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def plain_writes(path: Path, records: list[bytes]) -> None:
    """The same records with one system call each and nothing else."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for record in records:
        os.write(handle, record)
    os.close(handle)


def fill(store: Store, messages: list[Message]) -> None:
    """Append everything."""
    for one in messages:
        store.append(one, 1_700_000_000_000, HOST)


def read_all(store: Store) -> None:
    """Reads of a full batch all over the queues."""
    for number in range(READS):
        store.read("bench", number % 8, (number * 17) % (MESSAGES // 8 - BATCH), BATCH)


def one_round(folder: Path, messages: list[Message]) -> dict[str, float]:
    """All measurements once, in a fresh folder."""
    root = folder / "store"
    found = {"open an empty folder, ms": seconds(lambda: Store.open(RealDisk(root)).close()) * 1e3}
    store = Store.open(RealDisk(root))
    appending = seconds(lambda: fill(store, messages))
    records = [store.read("bench", n % 8, n // 8, 1).records for n in range(MESSAGES)]
    plain = seconds(lambda: plain_writes(folder / "plain", records))
    found["appends per second"] = MESSAGES / appending
    found["append, times a plain write"] = appending / plain
    found["read of 32 records, µs"] = seconds(lambda: read_all(store)) / READS * 1e6
    found["sync of all, ms"] = seconds(store.sync) * 1e3
    store.close()
    found["recovery, µs per record"] = seconds(lambda: Store.open(RealDisk(root)).close()) / MESSAGES * 1e6
    return found


def main() -> None:
    """Measure and print."""
    messages = [message(number) for number in range(MESSAGES)]
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(one_round(Path(folder), messages))
    for name in rounds[0]:
        values = [found[name] for found in rounds]
        print(f"{name:32} {statistics.median(values):12.2f}   (from {min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
