"""One ownership of one queue by one member: what was pulled, what is unfinished, what may be committed. Pure.

Nothing here talks to a broker or writes the history. Source: ProcessQueue (``rocketmq.md`` §7.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mqcheck.rocketmq.message import StoredRecord
from mqcheck.rocketmq.models import ClientSettings, MessageQueue


@dataclass(slots=True)
class Held:
    """A pulled record that waits for its listener or is with it."""

    record: StoredRecord
    pull: int | None
    """The history's id of the pull that brought it."""
    received_ns: int
    retries: int = 0
    """Deliveries that failed here without leaving this member (orderly suspends, failed send-backs)."""

    @property
    def offset(self) -> int:
        """Offset in its queue."""
        return self.record.queue_offset


@dataclass(slots=True)
class Share:
    """One ownership of one queue, from assigned to revoked."""

    queue: MessageQueue
    session: int
    """The history's id of this ownership."""
    dropped: bool = False
    """Revoked, or the member is gone: results no longer count."""
    next_offset: int | None = None
    """Where the next pull begins; None: not known yet."""
    broker_id: int = 0
    """Which of the group's nodes is pulled from, as the last answer suggested."""
    locked_ns: int | None = None
    """When the queue's lock was last asked for with success (orderly consumers)."""
    committable: int | None = None
    """Everything below is finished; None: nothing learned yet."""
    held: dict[int, Held] = field(default_factory=dict)
    """Unfinished records by offset, in order of arrival, which is the order of offsets."""
    held_bytes: int = 0
    passed: int = 0
    """Highest offset that was pulled, plus one."""

    def put(self, records: list[Held]) -> None:
        """Add pulled records."""
        for item in records:
            if item.offset not in self.held:
                self.held[item.offset] = item
                self.held_bytes += len(item.record.body)

    def finish(self, offset: int) -> None:
        """A record's result stands in the history, or its copy is safe at the broker: it may be committed."""
        item = self.held.pop(offset, None)
        if item is None:
            return
        self.held_bytes -= len(item.record.body)
        lowest = next(iter(self.held), None)
        self.advance(lowest if lowest is not None else max(self.passed, offset + 1))

    def skip_to(self, offset: int) -> None:
        """The broker found nothing for this group below ``offset``: nothing held means nothing unfinished there."""
        self.passed = max(self.passed, offset)
        if not self.held:
            self.advance(offset)

    def go_on(self, offset: int) -> None:
        """The broker has answered everything below ``offset``: that is where the next pull begins."""
        self.skip_to(offset)
        self.next_offset = offset

    def advance(self, offset: int) -> None:
        """Offsets to commit only grow within one ownership."""
        self.committable = offset if self.committable is None else max(self.committable, offset)

    def full(self, settings: ClientSettings, orderly: bool) -> bool:
        """True while no more may be pulled: by count, size, or span (concurrent only)."""
        if len(self.held) > settings.threshold_messages or self.held_bytes > settings.threshold_bytes:
            return True
        return (
            bool(self.held)
            and not orderly
            and next(reversed(self.held)) - self.first().offset > settings.threshold_span
        )

    def first(self) -> Held:
        """The unfinished record with the lowest offset; there must be one."""
        return next(iter(self.held.values()))
