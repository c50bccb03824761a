"""SYNC_FLUSH: answers that wait until their message is on the disk, in the order of the log.

The shell syncs (one sync serves everybody who waits: group commit) and reports the position that is covered. Must
not sync itself. Source: RocketMQ CommitLog.GroupCommitService.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from msgspec import Struct, field

from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command


class _Waiter(NamedTuple):
    position: int
    deadline_ms: int
    conn: int
    reply: Command
    late: Command


class FlushWaiters(Struct):
    """Who waits for the disk. Positions and deadlines only grow, so the first in line is always the next to go.

    Its length is bounded by the store, which refuses appends while too many bytes are unsynced.
    """

    line: deque[_Waiter] = field(default_factory=deque)

    def wait(self, conn: int, reply: Command, late: Command, position: int, deadline_ms: int) -> None:
        """Answer ``reply`` once ``position`` (end of the record, in the log) is synced, or ``late`` at the deadline."""
        self.line.append(_Waiter(position, deadline_ms, conn, reply, late))

    def flushed(self, position: int) -> list[Effect]:
        """Everything below ``position`` is on the disk."""
        effects: list[Effect] = []
        while self.line and self.line[0].position <= position:
            waiter = self.line.popleft()
            effects.append(Reply(waiter.conn, waiter.reply))
        return effects

    def expired(self, now_ms: int) -> list[Effect]:
        """Those who waited for ``syncFlushTimeout``: stored, but the flush is not confirmed (code 10)."""
        effects: list[Effect] = []
        while self.line and self.line[0].deadline_ms <= now_ms:
            waiter = self.line.popleft()
            effects.append(Reply(waiter.conn, waiter.late))
        return effects

    def next_deadline_ms(self) -> int | None:
        """When the first in line gives up."""
        return self.line[0].deadline_ms if self.line else None
