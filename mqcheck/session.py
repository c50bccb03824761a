"""The kit's own thread: runs scenarios concurrently and judges their histories, while pytest's items wait.

One asyncio loop in one thread: no event loop policy, no signal handler, nothing shared with the tests' own loops.
What a run is made of (runner, judge) is handed in; nothing here knows pytest.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import shutil
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from mqcheck.errors import HarnessError, UserError
from mqcheck.judge.verdicts import Verdict
from mqcheck.report.outcomes import RERUN_MARK, Outcome, planned_trouble, read_outcome, undecided, write_outcome

SCENARIOS_PER_CORE: Final = 3
"""Scenarios at once for each core: they wait for time-outs and faults more than they compute."""
CORES_PER_KIT: Final = 2
"""Cores that one process's scenarios keep busy: the kit's loop is about one, nodes, proxies and judge are another."""
CLOSE_SECONDS_MAX: Final = 60.0
"""How long closing waits for scenarios to heal and take down; then the guard process cleans up."""
LOCK_POLL_SECONDS: Final = 0.05
"""How often a scenario asks for the run folder's lock."""


class Judge(Protocol):
    """Judges one history folder after the other; ``judge.process.JudgeProcess`` is one."""

    async def start(self) -> None:
        """Called once, before the first scenario."""
        ...

    async def judge(self, folder: Path) -> list[Verdict]:
        """The verdicts of every guarantee."""
        ...

    async def close(self) -> None:
        """Called once, also after a failure."""
        ...


RunOne = Callable[[Any, Path], Awaitable[None]]
"""Runs one scenario (the first argument) into a history folder; plan.json and events are in it afterwards."""


@dataclass(frozen=True, slots=True)
class Machinery:
    """What a session works with; ``machinery.load`` makes the real one, tests make their own."""

    open_runner: Callable[[], AbstractAsyncContextManager[RunOne]]
    """Entered once in the kit's thread: what scenarios share (proxies, guard) lives inside."""
    open_judge: Callable[[], Judge]


