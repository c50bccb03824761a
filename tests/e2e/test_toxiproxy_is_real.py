"""The Toxiproxy in use is the real one: its own version, and a latency that a request to a broker feels."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import mqcheck
from mqcheck.clock import RealClock
from mqcheck.embedded.cluster import RocketMQServer
from mqcheck.history.recorder import Recorder
from mqcheck.links.ports import free_port
from mqcheck.links.toxiproxy import Toxic, ToxiproxyServer
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.models import ClientSettings

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

BUNDLED = Path(mqcheck.__file__).parent / "_bin" / "toxiproxy-server"
ROUND_TRIPS = 50
LATENCY_MS = 200
ADDED_MS_MAX = 260
"""Of the median, above the median without a toxic."""


@pytest.fixture
def toxiproxy() -> Iterator[ToxiproxyServer]:
    server = ToxiproxyServer.start(BUNDLED)
    yield server
    server.stop()


async def trips_ms(admin: Admin) -> list[float]:
    """Milliseconds of each of 50 questions for a queue's maximum offset."""
    found = []
    for _ in range(ROUND_TRIPS):
        began = time.perf_counter()
        assert await admin.max_offset("broker-a", "orders", 0) == 0
        found.append((time.perf_counter() - began) * 1000)
    return found


def test_200_ms_are_felt(toxiproxy: ToxiproxyServer, rocketmq_server: RocketMQServer, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    toxiproxy.create_proxy("probe", address, rocketmq_server.broker_address)
    recorder = Recorder(tmp_path, run="r", process="t", number=0, clock=RealClock())

    async def measure() -> tuple[list[float], list[float]]:
        client = Client("probe", [], recorder, ClientSettings(), RealClock(), random.Random(1))
        admin = Admin(client, {"broker-a": address})
        assert await admin.create_topic("orders", ["broker-a"]) == {"broker-a": 0}
        free = await trips_ms(admin)
        toxiproxy.add_toxic("probe", Toxic("latency", "downstream", {"latency": LATENCY_MS}))
        slow = await trips_ms(admin)
        await client.close()
        return free, slow

    free, slow = asyncio.run(measure())
    recorder.close()
    assert min(slow) >= LATENCY_MS
    assert statistics.median(slow) - statistics.median(free) <= ADDED_MS_MAX


def test_the_bundled_server_answers_as_2_5_0(toxiproxy: ToxiproxyServer) -> None:
    assert toxiproxy.version() == "2.5.0"
