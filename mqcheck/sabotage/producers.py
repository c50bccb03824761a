"""Bugs planted in the kit's producers: retries, and what a caller is told.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mqcheck.rocketmq.models import ClientSettings, MessageQueue
from mqcheck.rocketmq.seam import Seam, Told
from mqcheck.sabotage.base import ClientSabotage

MORE_RETRIES: Final = 5


class RetryOften(Seam):
    """Tries a send more often than it says; prd-retry must catch it."""

    def settings(self, settings: ClientSettings) -> ClientSettings:
        """More attempts."""
        return replace(settings, send_retries=settings.send_retries + MORE_RETRIES)


class ForgetFailedBroker(Seam):
    """Forgets which broker has just failed; prd-avoid must catch it."""

    def failed_broker(self, broker: str | None) -> str | None:
        """None, whichever it was."""
        del broker
        return None


class AlwaysOk(Seam):
    """Reports success whatever was answered, and when nothing was; prd-no-false-ok must catch it."""

    def told(self, told: Told) -> Told:
        """Success instead of an error."""
        return "ok" if told == "error" else told


class TurnShards(Seam):
    """Sends a sharding key to one queue after the other; ord-shard must catch it."""

    turn = 0

    def shard(self, queue: MessageQueue, queues: Sequence[MessageQueue]) -> MessageQueue:
        """The next one."""
        self.turn += 1
        return queues[self.turn % len(queues)]


SABOTAGES: Final = (
    ClientSabotage("turn-shards", "sends a sharding key to one queue after the other", "ord-shard", TurnShards),
    ClientSabotage("retry-often", "tries a send more often than it says", "prd-retry", RetryOften),
    ClientSabotage("forget-failed-broker", "tries a failed send again at any broker", "prd-avoid", ForgetFailedBroker),
    ClientSabotage("always-ok", "reports success instead of an error", "prd-no-false-ok", AlwaysOk),
)
