"""Planted bugs of ordered consumption: queue locks with two owners, without end, or without renewal.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from reference_impl.broker.locks import encode_granted
from reference_impl.commands import RETRY_PREFIX, RequestCode, ResponseCode
from reference_impl.delivery.locks import QueueKey
from reference_impl.effects import Effect, Reply
from reference_impl.errors import ReferenceBugError
from reference_impl.frame import Command
from reference_impl.loose_json import dumps, loads_loose
from reference_impl.sabotage.base import CoreSettings, PassingCore, Sabotage, around_core
from reference_impl.server import Core
from reference_impl.settings import BrokerSettings


class TwoLockOwners(PassingCore):
    """Grants every queue to whoever asks, however many own it; ord-queue-lock must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Everything as it is, but each lock is granted."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.LOCK_BATCH_MQ:
            return effects
        return [_granted(effect, command) for effect in effects]


class KeepUnlocked(PassingCore):
    """Answers an unlock with success and keeps the locks; ord-unlock must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Everything but unlocks."""
        if command.code != RequestCode.UNLOCK_BATCH_MQ:
            return super().request(now_ms, conn, peer, command)
        return [] if command.is_oneway else [Reply(conn, command.reply(ResponseCode.SUCCESS))]


class _WatchedLocks(PassingCore):
    """Knows who owns which queue since when, as the answers say."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.owners: dict[tuple[str, QueueKey], tuple[str, int]] = {}
        """(group, queue) → (client, time of its first grant in a row)."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Meddle with the locks before one is asked for, and learn from the answer."""
        if command.code not in (RequestCode.LOCK_BATCH_MQ, RequestCode.UNLOCK_BATCH_MQ):
            return super().request(now_ms, conn, peer, command)
        asked = loads_loose(command.body)
        if not isinstance(asked, dict):
            return super().request(now_ms, conn, peer, command)
        group, client = str(asked.get("consumerGroup")), str(asked.get("clientId"))
        if command.code == RequestCode.UNLOCK_BATCH_MQ:
            for queue in _queues(asked, "mqSet"):
                if self.owners.get((group, queue), ("", 0))[0] == client:
                    del self.owners[group, queue]
            return super().request(now_ms, conn, peer, command)
        for queue in _queues(asked, "mqSet"):
            owner = self.owners.get((group, queue))
            if owner is not None and (code := self.meddle(now_ms, client, *owner)) is not None:
                body = dumps({"consumerGroup": group, "clientId": owner[0], "mqSet": [_entry(queue)]})
                super().request(now_ms, conn, peer, replace(command, code=int(code), body=body))
        effects = super().request(now_ms, conn, peer, command)
        for effect in effects:
            if isinstance(effect, Reply) and effect.command.code == ResponseCode.SUCCESS:
                self._learn(now_ms, group, client, effect.command)
        return effects

    def meddle(self, now_ms: int, client: str, owner: str, since_ms: int) -> RequestCode | None:
        """What is asked in the owner's name before ``client`` gets its answer."""
        raise NotImplementedError

    def _learn(self, now_ms: int, group: str, client: str, answer: Command) -> None:
        for queue in _queues(loads_loose(answer.body), "lockOKMQSet"):
            if self.owners.get((group, queue), ("", 0))[0] != client:
                self.owners[group, queue] = (client, now_ms)


class NeverExpireLocks(_WatchedLocks):
    """Keeps a queue locked until its owner unlocks it; ord-lock-expiry must catch it."""

    def meddle(self, now_ms: int, client: str, owner: str, since_ms: int) -> RequestCode | None:
        """The owner has just renewed it."""
        del now_ms, since_ms
        return RequestCode.LOCK_BATCH_MQ if client != owner else None


class ForgetRenewals(_WatchedLocks):
    """Counts a lock's life from its first grant, renewed or not; ord-lock-renew must catch it."""

    def __init__(self, inner: Core, life_ms: int) -> None:
        super().__init__(inner)
        self.life_ms = life_ms

    def meddle(self, now_ms: int, client: str, owner: str, since_ms: int) -> RequestCode | None:
        """The owner gives it back when the life of its first grant is over."""
        over = client != owner and now_ms - since_ms > self.life_ms
        return RequestCode.UNLOCK_BATCH_MQ if over else None


class RetryGivenUp(PassingCore):
    """Tries a message again that an orderly consumer has given up; ord-orderly-dlq must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Copies that consumers send to a retry topic say that they never failed before."""
        fields = command.fields
        if command.code == RequestCode.SEND_MESSAGE_V2 and fields.get("b", "").startswith(RETRY_PREFIX):
            command = replace(command, fields={**fields, "j": "0"})
        return super().request(now_ms, conn, peer, command)


def _queues(body: dict[str, Any], name: str) -> list[QueueKey]:
    return [(str(entry["topic"]), str(entry["brokerName"]), int(entry["queueId"])) for entry in body.get(name) or ()]


def _entry(queue: QueueKey) -> dict[str, Any]:
    topic, broker, queue_id = queue
    return {"topic": topic, "brokerName": broker, "queueId": queue_id}


def _granted(effect: Effect, asked: Command) -> Effect:
    if not isinstance(effect, Reply) or effect.command.code != ResponseCode.SUCCESS:
        return effect
    queues = _queues(loads_loose(asked.body), "mqSet")
    return Reply(effect.conn, replace(effect.command, body=encode_granted(queues)))


def _forget(core: Core, settings: CoreSettings) -> Core:
    if not isinstance(settings, BrokerSettings):
        raise ReferenceBugError(f"forget-renewals wraps a broker's core, not one with {settings!r}")
    return ForgetRenewals(core, settings.lock_expiry_ms)


SABOTAGES: Final = (
    Sabotage(
        "two-lock-owners",
        "grants a queue lock to everybody who asks",
        "ord-queue-lock",
        wrap_core=around_core(TwoLockOwners),
    ),
    Sabotage(
        "never-expire-locks",
        "keeps a queue locked until its owner unlocks it",
        "ord-lock-expiry",
        wrap_core=around_core(NeverExpireLocks),
    ),
    Sabotage(
        "forget-renewals",
        "counts a queue lock's life from its first grant, renewed or not",
        "ord-lock-renew",
        wrap_core=_forget,
    ),
    Sabotage(
        "retry-given-up",
        "tries a message again that an orderly consumer has given up",
        "ord-orderly-dlq",
        wrap_core=around_core(RetryGivenUp),
    ),
    Sabotage(
        "keep-unlocked",
        "answers an unlock with success and keeps the locks",
        "ord-unlock",
        wrap_core=around_core(KeepUnlocked),
    ),
)
