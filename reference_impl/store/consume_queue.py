"""The consume queue: for each message of one queue, where it is in the commit log. Kept in memory, rebuilt from the
log at start.

RocketMQ keeps the same 20 bytes per message (position 8, size 4, tags code 8) in files of their own and dispatches
to them in a thread of its own; here a message is in its queue as soon as it is in the log, so the two can never
disagree.

Clauses: sto-offset-dense, sto-offset-unique, sto-fifo-queue. Source: rocketmq ConsumeQueue.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

from msgspec import Struct, field


class ConsumeQueue(Struct):
    """Offsets ``min_offset`` to ``max_offset - 1`` of one queue, without gaps."""

    min_offset: int = 0
    """Offset of the first message there is."""
    positions: array[int] = field(default_factory=lambda: array("q"))
    """Position in the commit log of each message, bytes."""
    sizes: array[int] = field(default_factory=lambda: array("i"))
    """Size of each record, bytes."""
    tags_codes: array[int] = field(default_factory=lambda: array("q"))
    """Java's hash of each message's TAGS property, 0 without one."""

    @property
    def max_offset(self) -> int:
        """Offset that the next message gets."""
        return self.min_offset + len(self.positions)

    def forget_before(self, position: int) -> None:
        """Forget messages whose records are gone from the log; the queue begins after them."""
        gone = bisect_left(self.positions, position)
        del self.positions[:gone], self.sizes[:gone], self.tags_codes[:gone]
        self.min_offset += gone

    def add(self, position: int, size: int, tags_code: int) -> None:
        """Take the next message in."""
        self.positions.append(position)
        self.sizes.append(size)
        self.tags_codes.append(tags_code)
