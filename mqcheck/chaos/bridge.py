"""The one bridge between Chaos Toolkit's threads and the kit's coroutines: a thread with an event loop.

Activities wait here for what they asked for. Ctrl-C and a termination end the waiting and cancel the work.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from chaoslib.exceptions import InterruptExecution

from mqcheck.errors import HarnessError

GRACEFUL: Final = 20
"""Exit code by which Chaos Toolkit knows an interruption that still rolls back (``chaoslib.exit``)."""

CLOSE_SECONDS_MAX: Final = 60.0
"""How long closing waits for what still runs to take itself down. Ours."""

Answer = TypeVar("Answer")


class Bridge:
    """An event loop in a daemon thread; every method is called from other threads."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="mqcheck-chaos", daemon=True)
        self._thread.start()
        self._ready.wait()

    def call(self, work: Coroutine[Any, Any, Answer], seconds_max: float | None = None) -> Answer:
        """Run a coroutine in the loop and wait for it; raises what it raises, HarnessError when it takes too long.

        A termination signal reaches the waiting thread as an exception that Chaos Toolkit takes for a failed activity
        (its `InterruptExecution` inside of one): it goes on as the exit that Chaos Toolkit knows.
        """
        future = self.submit(work)
        try:
            return future.result(seconds_max)
        except concurrent.futures.TimeoutError as error:
            if future.done():  # the work's own
                raise
            future.cancel()
            raise HarnessError(
                f"{getattr(work, '__qualname__', 'work')} took more than {seconds_max} s and was broken off"
            ) from error
        except InterruptExecution as error:
            future.cancel()
            raise SystemExit(GRACEFUL) from error
        except (KeyboardInterrupt, SystemExit):
            future.cancel()
            raise

    def submit(self, work: Coroutine[Any, Any, Answer]) -> concurrent.futures.Future[Answer]:
        """Start a coroutine in the loop. Raises HarnessError after `close`."""
        if self._loop is None or self._loop.is_closed():
            work.close()
            raise HarnessError("the experiment is over: nothing can be asked of it")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Cancel what still runs, wait for it, end the thread. Idempotent."""
        loop, stop = self._loop, self._stop
        if loop is None or stop is None or not self._thread.is_alive():
            return
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)
        self._thread.join(CLOSE_SECONDS_MAX)

    def _run(self) -> None:
        asyncio.run(self._main())  # cancels and waits for every task that is left

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stop.wait()
