from __future__ import annotations

from reference_impl.store.consume_queue import ConsumeQueue


def test_an_empty_queue_begins_and_ends_at_the_same_offset() -> None:
    assert (ConsumeQueue().min_offset, ConsumeQueue().max_offset) == (0, 0)
    assert (ConsumeQueue(7).min_offset, ConsumeQueue(7).max_offset) == (7, 7)


def test_offsets_are_dense() -> None:
    queue = ConsumeQueue(5)
    for step in range(100):
        assert queue.max_offset == 5 + step
        queue.add(1000 * step, 100 + step, -step)
    assert queue.min_offset == 5
    assert (queue.positions[3], queue.sizes[3], queue.tags_codes[3]) == (3000, 103, -3)


def test_a_message_takes_twenty_bytes_as_in_rocketmq() -> None:
    queue = ConsumeQueue()
    queue.add(2**62, 2**31 - 1, -(2**31))
    columns = (queue.positions, queue.sizes, queue.tags_codes)
    assert sum(column.itemsize for column in columns) == 20
    assert [column[0] for column in columns] == [2**62, 2**31 - 1, -(2**31)]
