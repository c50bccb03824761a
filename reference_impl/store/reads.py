"""Reading one queue: which of its messages are answered, and their bytes with as few reads as possible.

Must not know which queues there are. Source: rocketmq DefaultMessageStore.getMessage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from reference_impl.errors import RecordError
from reference_impl.message import decode_record
from reference_impl.store.commit_log import CommitLog
from reference_impl.store.consume_queue import ConsumeQueue

READ_BYTES_MAX: Final = 262144
"""Record bytes of one read, unless its first record alone is longer: RocketMQ's maxTransferBytesOnMessageInMemory."""

SCANNED_MESSAGES: Final = 800
"""Messages one read looks at, wanted or not, unless more are asked for: RocketMQ's maxFilterMessageCount, which is
16000 bytes of queue in units of 20.
"""
SCANNED_MESSAGES_MAX: Final = 16_000
"""Messages one read looks at, however many are asked for; ours, because nothing else is served meanwhile."""

_SPAN_FACTOR: Final = 4
"""Records are fetched with one read when the bytes from the first to the last are at most this many times their own."""


class Read(Struct, frozen=True):
    """What a read found. RocketMQ: GetMessageResult."""

    status: str
    """RocketMQ's GetMessageStatus by name: FOUND, NO_MATCHED_MESSAGE, NO_MESSAGE_IN_QUEUE, OFFSET_TOO_SMALL,
    OFFSET_OVERFLOW_ONE, OFFSET_OVERFLOW_BADLY."""
    records: bytes
    """Whole records, back to back, as a pull answers them."""
    count: int
    """Records in ``records``."""
    next_offset: int
    """Queue offset to read from next: after the last message looked at, or where the queue begins or ends."""
    min_offset: int
    """Queue offset of the first message there is."""
    max_offset: int
    """Queue offset that the next message will get."""


def wanted_by(
    log: CommitLog,
    queue: ConsumeQueue,
    accept: Callable[[int], bool] | None,
    accept_properties: Callable[[Mapping[str, str]], bool] | None,
) -> Callable[[int], bool] | None:
    """The test to put to the message at an index of a queue; None where all are wanted."""
    if accept_properties is None:
        return None if accept is None else lambda index: accept(queue.tags_codes[index])

    def wanted(index: int) -> bool:
        if accept is not None and not accept(queue.tags_codes[index]):
            return False
        data = log.read(queue.positions[index], queue.sizes[index])
        try:
            properties = decode_record(data, check_crc=False).properties
        except RecordError:
            return False  # damaged since it was stored: what is after it can still be read
        return accept_properties(properties)

    return wanted


def choose(
    queue: ConsumeQueue,
    start: int,
    max_num: int,
    max_bytes: int,
    wanted: Callable[[int], bool] | None,
    scanned: int = SCANNED_MESSAGES,
) -> tuple[list[int], int]:
    """Indexes of the messages to answer, and how many were looked at: at least as many as ``scanned`` says."""
    chosen: list[int] = []
    taken = 0
    end = min(len(queue.positions), start + max(SCANNED_MESSAGES, min(scanned, SCANNED_MESSAGES_MAX)))
    for index in range(start, end):
        size = queue.sizes[index]
        if chosen and (len(chosen) >= max_num or taken + size > max_bytes):
            return chosen, index - start
        if wanted is not None and not wanted(index):
            continue
        chosen.append(index)
        taken += size
    return chosen, end - start


def fetch(log: CommitLog, queue: ConsumeQueue, chosen: list[int]) -> bytes:
    """The bytes of the chosen messages, with one read where they lie close together."""
    spans = [(queue.positions[index], queue.sizes[index]) for index in chosen]
    if len(spans) < 2:
        return b"".join(log.read(*span) for span in spans)
    first = spans[0][0]
    last = spans[-1][0] + spans[-1][1]
    wanted = sum(size for _, size in spans)
    if last - first > _SPAN_FACTOR * wanted or last > log.file_end(first):
        return b"".join(log.read(*span) for span in spans)
    data = log.read(first, last - first)
    if len(data) == wanted:
        return data
    return b"".join([data[position - first : position - first + size] for position, size in spans])
