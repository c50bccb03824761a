"""Fills one share: pull, held by the broker while there is nothing; wait while the cache is full.

What becomes of the records is the services'. Source: DefaultMQPushConsumerImpl.pullMessage (``rocketmq.md`` §7.1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import P_TAGS, ResponseCode
from mqcheck.rocketmq.consumer.progress import Progress
from mqcheck.rocketmq.consumer.share import Held, Share
from mqcheck.rocketmq.heartbeat import Subscription
from mqcheck.rocketmq.models import PullAnswer
from mqcheck.rocketmq.pulling import PullRequest, pull
from mqcheck.rocketmq.routes import node_name

_UNKNOWN_THERE: Final = frozenset(
    {
        ResponseCode.SUBSCRIPTION_NOT_EXIST,
        ResponseCode.SUBSCRIPTION_NOT_LATEST,
        ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
    }
)
"""Answers of a broker that has not heard this member yet, or forgot it in a restart."""


class Service(Protocol):
    """Empties shares."""

    orderly: bool

    def ready(self, share: Share) -> bool:
        """True when the share may be pulled now (an orderly share: while its lock is trusted)."""
        ...

    def submit(self, share: Share, items: list[Held]) -> None:
        """Records have arrived."""
        ...


class PullLoop:
    """Pulls one share until it is dropped."""

    def __init__(
        self,
        client: Client,
        group: str,
        share: Share,
        subscription: Subscription,
        progress: Progress,
        service: Service,
        moved: Callable[[Share, int], None],
    ) -> None:
        self._client = client
        self._group = group
        self._share = share
        self._subscription = subscription
        self._progress = progress
        self._service = service
        self._moved = moved

    async def run(self) -> None:
        """Find the start, then pull; ends when the share is dropped or the broker moves it."""
        share, settings = self._share, self._client.settings
        while not share.dropped and share.next_offset is None:
            share.next_offset = await self._progress.start_of(share.queue)
            if share.next_offset is None:
                await asyncio.sleep(settings.pull_retry_ms / 1000)
        while not share.dropped:
            if share.full(settings, self._service.orderly) or not self._service.ready(share):
                await asyncio.sleep(settings.flow_control_ms / 1000)
                continue
            answer = await self._pull()
            if not share.dropped and not self._client.silent:
                await self._take(answer)

    async def _pull(self) -> PullAnswer:
        share, settings, client = self._share, self._client.settings, self._client
        address = client.address_of(share.queue.broker, share.broker_id)
        if address is None:
            share.broker_id = 0
            address = client.address_of(share.queue.broker)
        if address is None:
            return PullAnswer("unsent", remark=f"broker {share.queue.broker} is in no route")
        request = PullRequest(
            queue=share.queue,
            group=self._group,
            member=client.client_id,
            session=share.session,
            position=share.next_offset or 0,
            max_num=settings.pull_batch,
            hold_ms=settings.suspend_ms,
            timeout_ms=settings.pull_timeout_ms,
            sub_version=self._subscription.version,
            expression_type=self._subscription.kind,
        )
        return await pull(client, request, node_name(share.queue.broker, share.broker_id), address)

    async def _take(self, answer: PullAnswer) -> None:
        share = self._share
        if answer.outcome != "ok" or answer.next_offset is None:
            await self._failed(answer)
            return
        if answer.code == ResponseCode.PULL_OFFSET_MOVED:
            self._moved(share, answer.next_offset)
            return
        now = self._client.recorder.clock.monotonic_ns()
        items = [
            Held(record, answer.op, now)
            for record in answer.records
            if self._client.seam.wanted(self._subscription.accepts(record.properties.get(P_TAGS)))
        ]
        share.put(items)
        share.go_on(answer.next_offset)
        if answer.suggested_broker_id is not None:
            share.broker_id = answer.suggested_broker_id
        if items:
            self._service.submit(share, items)

    async def _failed(self, answer: PullAnswer) -> None:
        share, client = self._share, self._client
        share.broker_id = 0
        address = client.address_of(share.queue.broker)
        if answer.code in _UNKNOWN_THERE and address is not None:
            await client.heartbeat_to(address)
        await asyncio.sleep(client.settings.pull_retry_ms / 1000)
