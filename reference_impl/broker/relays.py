"""Requests that the broker makes to its clients, and what is to be done with their answers.

A client answers over the connection it had opened itself. Every request has a deadline, and ends once: with the
answer, or with None when the deadline passes or the connection closes. Must not know what is asked. Source: RocketMQ
Broker2Client.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from msgspec import Struct, field

from reference_impl.effects import Effect, Push
from reference_impl.frame import Command

RELAY_TIMEOUT_MS: Final = 10_000
"""How long a client may take to answer [Broker2Client.callClient]."""
WAITING_MAX: Final = 10_000
"""Unanswered requests at once; ours. One more fails at once."""

Then = Callable[[int, Command | None], list[Effect]]
"""Called with the time in ms and the client's answer."""


class _Waiting(NamedTuple):
    deadline_ms: int
    then: Then


class Relays(Struct):
    """All unanswered requests to clients, in the order in which they were made."""

    waiting: dict[tuple[int, int], _Waiting] = field(default_factory=dict)
    """By connection and opaque."""
    opaque: int = 0
    """Of the latest request; both directions of a connection count on their own."""

    def ask(
        self, conn: int, code: int, fields: Mapping[str, str], body: bytes, now_ms: int, then: Then,
        timeout_ms: int = RELAY_TIMEOUT_MS,
    ) -> list[Effect]:  # fmt: skip
        """Send a request to the client at ``conn``; ``then`` gets its answer."""
        if len(self.waiting) >= WAITING_MAX:
            return then(now_ms, None)
        self.opaque = self.opaque % 0x7FFFFFFF + 1
        self.waiting[conn, self.opaque] = _Waiting(now_ms + timeout_ms, then)
        return [Push(conn, Command(code=int(code), opaque=self.opaque, fields=fields, body=body))]

    def answered(self, conn: int, command: Command, now_ms: int) -> list[Effect]:
        """A client's response came; one that nobody waits for (any more) is dropped."""
        waiting = self.waiting.pop((conn, command.opaque), None)
        return waiting.then(now_ms, command) if waiting is not None else []

    def closed(self, conn: int, now_ms: int) -> list[Effect]:
        """A connection ended: nothing will be answered over it."""
        return self._fail([key for key in self.waiting if key[0] == conn], now_ms)

    def expired(self, now_ms: int) -> list[Effect]:
        """Those whose deadline has passed."""
        return self._fail([key for key, waiting in self.waiting.items() if waiting.deadline_ms <= now_ms], now_ms)

    def next_deadline_ms(self) -> int | None:
        """When the next one fails."""
        return min((waiting.deadline_ms for waiting in self.waiting.values()), default=None)

    def clock_moved(self, by_ms: int) -> None:
        """The clock was moved on purpose: no client has had more time for that."""
        self.waiting = {
            key: waiting._replace(deadline_ms=waiting.deadline_ms + by_ms) for key, waiting in self.waiting.items()
        }

    def _fail(self, keys: list[tuple[int, int]], now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        for key in keys:
            effects += self.waiting.pop(key).then(now_ms, None)
        return effects
