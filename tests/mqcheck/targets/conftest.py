"""A guard and an opening with a network that only hands addresses through: nodes without Toxiproxy."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from mqcheck.clock import RealClock
from mqcheck.guard import Guard
from mqcheck.history.recorder import Recorder
from mqcheck.targets.base import Opening


class StraightNetwork:
    """Every peer is given the real addresses."""

    def __init__(self) -> None:
        self.nameservers: dict[str, str] = {}
        self.brokers: dict[str, str] = {}

    async def add_nameserver(self, name: str, address: str) -> None:
        self.nameservers[name] = address

    async def add_broker(
        self, name: str, broker_name: str, broker_id: int, address: str, ha: str | None = None
    ) -> None:
        self.brokers[name] = address

    async def nameserver_addresses(self, peer: str) -> tuple[str, ...]:
        return tuple(self.nameservers.values())


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()


@pytest.fixture
def opening(tmp_path: Path, guard: Guard) -> Iterator[Opening]:
    recorder = Recorder(tmp_path / "events", run="r", process="kit", number=0, clock=RealClock())
    yield Opening(
        nameserver_settings={},
        broker_settings={"flushDiskType": "SYNC_FLUSH"},
        folder=tmp_path,
        network=cast("Any", StraightNetwork()),
        recorder=recorder,
        guard=guard,
        rng=random.Random(1),
    )
    recorder.close()
