"""Held pulls: a pull that finds nothing waits for a message, or for the scan after its time.

A message that the pull's filter accepts wakes it at once. Otherwise the scan, every ``holdScanMs``, wakes those
whose time is up and those whose queue has grown by messages they do not want (so that their offset advances); an
unwanted message wakes those whose time is up, too. Must
not read messages: it says *who* wakes, the pull handler runs them again. Source: RocketMQ PullRequestHoldService.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from reference_impl.delivery.filters import Filter
from reference_impl.frame import Command

HELD_MAX = 100_000
"""Held pulls at once; ours. One more is answered at once, as if it had not asked to be held."""


class HeldPull(Struct, frozen=True):
    """One waiting pull."""

    conn: int
    peer: tuple[str, int]
    command: Command
    topic: str
    queue_id: int
    offset: int
    filter: Filter | None
    until_ms: int
    """Broker's clock; answered at the first scan at or after it."""


class HeldPulls(Struct):
    """All waiting pulls by queue."""

    waiting: dict[tuple[str, int], list[HeldPull]] = field(default_factory=dict)
    count: int = 0

    def hold(self, pull: HeldPull) -> bool:
        """Keep a pull; False when too many wait already."""
        if self.count >= HELD_MAX:
            return False
        self.waiting.setdefault((pull.topic, pull.queue_id), []).append(pull)
        self.count += 1
        return True

    def arrived(
        self, topic: str, queue_id: int, tags_code: Callable[[], int], properties: Mapping[str, str], now_ms: int
    ) -> list[HeldPull]:
        """A message was stored; the pulls that want it or whose time is up, taken out. ``tags_code`` is only computed
        when one waits.
        """
        pulls = self.waiting.get((topic, queue_id))
        if not pulls:
            return []
        code = tags_code()
        woken = [
            pull
            for pull in pulls
            if pull.filter is None or now_ms >= pull.until_ms or pull.filter.accepts(code, properties)
        ]
        self._take(woken, (topic, queue_id))
        return woken

    def scan(self, now_ms: int, max_offset: Callable[[str, int], int]) -> list[HeldPull]:
        """The pulls whose time is up or whose queue has grown, taken out."""
        woken = []
        for key, pulls in list(self.waiting.items()):
            end = max_offset(*key)
            due = [pull for pull in pulls if now_ms >= pull.until_ms or end > pull.offset]
            self._take(due, key)
            woken += due
        return woken

    def closed(self, conn: int) -> None:
        """A connection ended: nobody is left to be answered."""
        for key, pulls in list(self.waiting.items()):
            self._take([pull for pull in pulls if pull.conn == conn], key)

    def clear(self) -> None:
        """Forget every waiting pull."""
        self.waiting.clear()
        self.count = 0

    def _take(self, woken: list[HeldPull], key: tuple[str, int]) -> None:
        if not woken:
            return
        gone = {id(pull) for pull in woken}
        left = [pull for pull in self.waiting[key] if id(pull) not in gone]
        self.count -= len(woken)
        if left:
            self.waiting[key] = left
        else:
            del self.waiting[key]
