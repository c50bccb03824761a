"""Planted bug of ordered consumption: a queue with two owners.

The class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from reference_impl.broker.locks import encode_granted
from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.delivery.locks import QueueKey
from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command
from reference_impl.loose_json import loads_loose
from reference_impl.sabotage.base import PassingCore, Sabotage, around_core


class TwoLockOwners(PassingCore):
    """Grants every queue to whoever asks, however many own it; ord-queue-lock must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Everything as it is, but each lock is granted."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.LOCK_BATCH_MQ:
            return effects
        return [_granted(effect, command) for effect in effects]


def _granted(effect: Effect, asked: Command) -> Effect:
    if not isinstance(effect, Reply) or effect.command.code != ResponseCode.SUCCESS:
        return effect
    queues: list[QueueKey] = [
        (str(entry["topic"]), str(entry["brokerName"]), int(entry["queueId"]))
        for entry in loads_loose(asked.body).get("mqSet") or ()
    ]
    return Reply(effect.conn, replace(effect.command, body=encode_granted(queues)))


SABOTAGES: Final = (
    Sabotage(
        "two-lock-owners",
        "grants a queue lock to everybody who asks",
        "ord-queue-lock",
        wrap_core=around_core(TwoLockOwners),
    ),
)
