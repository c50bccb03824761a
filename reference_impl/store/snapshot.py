"""The snapshot of a clean stop: consume queues and index as they were when the log ended at a position.

With it a start reads only what the log has beyond that position. It is never more than a saving of time: what does not
fit the log, or is damaged, is left aside, and the whole log is read. The bytes before the position were synced before
the snapshot was written, and a log is only ever appended to, so a snapshot stays true after later kills too.

Layout: a checksum of all that follows (4 bytes), the length of a JSON header (4 bytes), the header, then the arrays in
its order. Source: rocketmq keeps queues and index in files and a checkpoint beside them (StoreCheckpoint).
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from typing import Final

import msgspec
from msgspec import Struct

from reference_impl.disk import Disk
from reference_impl.store.consume_queue import ConsumeQueue
from reference_impl.store.index import KeyIndex

NAME: Final = "snapshot"
FORMAT: Final = 1

_HEAD: Final = struct.Struct(">II")


class Snapshot(Struct):
    """What the store knows besides the log."""

    end_position: int
    """Where the log ended."""
    queues: dict[tuple[str, int], ConsumeQueue]
    index: KeyIndex


class _QueueHeader(Struct, array_like=True):
    topic: str
    queue_id: int
    min_offset: int
    count: int


class _Header(Struct):
    format: int
    byte_order: str
    end_position: int
    queues: list[_QueueHeader]
    keys: int


def write_snapshot(disk: Disk, snapshot: Snapshot) -> None:
    """Put a snapshot in place of an earlier one, durably. Raises ``OSError``; the store goes on without one then."""
    headers = [
        _QueueHeader(topic, queue_id, queue.min_offset, len(queue.positions))
        for (topic, queue_id), queue in snapshot.queues.items()
    ]
    index = snapshot.index
    header = msgspec.json.encode(_Header(FORMAT, sys.byteorder, snapshot.end_position, headers, len(index.positions)))
    parts = [header]
    for queue in snapshot.queues.values():
        parts += [queue.positions.tobytes(), queue.sizes.tobytes(), queue.tags_codes.tobytes()]
    parts += [index.hashes.tobytes(), index.positions.tobytes()]
    body = b"".join(parts)
    checksum = zlib.crc32(body, zlib.crc32(len(header).to_bytes(4, "big")))
    disk.replace(NAME, _HEAD.pack(checksum, len(header)) + body, durable=True)


def read_snapshot(disk: Disk) -> Snapshot | None:
    """The snapshot, None when there is none or it is damaged or of another format."""
    data = disk.read_file(NAME)
    if data is None or len(data) < _HEAD.size:
        return None
    checksum, length = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if zlib.crc32(body, zlib.crc32(length.to_bytes(4, "big"))) != checksum:
        return None
    try:
        header = msgspec.json.decode(body[:length], type=_Header)
    except msgspec.MsgspecError:
        return None
    if header.format != FORMAT or header.byte_order != sys.byteorder:
        return None
    taker = _Taker(body[length:])
    queues = {
        (one.topic, one.queue_id): ConsumeQueue(
            one.min_offset, taker.take("q", one.count), taker.take("i", one.count), taker.take("q", one.count)
        )
        for one in header.queues
    }
    index = KeyIndex(taker.take("I", header.keys), taker.take("q", header.keys))
    return Snapshot(header.end_position, queues, index)


class _Taker:
    """Takes arrays off a buffer."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, kind: str, count: int) -> array[int]:
        found: array[int] = array(kind)
        size = count * found.itemsize
        found.frombytes(self._data[self._at : self._at + size])
        self._at += size
        return found
