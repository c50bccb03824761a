"""A log with messages in it, on a disk in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reference_impl.disk import MemoryDisk
from reference_impl.message import Message
from reference_impl.store import Store

FILE_BYTES = 4096


def make_store(disk: MemoryDisk | None = None, file_bytes: int = FILE_BYTES) -> Store:
    return Store.open(disk or MemoryDisk(), commit_log_file_bytes=file_bytes)


def fill(store: Store, count: int, size: int = 100, topic: str = "T") -> None:
    """Append messages of ``size`` bytes to two queues in turn."""
    for number in range(count):
        message = Message(topic, number % 2, b"%d" % number * size, {"TAGS": "a"}, 0, 0, 1, ("127.0.0.1", 5))
        store.append(message, 1_000 + number, ("127.0.0.1", 10911))


def log_bytes(store: Store, begin: int = 0) -> bytes:
    """The whole log from a position on."""
    data = b""
    while piece := store.read_log(begin + len(data), 1 << 20):
        data += piece
    return data


@pytest.fixture(scope="session")
def new_store() -> Callable[..., Store]:
    return make_store


@pytest.fixture(scope="session")
def filled() -> Callable[..., None]:
    return fill


@pytest.fixture(scope="session")
def whole_log() -> Callable[..., bytes]:
    return log_bytes
