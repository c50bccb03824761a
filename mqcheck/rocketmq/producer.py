"""The producer. (Signatures; bodies follow.)"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.models import MessageQueue, Outgoing, SendOutcome


class Producer:
    """Sends messages as the official client does: retries, broker avoidance, one UNIQ_KEY for all attempts."""

    def __init__(self, client: Client, group: str) -> None:
        raise NotImplementedError

    async def send(
        self,
        message: Outgoing,
        *,
        queue: MessageQueue | None = None,
        worker: str = "w0",
        timeout_ms: int | None = None,
        retries: int | None = None,
    ) -> SendOutcome:
        """Send and wait; never raises for what a broker or a link does. A given ``queue`` means one attempt."""
        raise NotImplementedError

    async def send_async(
        self, message: Outgoing, *, queue: MessageQueue | None = None, worker: str = "w0"
    ) -> asyncio.Task[SendOutcome]:
        """Start a send; waits only while ``settings.async_outstanding`` are under way."""
        raise NotImplementedError

    async def send_oneway(
        self, message: Outgoing, *, queue: MessageQueue | None = None, worker: str = "w0"
    ) -> SendOutcome:
        """Write and forget: outcome "unknown" (or "error" when nothing left)."""
        raise NotImplementedError

    async def send_batch(
        self,
        messages: Sequence[Outgoing],
        *,
        queue: MessageQueue | None = None,
        worker: str = "w0",
        timeout_ms: int | None = None,
        retries: int | None = None,
    ) -> list[SendOutcome]:
        """SEND_BATCH_MESSAGE: one topic, one wait_store, no delay levels (ValueError otherwise)."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Wait until no asynchronous send is under way."""
        raise NotImplementedError

    async def queues(self, topic: str) -> tuple[MessageQueue, ...]:
        """The writable queues of a topic by the client's route (empty when there is none)."""
        raise NotImplementedError
