"""Which messages of a queue one read answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.disk import MemoryDisk
from reference_impl.store import Store
from reference_impl.store.consume_queue import ConsumeQueue
from reference_impl.store.reads import SCANNED_MESSAGES, SCANNED_MESSAGES_MAX, choose


def queue(sizes: list[int]) -> ConsumeQueue:
    made, at = ConsumeQueue(), 0
    for number, size in enumerate(sizes):
        made.add(at, size, number % 2)
        at += size
    return made


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(0, 59), st.integers(1, 40), st.integers(1, 900)
)
def test_a_read_stays_within_its_limits_and_answers_at_least_one(
    sizes: list[int], start: int, max_num: int, max_bytes: int
) -> None:
    start = min(start, len(sizes) - 1)
    chosen, looked_at = choose(queue(sizes), start, max_num, max_bytes, None)
    assert chosen == list(range(start, start + looked_at)), "in order, without gaps"
    assert 1 <= len(chosen) <= max_num
    assert len(chosen) == 1 or sum(sizes[index] for index in chosen) <= max_bytes
    if start + looked_at < len(sizes):
        more = sum(sizes[start : start + looked_at + 1])
        assert len(chosen) == max_num or more > max_bytes, "no fewer than it may"


@pytest.mark.parametrize("asked", [0, 1000, 1 << 30])
def test_who_asks_for_more_has_more_looked_at(asked: int) -> None:
    unwanted = queue([1] * (SCANNED_MESSAGES_MAX + 5))
    chosen, looked_at = choose(unwanted, 0, 32, 1 << 30, lambda index: False, asked)
    assert not chosen
    assert looked_at == {0: SCANNED_MESSAGES, 1000: 1000}.get(asked, SCANNED_MESSAGES_MAX)


@pytest.mark.parametrize("count", [10, SCANNED_MESSAGES + 10])
def test_unwanted_messages_are_looked_at_up_to_a_limit(count: int) -> None:
    chosen, looked_at = choose(queue([1] * count), 0, 1000, 1 << 30, lambda index: index % 2 == 1)
    assert looked_at == min(count, SCANNED_MESSAGES)
    assert chosen == list(range(1, looked_at, 2))


def test_a_damaged_record_is_no_reason_to_read_no_further(make_message: Any) -> None:
    disk = MemoryDisk()
    store = Store.open(disk)
    places = [store.append(make_message(b"m", tags="A"), 1, ("127.0.0.1", 1)) for _ in range(3)]
    name = disk.list("commitlog/")[0]
    data = bytearray(disk.read_file(name) or b"")
    at = places[1].physical_offset
    data[at : at + places[1].size] = bytes(places[1].size)
    store.sync()
    store.save()
    disk.replace(name, bytes(data), durable=True)
    store = Store.open(disk)
    read = store.read("orders", 0, 0, 32, accept_properties=lambda properties: properties["TAGS"] == "A")
    assert (read.status, read.count, read.next_offset) == ("FOUND", 2, 3)
