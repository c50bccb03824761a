"""Queue locks: at most one member of a group owns a queue that is consumed in order.

Broker memory only: lost at restart. Nobody checks that the queue exists, and nothing sweeps the table: an expired
lock is simply granted to the next who asks. Source: RocketMQ RebalanceLockManager.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

QueueKey = tuple[str, str, int]
"""Topic, broker name, queue id."""
LOCKS_MAX = 1_000_000
"""Locks held in memory at once; ours. The oldest expired ones are dropped when it is reached."""


class QueueLocks(Struct):
    """Who owns which queue, by group."""

    expiry_ms: int
    owners: dict[tuple[str, QueueKey], tuple[str, int]] = field(default_factory=dict)
    """(group, queue) → (client id, time of the last renewal in ms)."""

    def lock(self, group: str, client: str, queues: Iterable[QueueKey], now_ms: int) -> list[QueueKey]:
        """Lock or renew; returns the queues that now belong to ``client``.

        A lock is free when nobody has it or when its last renewal is *more* than ``expiry_ms`` ago.
        """
        granted = []
        for queue in queues:
            holder = self.owners.get((group, queue))
            if holder is None or holder[0] == client or now_ms - holder[1] > self.expiry_ms:
                self.owners[group, queue] = (client, now_ms)
                granted.append(queue)
        if len(self.owners) > LOCKS_MAX:
            self._drop_expired(now_ms)
        return granted

    def unlock(self, group: str, client: str, queues: Iterable[QueueKey]) -> None:
        """Give up; what belongs to somebody else stays."""
        for queue in queues:
            holder = self.owners.get((group, queue))
            if holder is not None and holder[0] == client:
                del self.owners[group, queue]

    def clock_moved(self, by_ms: int) -> None:
        """The clock was moved on purpose: no lock is older for that."""
        self.owners = {key: (client, since_ms + by_ms) for key, (client, since_ms) in self.owners.items()}

    def reset(self) -> None:
        """Forget every lock."""
        self.owners.clear()

    def _drop_expired(self, now_ms: int) -> None:
        self.owners = {key: holder for key, holder in self.owners.items() if now_ms - holder[1] <= self.expiry_ms}