class KitSession:
    """Runs scenarios in a thread of its own; every method is called from another thread.

    ``scenarios`` by name; ``run_folder`` gets ``history/<scenario>/``; ``limit`` is how many run at once;
    ``on_finished`` is called in the kit's thread after each scenario.
    """

    def __init__(
        self,
        machinery: Machinery,
        scenarios: dict[str, Any],
        run_folder: Path,
        *,
        limit: int,
        on_finished: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        self._machinery = machinery
        self._scenarios = scenarios
        self._run_folder = run_folder
        self._limit = limit
        self._on_finished = on_finished
        self._futures: dict[tuple[str, int], Future[Outcome]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._queue: asyncio.Queue[tuple[str, int]] | None = None
        self._ready = threading.Event()
        self._closed = False
        self._ordinary_running = 0

    def start(self, names: Sequence[str], attempt: int = 0) -> None:
        """Ask for scenarios, longest first; those already asked for are left alone."""
        with self._lock:
            if self._closed:
                return
            wanted = [(name, attempt) for name in names if (name, attempt) not in self._futures]
            if not wanted:
                return
            for key in wanted:
                self._futures[key] = Future()
            if self._thread is None:
                self._start_thread()
        wanted.sort(key=lambda key: -self._scenarios[key[0]].seconds)
        loop, queue = self._loop, self._queue
        for key in wanted:
            if loop is None or queue is None or loop.is_closed():
                self._futures[key].cancel()
            else:
                loop.call_soon_threadsafe(queue.put_nowait, key)

    def result(self, name: str, attempt: int = 0, timeout: float | None = None) -> Outcome:
        """Wait for a scenario that was asked for.

        Raises TimeoutError after ``timeout`` seconds, UserError when a tool is missing, HarnessError when the session
        was closed.
        """
        future = self._futures.get((name, attempt))
        if future is None:
            raise HarnessError(f"scenario {name!r} was not started: the session ended before it")
        try:
            return future.result(timeout)
        except CancelledError as error:
            raise HarnessError(f"scenario {name!r} was cancelled: the session ended before it") from error

    def close(self) -> None:
        """Cancel what runs, let it heal and take down, end the thread. Idempotent; also called at interpreter exit."""
        with self._lock:
            self._closed = True
            thread, loop, main = self._thread, self._loop, self._main
        if thread is None or loop is None or main is None:
            return
        atexit.unregister(self.close)
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(main.cancel)
        thread.join(CLOSE_SECONDS_MAX)
        for future in self._futures.values():
            future.cancel()

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run_thread, name="mqcheck", daemon=True)
        self._thread.start()
        self._ready.wait()
        atexit.register(self.close)

    def _run_thread(self) -> None:
        try:
            with asyncio.Runner() as runner, contextlib.suppress(asyncio.CancelledError):
                runner.run(self._main_task())
        except BaseException as error:
            self._fail_all(error)
        finally:
            self._ready.set()

    async def _main_task(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue = asyncio.Queue()
        self._main = asyncio.current_task()
        self._ready.set()
        judge = self._machinery.open_judge()
        running: set[asyncio.Task[None]] = set()
        try:
            await judge.start()
            async with self._machinery.open_runner() as run_one:
                try:
                    await self._serve(run_one, judge, running)
                finally:
                    for task in running:
                        task.cancel()
                    await asyncio.gather(*running, return_exceptions=True)
        finally:
            await judge.close()

    async def _serve(self, run_one: RunOne, judge: Judge, running: set[asyncio.Task[None]]) -> None:
        if self._queue is None:
            return
        slots = asyncio.Semaphore(self._limit)
        drained = asyncio.Event()
        drained.set()
        while True:
            key = await self._queue.get()
            task = asyncio.create_task(self._one(key, run_one, judge, slots, drained), name=f"mqcheck-{key[0]}")
            running.add(task)
            task.add_done_callback(running.discard)

    async def _one(
        self, key: tuple[str, int], run_one: RunOne, judge: Judge, slots: asyncio.Semaphore, drained: asyncio.Event
    ) -> None:
        future = self._futures[key]
        try:
            outcome = await self._outcome(key, run_one, judge, slots, drained)
        except asyncio.CancelledError:
            future.cancel()
            raise
        except UserError as error:
            future.set_exception(error)
        except Exception as error:
            future.set_exception(HarnessError(f"scenario {key[0]!r}: {type(error).__name__}: {error}"))
        else:
            self._on_finished(outcome)
            future.set_result(outcome)

    async def _outcome(
        self, key: tuple[str, int], run_one: RunOne, judge: Judge, slots: asyncio.Semaphore, drained: asyncio.Event
    ) -> Outcome:
        name, attempt = key
        folder = self.folder(name, attempt)
        earlier = read_outcome(folder)
        if earlier is not None:
            return earlier
        set_aside(folder, self._run_folder)
        folder.mkdir(parents=True)
        scenario = self._scenarios[name]
        trouble = None
        async with self._turn(scenario.alone, slots, drained):
            began = time.monotonic()
            try:
                await run_one(scenario, folder)
            except UserError:
                raise
            except Exception as error:
                trouble = f"{type(error).__name__}: {error}"
            seconds = time.monotonic() - began
        outcome = await self._judged(scenario, attempt, folder, seconds, judge, trouble)
        write_outcome(outcome)
        return outcome

    async def _judged(
        self, scenario: Any, attempt: int, folder: Path, seconds: float, judge: Judge, trouble: str | None
    ) -> Outcome:
        verdicts: list[Verdict] = []
        trouble = trouble or planned_trouble(folder)
        try:
            verdicts = await judge.judge(folder)
        except Exception as error:
            trouble = trouble or f"judge: {type(error).__name__}: {error}"
        if trouble is not None:
            verdicts = undecided(verdicts, scenario.name, scenario.aims, trouble)
        return Outcome(scenario.name, attempt, folder, seconds, tuple(verdicts), trouble)

    @asynccontextmanager
    async def _turn(self, alone: bool, slots: asyncio.Semaphore, drained: asyncio.Event) -> AsyncIterator[None]:
        """A place among those that run at once; alone ones wait for all others, here and in other workers."""
        if alone:
            await drained.wait()
            async with run_lock(self._run_folder, exclusive=True):
                yield
            return
        self._ordinary_running += 1
        drained.clear()
        try:
            async with slots, run_lock(self._run_folder, exclusive=False):
                yield
        finally:
            self._ordinary_running -= 1
            if not self._ordinary_running:
                drained.set()

    def folder(self, name: str, attempt: int) -> Path:
        """Where a scenario's history goes."""
        return self._run_folder / "history" / (name if not attempt else f"{name}{RERUN_MARK}{attempt}")

    def _fail_all(self, error: BaseException) -> None:
        self._closed = True
        reason = (
            error if isinstance(error, (UserError, HarnessError)) else HarnessError(f"{type(error).__name__}: {error}")
        )
        for future in self._futures.values():
            if not future.done():
                future.set_exception(reason)


@asynccontextmanager
async def run_lock(run_folder: Path, *, exclusive: bool) -> AsyncIterator[None]:
    """The run folder's lock, over all workers: shared by ordinary scenarios, exclusive for those that run alone."""
    import fcntl

    with (run_folder / "alone.lock").open("a") as file:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        while True:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(LOCK_POLL_SECONDS)
        yield


def set_aside(folder: Path, run_folder: Path) -> None:
    """A history that its worker did not live to finish is moved to ``crashed/``, so that the scenario can run again."""
    if not folder.exists():
        return
    crashed = run_folder / "crashed"
    crashed.mkdir(exist_ok=True)
    count = sum(1 for _ in crashed.glob(f"{folder.name}-*"))
    shutil.move(folder, crashed / f"{folder.name}-{count + 1}")
