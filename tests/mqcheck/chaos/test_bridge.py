"""The thread between Chaos Toolkit and the kit: answers, errors, interruptions, and its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from chaoslib.exceptions import InterruptExecution

from mqcheck.chaos.bridge import GRACEFUL, Bridge
from mqcheck.errors import FaultError, HarnessError


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    made = Bridge()
    yield made
    made.close()


def test_work_is_done_in_another_thread_and_answered(bridge: Bridge) -> None:
    async def where() -> str:
        return threading.current_thread().name

    assert bridge.call(where()) == "mqcheck-chaos"


def test_an_error_arrives_as_it_is(bridge: Bridge) -> None:
    async def broken() -> None:
        raise FaultError("it does not heal")

    with pytest.raises(FaultError, match="it does not heal"):
        bridge.call(broken())

    async def late() -> None:
        raise TimeoutError("of the work itself")

    with pytest.raises(TimeoutError, match="of the work itself"):
        bridge.call(late())


def test_what_takes_too_long_is_broken_off(bridge: Bridge) -> None:
    ended = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(HarnessError, match=r"forever took more than 0\.05 s"):
        bridge.call(forever(), seconds_max=0.05)
    assert ended.wait(20)


@pytest.mark.parametrize(
    ("raised", "arrives"), [(KeyboardInterrupt(), KeyboardInterrupt), (InterruptExecution("SIGTERM"), SystemExit)]
)
def test_an_interruption_of_the_waiting_cancels_the_work(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, raised: BaseException, arrives: type[BaseException]
) -> None:
    cancelled, under_way = threading.Event(), threading.Event()

    async def forever() -> None:
        under_way.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    submit = bridge.submit

    def submitted(work: object) -> object:
        future = submit(work)  # type: ignore[arg-type, var-annotated]

        def result(timeout: float | None = None) -> None:
            assert under_way.wait(20)
            raise raised

        monkeypatch.setattr(future, "result", result)
        return future

    monkeypatch.setattr(bridge, "submit", submitted)
    with pytest.raises(arrives) as caught:
        bridge.call(forever())
    assert cancelled.wait(20)
    if isinstance(caught.value, SystemExit):
        assert caught.value.code == GRACEFUL


def test_its_end_cancels_what_still_runs_and_is_final(bridge: Bridge) -> None:
    cleaned = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    bridge.submit(forever())
    bridge.close()
    assert cleaned.is_set()
    bridge.close()
    with pytest.raises(HarnessError, match="the experiment is over"):
        bridge.call(asyncio.sleep(0))
