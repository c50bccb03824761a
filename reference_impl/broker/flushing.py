"""Answers that wait: until their message is on the disk (SYNC_FLUSH), on a slave (SYNC_MASTER), or both.

Each wait is a line in the order of the log. The shell syncs (one sync serves everybody who waits: group commit) and
the slaves report; each tells the position that is covered. Must not sync or send itself. Source: RocketMQ CommitLog
(GroupCommitService, handleDiskFlushAndHA), GroupTransferService.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct, field
from msgspec.structs import replace

from reference_impl.commands import ResponseCode
from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command


class Answer(Struct, gc=False):
    """What one send will be answered once nothing is waited for any more."""

    conn: int
    command: Command
    """As things stand; a wait that fails replaces it."""
    waits: int = 0
    """Lines that it stands in."""


class _Waiter(Struct, frozen=True, gc=False):
    position: int
    deadline_ms: int
    answer: Answer
    late: ResponseCode


class Line(Struct):
    """Who waits for one thing. Positions and deadlines only grow, so the first in line is always the next to go.

    Its length is bounded by the store, which refuses appends while too many bytes are unsynced, and by the deadlines.
    """

    line: deque[_Waiter] = field(default_factory=deque)

    def wait(self, answer: Answer, late: ResponseCode, position: int, deadline_ms: int) -> None:
        """Hold an answer until ``position`` (end of the record, in the log) is reached; at the deadline its code
        becomes ``late``.
        """
        answer.waits += 1
        self.line.append(_Waiter(position, deadline_ms, answer, late))

    def reached(self, position: int) -> list[Effect]:
        """Everything below ``position`` is where it has to be; the answers that wait for nothing else."""
        effects: list[Effect] = []
        while self.line and self.line[0].position <= position:
            effects += _settled(self.line.popleft().answer)
        return effects

    def expired(self, now_ms: int) -> list[Effect]:
        """Those who waited long enough: stored, but not confirmed.

        The replica's failure hides the disk's, whichever comes first, as in RocketMQ: it has the higher code.
        """
        effects: list[Effect] = []
        while self.line and self.line[0].deadline_ms <= now_ms:
            waiter = self.line.popleft()
            if waiter.late > waiter.answer.command.code:
                waiter.answer.command = stored_but(waiter.answer.command, waiter.late)
            effects += _settled(waiter.answer)
        return effects

    def next_deadline_ms(self) -> int | None:
        """When the first in line gives up."""
        return self.line[0].deadline_ms if self.line else None

    def clock_moved(self, by_ms: int) -> None:
        """The clock was moved on purpose: nobody has waited longer for that."""
        self.line = deque(replace(waiter, deadline_ms=waiter.deadline_ms + by_ms) for waiter in self.line)


def stored_but(answer: Command, code: ResponseCode) -> Command:
    """The answer to a send that is stored, and not as safe as it should be."""
    return replace(answer, code=code, remark=f"[{code.name}]the message is stored")


def _settled(answer: Answer) -> list[Effect]:
    answer.waits -= 1
    return [] if answer.waits else [Reply(answer.conn, answer.command)]
