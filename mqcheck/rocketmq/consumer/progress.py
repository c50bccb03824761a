"""Where a group stands: the start of a queue and the commits.

Only offsets of finished records are committed (``share.committable``); when, the consumer says. Source:
RebalancePushImpl, RemoteBrokerOffsetStore, LocalFileOffsetStore (``rocketmq.md`` §7.2).
"""

from __future__ import annotations

import asyncio

from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import RETRY_PREFIX, ResponseCode
from mqcheck.rocketmq.consumer.share import Share
from mqcheck.rocketmq.models import FromWhere, MessageQueue, Mode
from mqcheck.rocketmq.offsets import OffsetKind, offset_request


class Progress:
    """The offsets of one member's group. Clustering keeps them at the brokers, broadcasting in this object."""

    def __init__(self, client: Client, group: str, mode: Mode, from_where: FromWhere) -> None:
        self._client = client
        self._group = group
        self._mode = mode
        self._from_where = from_where
        self._local: dict[MessageQueue, int] = {}
        self._turns: dict[MessageQueue, asyncio.Lock] = {}

    async def start_of(self, queue: MessageQueue) -> int | None:
        """Where to begin a queue; None: nobody answered, ask again."""
        if self._mode == "broadcasting":
            stored = self._local.get(queue)
            return stored if stored is not None else await self._fresh(queue)
        outcome, code, position = await self._request("query", queue)
        if outcome == "ok" and position is not None:
            return position
        return await self._fresh(queue) if code == ResponseCode.QUERY_NOT_FOUND else None

    async def _fresh(self, queue: MessageQueue) -> int | None:
        """A group that has no offset: everything, or only what comes."""
        if self._from_where == "first" or queue.topic.startswith(RETRY_PREFIX):
            return 0
        outcome, _, position = await self._request("max", queue)
        return position if outcome == "ok" else None

    async def commit(self, share: Share) -> None:
        """Store what this ownership has finished; commits of one queue go one after another."""
        if share.committable is None:
            return
        if self._mode == "broadcasting":
            self._local[share.queue] = share.committable
            return
        async with self._turns.setdefault(share.queue, asyncio.Lock()):
            await self._request("commit", share.queue, share.committable)

    async def move(self, queue: MessageQueue, offset: int) -> None:
        """Store an offset the broker asked for (PULL_OFFSET_MOVED), whatever was finished."""
        if self._mode == "broadcasting":
            self._local[queue] = offset
            return
        async with self._turns.setdefault(queue, asyncio.Lock()):
            await self._request("commit", queue, offset)

    async def _request(
        self, kind: OffsetKind, queue: MessageQueue, value: int | None = None
    ) -> tuple[str, int | None, int | None]:
        client = self._client
        return await offset_request(
            client,
            kind,
            queue,
            queue.broker,
            client.address_of(queue.broker),
            group=self._group,
            member=client.client_id,
            value=value,
            oneway=kind == "commit" and not client.settings.two_way_commit,
        )
