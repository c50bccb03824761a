"""The push consumer: long polling, flow control, concurrent and orderly listeners. (Signatures; bodies follow.)"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.models import Delivery, FromWhere, ListenerResult, MessageQueue, Misbehaviour, Mode

Listener = Callable[[Delivery], Awaitable[ListenerResult]]


class Consumer:
    """One member of a consumer group."""

    def __init__(
        self,
        client: Client,
        group: str,
        subscriptions: Mapping[str, str],
        listener: Listener,
        *,
        mode: Mode = "clustering",
        orderly: bool = False,
        from_where: FromWhere = "first",
        max_reconsume: int = 16,
        misbehave: Misbehaviour | None = None,
    ) -> None:
        """``subscriptions``: topic → tag expression ("*", "A || B")."""
        raise NotImplementedError

    group: str
    member: str
    deliveries: int
    """Deliveries so far."""

    async def start(self) -> None:
        """Heartbeat, rebalance, begin to pull."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop pulling, let running listeners finish, commit, unlock, unregister."""
        raise NotImplementedError

    def owned(self) -> tuple[MessageQueue, ...]:
        """Queues this member pulls now, retry topic included."""
        raise NotImplementedError

    async def rebalance(self) -> None:
        """Rebalance now instead of at the next period."""
        raise NotImplementedError


__all__ = ["Consumer", "Listener"]
