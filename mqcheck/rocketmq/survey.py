"""Reads the bytes of a broker's commit log, without the broker: which records a disk has after its power failed.

The files hold stored records back to back (`message`), each file begins with one. After a hole or a torn record the
search goes on at the next whole one: what is on the disk is one question, what a broker makes of it another. Nothing
is judged here.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from mqcheck.errors import FrameError
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.codes import P_MQC, P_UNIQ_KEY
from mqcheck.rocketmq.message import MAGIC_V1, MAGIC_V2, StoredRecord, decode_record
from mqcheck.rocketmq.sendheader import parse_mqc

RECORD_BYTES_MAX: Final = 8 * 1024 * 1024
"""Longer than any record of a broker that refuses bodies over 4 MiB, as RocketMQ does."""

_MAGICS: Final = tuple(magic.to_bytes(4, "big") for magic in (MAGIC_V1, MAGIC_V2))
_COMMON: Final = _MAGICS[0][:3]
"""What both magic numbers begin with."""
_SIZE_BYTES: Final = 4


def survey(recorder: Recorder, records: Iterable[StoredRecord], node: str, broker: str, life: int) -> int:
    """Write the records that a life's log was found to hold to `surveys` and `surveyed`; how many. Blocks."""
    op = recorder.begin("surveys", node=node, broker=broker, life=life)
    count = 0
    for record in records:
        count += 1
        message, attempt = parse_mqc(record.properties.get(P_MQC), recorder.run)
        recorder.point(
            "surveyed",
            parent=op,
            node=node,
            broker=broker,
            topic=record.topic,
            queue=record.queue_id,
            queue_offset=record.queue_offset,
            physical_offset=record.physical_offset,
            message=message,
            attempt=attempt,
            unique_key=record.properties.get(P_UNIQ_KEY),
            store_time=record.store_time_ms,
        )
    recorder.end("surveys", op, outcome="ok", records=count)
    return count


def records_below(folder: Path) -> Iterator[StoredRecord]:
    """Every record in the files of a log's folder; one that is not there holds none: a cut took its name."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield from records_in(data)


def records_in(data: bytes | mmap.mmap) -> Iterator[StoredRecord]:
    """Every whole record with a fitting checksum in the bytes of a log's file, wherever it stands."""
    at = 0
    while (found := data.find(_COMMON, at)) >= 0:
        record = _record_at(data, found - _SIZE_BYTES)
        if record is None:
            at = found + 1
            continue
        size, value = record
        yield value
        at = found - _SIZE_BYTES + size


def last_record_in(data: bytes) -> tuple[int, int] | None:
    """Where the last whole record with a fitting checksum begins in the bytes of a log's file, and its size."""
    last = None
    at = 0
    while (found := data.find(_COMMON, at)) >= 0:
        record = _record_at(data, found - _SIZE_BYTES)
        at = found + 1
        if record is not None:
            last = found - _SIZE_BYTES, record[0]
            at = last[0] + last[1]
    return last


def _record_at(data: bytes | mmap.mmap, at: int) -> tuple[int, StoredRecord] | None:
    if at < 0 or data[at + _SIZE_BYTES : at + 2 * _SIZE_BYTES] not in _MAGICS:
        return None
    size = int.from_bytes(data[at : at + _SIZE_BYTES], "big")
    if not _SIZE_BYTES < size <= min(RECORD_BYTES_MAX, len(data) - at):
        return None
    try:
        record = decode_record(data[at : at + size])
    except FrameError:
        return None
    return (size, record) if record.crc_ok else None
