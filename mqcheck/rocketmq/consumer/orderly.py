"""The orderly service: one message of a queue at a time, in order, only while its lock is held.

Source: ConsumeMessageOrderlyService (``rocketmq.md`` §7.5). Differs on purpose in one point: a lock that was refused or
had run out ends the ownership, and the queue is begun anew from the committed offset: nothing cached from before is
consumed behind another owner's back.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.consumer.giving_up import give_up
from mqcheck.rocketmq.consumer.listening import Listening
from mqcheck.rocketmq.consumer.share import Held, Share
from mqcheck.rocketmq.locks import lock_request
from mqcheck.rocketmq.models import MessageQueue


class OrderlyService:
    """Gives each share's records to the listener one after another."""

    orderly = True

    def __init__(
        self,
        client: Client,
        group: str,
        listening: Listening,
        max_reconsume: int | None,
        lost: Callable[[Share], None],
        *,
        locking: bool,
    ) -> None:
        """``lost`` is called for a share whose lock is gone; ``locking`` is False for broadcasting."""
        self._client = client
        self._group = group
        self._listening = listening
        self._max_reconsume = max_reconsume
        self._lost = lost
        self._locking = locking
        self._arrived: dict[int, asyncio.Event] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._stopping = False

    def ready(self, share: Share) -> bool:
        """True while the queue's lock is trusted."""
        if not self._locking:
            return True
        life_ns = self._client.settings.lock_life_ms * 1_000_000
        now = self._client.recorder.clock.monotonic_ns()
        return share.locked_ns is not None and now - share.locked_ns < life_ns

    def submit(self, share: Share, items: list[Held]) -> None:
        """Records have arrived."""
        event = self._arrived.setdefault(share.session, asyncio.Event())
        event.set()
        if share.session not in self._tasks:
            self._tasks[share.session] = self._client.spawn(self._work(share, event))

    async def finish_share(self, share: Share, wait_ms: int) -> None:
        """Wait for a dropped share's running listener; one that takes longer is cancelled."""
        event = self._arrived.pop(share.session, None)
        task = self._tasks.pop(share.session, None)
        if event is not None:
            event.set()
        if task is None:
            return
        await asyncio.wait({task}, timeout=wait_ms / 1000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def lock(self, queues: Iterable[MessageQueue]) -> dict[MessageQueue, int]:
        """Lock queues at their brokers; gives the granted ones with the time they were asked for."""
        granted: dict[MessageQueue, int] = {}
        for broker, its in _by_broker(queues).items():
            asked_ns = self._client.recorder.clock.monotonic_ns()
            _, done = await self._request("lock", broker, its)
            granted.update(dict.fromkeys(done & set(its), asked_ns))
        return granted

    async def relock(self, shares: Iterable[Share]) -> None:
        """Renew the locks of owned queues; a refused or outlived one ends the ownership."""
        owned = {share.queue: share for share in shares if not share.dropped}
        for broker, queues in _by_broker(owned).items():
            asked_ns = self._client.recorder.clock.monotonic_ns()
            outcome, done = await self._request("lock", broker, queues)
            if outcome != "ok":
                continue
            for queue in queues:
                share = owned[queue]
                if queue in done and self.ready(share):
                    share.locked_ns = asked_ns
                else:
                    share.locked_ns = None
                    self._lost(share)

    async def unlock(self, queues: Iterable[MessageQueue]) -> None:
        """Give locks back."""
        for broker, its in _by_broker(queues).items():
            await self._request("unlock", broker, its)

    async def _request(self, kind: str, broker: str, queues: list[MessageQueue]) -> tuple[str, frozenset[MessageQueue]]:
        return await lock_request(
            self._client,
            "lock" if kind == "lock" else "unlock",
            queues,
            broker,
            self._client.address_of(broker),
            group=self._group,
            member=self._client.client_id,
        )

    async def _work(self, share: Share, arrived: asyncio.Event) -> None:
        settings = self._client.settings
        while not share.dropped:
            if not share.held:
                arrived.clear()
                await arrived.wait()
                continue
            if not self.ready(share) or self._client.silent:
                await asyncio.sleep(settings.flow_control_ms / 1000)
                continue
            item = share.first()
            if not await self._consume(share, item, arrived):
                item.retries += 1
                item.received_ns = self._client.recorder.clock.monotonic_ns()
                await asyncio.sleep(settings.orderly_suspend_ms / 1000)

    async def _consume(self, share: Share, item: Held, arrived: asyncio.Event) -> bool:
        """True when the queue may go on to its next message."""
        delivery, result = await self._listening.deliver(share, item)
        if result is None:
            await _wait_dropped(share, arrived)
        elif share.dropped and result != "success":
            self._listening.dropped(delivery, result)
        elif result == "success" or await self._given_up(share, item, delivery):
            share.finish(item.offset)
        else:
            return False
        return True

    async def _given_up(self, share: Share, item: Held, delivery: int) -> bool:
        times = item.record.reconsume_times + item.retries
        if self._max_reconsume is None or times < self._max_reconsume:
            return False
        return await give_up(self._client, self._group, share, item, delivery, self._max_reconsume)


async def _wait_dropped(share: Share, changed: asyncio.Event) -> None:
    while not share.dropped:
        changed.clear()
        await changed.wait()


def _by_broker(queues: Iterable[MessageQueue]) -> dict[str, list[MessageQueue]]:
    grouped: dict[str, list[MessageQueue]] = defaultdict(list)
    for queue in sorted(queues):
        grouped[queue.broker].append(queue)
    return grouped
