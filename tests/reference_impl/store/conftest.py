from __future__ import annotations

from collections.abc import Callable

import pytest

from reference_impl.message import Message, decode_record
from reference_impl.store import Store


@pytest.fixture
def make_message() -> Callable[..., Message]:
    def make(body: bytes = b"hello", topic: str = "orders", queue_id: int = 0, tags: str = "", **more: str) -> Message:
        properties = {"UNIQ_KEY": "0A", **more} | ({"TAGS": tags} if tags else {})
        return Message(topic, queue_id, body, properties, 0, 0, 1_000, ("127.0.0.1", 50_000))

    return make


@pytest.fixture
def read_bodies() -> Callable[[Store], dict[tuple[str, int], list[bytes]]]:
    """All bodies of a store by queue; checks on the way that offsets have no gap and records are where they say."""

    def read(store: Store) -> dict[tuple[str, int], list[bytes]]:
        found: dict[tuple[str, int], list[bytes]] = {}
        for topic, queue_id in store.queues():
            bodies = found[topic, queue_id] = []
            low, high = store.min_offset(topic, queue_id), store.max_offset(topic, queue_id)
            for offset in range(low, high):
                answer = store.read(topic, queue_id, offset, 1)
                assert (answer.status, answer.count, answer.next_offset) == ("FOUND", 1, offset + 1)
                record = decode_record(answer.records)
                assert (record.topic, record.queue_id, record.queue_offset) == (topic, queue_id, offset)
                assert store.record_at(record.physical_offset) == record
                bodies.append(record.body)
        return found

    return read
