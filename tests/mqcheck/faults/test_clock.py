"""A clock that jumps: seen in what the broker stores, taken back, and an error where nothing is seen."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mqcheck.clock import RealClock
from mqcheck.errors import FaultError
from mqcheck.faults import clock as clock_faults
from mqcheck.faults.base import Ground
from mqcheck.faults.clock import ClockJump, off_by
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.models import ClientSettings, Outgoing
from mqcheck.rocketmq.producer import Producer
from mqcheck.targets.faketime import NodeClock, find_library
from tests.mqcheck.targets.running import running_cluster

HOUR_MS = 3_600_000
NEAR_MS = 60_000

needs_library = pytest.mark.skipif(find_library() is None, reason="no libfaketime: install it (Debian: faketime)")


def test_parameters_name_their_unit_and_an_effect_is_a_move() -> None:
    jump = ClockJump("broker-a", -HOUR_MS)
    assert (jump.node, jump.kind, jump.needs) == ("broker-a", "clock", "clock")
    assert jump.parameters() == {"jump_ms": -HOUR_MS}
    assert jump.confirmed({"moved_ms": HOUR_MS})
    assert not jump.confirmed({})


@asynccontextmanager
async def load(nameserver: str, events: Path) -> AsyncIterator[None]:
    """A message now and then, until the block ends."""
    recorder = Recorder(events, run="r", process="kit", number=0, clock=RealClock())
    client = Client("producer-1", [nameserver], recorder, ClientSettings(), RealClock(), random.Random(1))
    producer = Producer(client, "producers")

    async def send() -> None:
        while True:
            await producer.send(Outgoing("orders", b"body"))
            await asyncio.sleep(0.02)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await client.close()
        recorder.close()


def ground(address: str, clock: NodeClock) -> Ground:
    async def set_clock(offset_ms: int) -> None:
        clock.set(offset_ms)

    node = SimpleNamespace(address=address, set_clock=set_clock)
    cluster = SimpleNamespace(nodes={"broker-a": node})
    return Ground(cast("Any", None), cast("Any", cluster), cast("Any", None), RealClock(), random.Random(1))


@needs_library
@pytest.mark.slow
def test_the_newest_message_shows_the_jump_and_its_end(tmp_path: Path) -> None:
    library = find_library()
    assert library is not None
    clock = NodeClock(library, tmp_path / "clock")
    with running_cluster(tmp_path / "stores", ["broker-a"], environment=clock.environment({})) as running:
        clock.settle()  # it has registered, so it has opened what it was given
        here = ground(running.look().masters[0].address, clock)
        node = here.cluster.nodes["broker-a"]

        async def go() -> None:
            assert await off_by(node, here.clock) is None
            async with load(running.address, tmp_path / "events"):
                for jump in (ClockJump("broker-a", HOUR_MS), ClockJump("broker-a", -HOUR_MS)):
                    moved = dict(await jump.inject(here))
                    assert jump.confirmed(moved)
                    assert abs(moved["moved_ms"] - HOUR_MS) < NEAR_MS
                    off_ms = await off_by(node, here.clock)
                    assert off_ms is not None
                    assert abs(off_ms - jump.ms) < NEAR_MS
                    assert abs(dict(await jump.heal(here))["off_ms"]) < NEAR_MS

        asyncio.run(go())


@pytest.mark.slow
def test_a_broker_that_does_not_see_the_jump_is_a_failed_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_faults, "SEEN_SECONDS_MAX", 1.0)
    clock = NodeClock(Path("/none.so"), tmp_path / "clock")
    with running_cluster(tmp_path / "stores", ["broker-a"]) as running:
        here = ground(running.look().masters[0].address, clock)

        async def go() -> None:
            with pytest.raises(FaultError, match="no message is stored in it"):
                await ClockJump("broker-a", HOUR_MS).inject(here)
            async with load(running.address, tmp_path / "events"):
                while await off_by(here.cluster.nodes["broker-a"], here.clock) is None:
                    await asyncio.sleep(0.02)
                with pytest.raises(FaultError, match=r"its newest message is -?\d+ ms off"):
                    await ClockJump("broker-a", HOUR_MS).inject(here)

        asyncio.run(go())
