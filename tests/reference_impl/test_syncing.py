"""The syncs of a store: one at a time, one for all that wait, again after a failure. Clause: dur-ack-power-sf."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

from reference_impl.syncing import Syncs


class Log:
    """A store that counts its syncs, and can be held or made to fail."""

    def __init__(self) -> None:
        self.appended_position = 10
        self.synced_position = 0
        self.begun = 0
        self.failures = 0
        self.gate = threading.Event()
        self.gate.set()

    def sync(self) -> int:
        position = self.appended_position
        self.begun += 1
        self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise OSError("no")
        self.synced_position = position
        return position


def run(body: Callable[[Syncs, list[int]], Awaitable[None]], log: Log, interval_ms: int = 60_000) -> list[str]:
    """Run ``body``; gives what was logged."""
    lines: list[str] = []

    async def main() -> None:
        told: list[int] = []
        syncs = Syncs(
            asyncio.get_running_loop(),
            log,
            interval_ms=interval_ms,
            executor=None,
            synced=told.append,
            log=lines.append,
        )
        syncs.start()
        await body(syncs, told)
        await syncs.stop()

    asyncio.run(main())
    return lines


async def until(ready: Callable[[], bool]) -> None:
    while not ready():
        await asyncio.sleep(0.005)


def test_what_is_appended_during_a_sync_is_covered_by_one_more() -> None:
    log = Log()
    log.gate.clear()

    async def body(syncs: Syncs, told: list[int]) -> None:
        syncs.want()
        await until(lambda: log.begun == 1)
        for position in (20, 30, 40):
            log.appended_position = position
            syncs.want()
        log.gate.set()
        await until(lambda: len(told) == 2)
        assert told == [10, 40]

    assert run(body, log) == []
    assert log.begun == 2


def test_a_sync_that_fails_tells_nothing_and_is_tried_again() -> None:
    log = Log()
    log.failures = 2

    async def body(syncs: Syncs, told: list[int]) -> None:
        syncs.want()
        await until(lambda: bool(told))
        assert told == [10]

    lines = run(body, log)
    assert log.begun == 3
    assert ["tried again" in line for line in lines] == [True, True]


def test_the_period_syncs_only_what_is_new() -> None:
    log = Log()

    async def body(syncs: Syncs, told: list[int]) -> None:
        await until(lambda: bool(told))
        await asyncio.sleep(0.1)
        assert log.begun == 1

    assert run(body, log, interval_ms=20) == []


def test_the_stop_waits_for_the_running_sync_and_covers_the_rest() -> None:
    log = Log()
    log.gate.clear()

    async def body(syncs: Syncs, told: list[int]) -> None:
        syncs.want()
        await until(lambda: log.begun == 1)
        log.appended_position = 50
        asyncio.get_running_loop().call_later(0.05, log.gate.set)

    assert run(body, log) == []
    assert (log.begun, log.synced_position) == (2, 50)


def test_a_last_sync_that_fails_is_told() -> None:
    log = Log()
    log.failures = 1

    async def body(syncs: Syncs, told: list[int]) -> None:
        pass

    (line,) = run(body, log)
    assert "last sync failed" in line
