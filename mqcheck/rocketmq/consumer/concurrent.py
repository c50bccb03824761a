"""The concurrent service: listeners side by side, failed messages sent back to the broker.

Source: ConsumeMessageConcurrentlyService (``rocketmq.md`` §7.4).
"""

from __future__ import annotations

import asyncio

from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.consumer.listening import Listening
from mqcheck.rocketmq.consumer.share import Held, Share
from mqcheck.rocketmq.models import ListenerResult, Mode


class ConcurrentService:
    """Gives records to the listener, at most ``consume_threads`` at once.

    Its queue of jobs is bounded by the shares' own thresholds: only held records are in it.
    """

    orderly = False

    def __init__(self, client: Client, listening: Listening, mode: Mode, max_reconsume: int) -> None:
        self._client = client
        self._listening = listening
        self._mode = mode
        self._max_reconsume = max_reconsume
        self._jobs: asyncio.Queue[tuple[Share, Held]] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False

    def start(self) -> None:
        """Start the workers."""
        count = self._client.settings.consume_threads
        self._workers = [self._client.spawn(self._work()) for _ in range(count)]

    def ready(self, share: Share) -> bool:
        """Concurrent shares may always be pulled."""
        return True

    def submit(self, share: Share, items: list[Held]) -> None:
        """Records have arrived."""
        for item in items:
            self._jobs.put_nowait((share, item))

    async def finish(self, wait_ms: int) -> None:
        """Start no more listeners; wait for those that run."""
        self._stopping = True
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._idle.wait()
        except TimeoutError:
            pass
        for worker in self._workers:
            worker.cancel()

    async def _work(self) -> None:
        while True:
            share, item = await self._jobs.get()
            if share.dropped or self._stopping or self._client.silent:
                continue
            self._running += 1
            self._idle.clear()
            try:
                await self._consume(share, item)
            finally:
                self._running -= 1
                if self._running == 0:
                    self._idle.set()

    async def _consume(self, share: Share, item: Held) -> None:
        delivery, result = await self._listening.deliver(share, item)
        if result is None:
            return
        if share.dropped:
            self._listening.dropped(delivery, result)
        elif await self._settled(share, item, delivery, result):
            share.finish(item.offset)
        else:
            item.retries += 1
            self._client.spawn(self._again(share, item))

    async def _settled(self, share: Share, item: Held, delivery: int, result: ListenerResult) -> bool:
        """True when the message is done here: consumed, given up (broadcasting), or safe in the retry topic."""
        if result == "success" or self._mode == "broadcasting":
            return True
        return await self._listening.send_back(share, item, delivery, self._max_reconsume)

    async def _again(self, share: Share, item: Held) -> None:
        await asyncio.sleep(self._client.settings.local_retry_ms / 1000)
        item.received_ns = self._client.recorder.clock.monotonic_ns()
        self._jobs.put_nowait((share, item))
