"""Faults of a round hold together, and are healed however the round ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from mqcheck.workloads.pattern import hurt


class FakeWorld:
    """Writes down what happens, in order."""

    def __init__(self, fails: str = "") -> None:
        self.log: list[str] = []
        self.fails = fails
        self.faults = self

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[None]:
        self.log.append(f"{name} begins")
        try:
            yield
        finally:
            self.log.append(f"{name} ends")

    @asynccontextmanager
    async def during(self, fault: str) -> AsyncIterator[None]:
        if fault == self.fails:
            raise RuntimeError(fault)
        self.log.append(f"{fault} on")
        try:
            yield
        finally:
            self.log.append(f"{fault} off")

    async def watch_ms(self, ms: float) -> None:
        self.log.append(f"{ms} ms")
        if self.fails == "sleep":
            raise RuntimeError("sleep")


def round_of(world: FakeWorld) -> list[str]:
    asyncio.run(hurt(cast("Any", world), cast("Any", ["first", "second"]), 50))
    return world.log


def test_all_faults_of_a_round_hold_together() -> None:
    expected = ["fault begins", "first on", "second on", "50 ms", "second off", "first off", "fault ends"]
    assert round_of(FakeWorld()) == expected


@pytest.mark.parametrize("fails", ["second", "sleep"])
def test_whatever_fails_what_was_injected_is_healed(fails: str) -> None:
    world = FakeWorld(fails)
    with pytest.raises(RuntimeError, match=fails):
        round_of(world)
    on = {line.removesuffix(" on") for line in world.log if line.endswith(" on")}
    off = {line.removesuffix(" off") for line in world.log if line.endswith(" off")}
    assert on == off != set()
    assert world.log[-1] == "fault ends"
