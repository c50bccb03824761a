"""A damaged record behind the last whole one of a commit log: what a write leaves that was under way when the power
failed. What had been written before is not touched, so nothing that was acknowledged is lost by it.

Pure, but for `spoil_log`. The layout of a record is RocketMQ's (CommitLog, MessageDecoder).
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final, Literal

from mqcheck.errors import FaultError
from mqcheck.rocketmq.survey import last_record_in

Spoil = Literal["flip", "torn", "cut"]
"""What is wrong with a record: one bit, its last part is zeros, or its last part is not there."""

QUEUE_OFFSET_AT: Final = 20
"""Where a record has its offset in the queue, 8 bytes; its position in the log follows."""

BODY_LENGTH_AT: Final = 84
"""Where a record with IPv4 addresses has the length of its body, 4 bytes; the body follows."""

WRITTEN: Final = 0.6
"""How much of a torn record was written. Ours."""


def bad_record(data: bytes, rng: random.Random, how: Spoil) -> tuple[int, bytes] | None:
    """Where the whole records of a log's file end, and what is to be put there; None where it has no record.

    The record that would come next if the last one were sent again, and damaged: one bit of its body (its magic
    number, where it has none), or its end.
    """
    last = last_record_in(data)
    if last is None:
        return None
    at, size = last
    record = bytearray(data[at : at + size])
    for place, step in ((QUEUE_OFFSET_AT, 1), (QUEUE_OFFSET_AT + 8, size)):
        number = int.from_bytes(record[place : place + 8]) + step
        record[place : place + 8] = number.to_bytes(8)
    written = int(size * WRITTEN)
    if how == "flip":
        body_bytes = int.from_bytes(record[BODY_LENGTH_AT : BODY_LENGTH_AT + 4])
        place = BODY_LENGTH_AT + 4 + rng.randrange(body_bytes) if body_bytes else 4
        record[place] ^= 1 << rng.randrange(8)
    elif how == "torn":
        record[written:] = bytes(size - written)
    else:
        del record[written:]
    return at + size, bytes(record)


def spoil_log(folder: Path, rng: random.Random, how: Spoil) -> dict[str, Any]:
    """Put it into the newest file of a log that has a record; how many bytes were written. Raises FaultError."""
    for path in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ():
        found = bad_record(path.read_bytes(), rng, how)
        if found is not None:
            with path.open("r+b") as file:
                file.seek(found[0])
                file.write(found[1])
            return {"bytes_written": len(found[1]), "how": how}
    raise FaultError(f"{folder} has no record: wait for acknowledged messages before its end is damaged")
