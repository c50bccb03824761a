"""The syncs of the store: one at a time in an executor's thread, so that one answers everything appended before it
began; one more every period; and again after one that failed.

Part of the shell: it decides nothing about acknowledgements, it tells which position is on the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, Protocol

SYNC_RETRY_MS: Final = 100
"""Pause after a sync that failed; ours."""


class Syncable(Protocol):
    """What is synced: the store."""

    @property
    def appended_position(self) -> int:
        """End of what was appended."""

    @property
    def synced_position(self) -> int:
        """End of what is on the disk."""

    def sync(self) -> int:
        """Sync, from an executor's thread; gives the position that is now on the disk. OSError when it failed."""


class Syncs:
    """All syncs of one store. ``synced`` is told each position that was reached, in the loop's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        store: Syncable,
        *,
        interval_ms: int,
        executor: Executor | None,
        synced: Callable[[int], None],
        log: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._store = store
        self._interval_s = interval_ms / 1000
        self._executor = executor
        self._synced = synced
        self._log = log
        self._running: asyncio.Future[int] | None = None
        self._again = False
        self._periodic: asyncio.TimerHandle | None = None
        self._stopping = False

    def start(self) -> None:
        """Sync once a period what has been appended."""
        self._periodic = self._loop.call_later(self._interval_s, self._sync_periodically)

    def want(self) -> None:
        """Sync everything appended so far: now, or as soon as the sync that runs is over."""
        if self._stopping:
            return
        self._again = self._running is not None
        if self._running is None:
            self._running = asyncio.ensure_future(self._loop.run_in_executor(self._executor, self._store.sync))
            self._running.add_done_callback(self._done)

    async def stop(self) -> None:
        """Sync what is left, and no more. May be called once."""
        self._stopping = True
        if self._periodic is not None:
            self._periodic.cancel()
        if self._running is not None:
            await asyncio.wait([self._running])
        if self._store.appended_position <= self._store.synced_position:
            return
        try:
            await self._loop.run_in_executor(self._executor, self._store.sync)
        except OSError as error:
            self._log(f"the last sync failed: {error}")

    def _sync_periodically(self) -> None:
        self.start()
        if self._store.appended_position > self._store.synced_position:
            self.want()

    def _done(self, done: asyncio.Future[int]) -> None:
        self._running = None
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or self._stopping:  # ``stop`` syncs what is left, also after one that failed
            return
        if error is not None:
            self._log(f"a sync failed and is tried again: {error}")
            self._loop.call_later(SYNC_RETRY_MS / 1000, self.want)
            return
        if self._again:
            self.want()
        self._synced(done.result())
