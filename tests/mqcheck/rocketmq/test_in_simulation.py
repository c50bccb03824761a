"""The client in a simulated world: minutes in milliseconds, and one seed is one exact history."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.models import ClientSettings, Delivery, ListenerResult, Outgoing
from mqcheck.rocketmq.producer import Producer

if sys.version_info < (3, 12):
    pytest.skip("simloop needs Python 3.12 or newer", allow_module_level=True)
simloop = pytest.importorskip("simloop")

TEN_MINUTES_S = 600


class LoopClock:
    """Virtual time."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def monotonic_ns(self) -> int:
        return int(self._loop.time() * 1e9)

    def wall_ms(self) -> int:
        return 1_700_000_000_000 + int(self._loop.time() * 1e3)


def history_of(seed: int, folder: Path, make_cluster: Any) -> list[bytes]:
    """Ten minutes of one producer and two members of a group; the lines of its stream."""
    loop = simloop.SimLoop(seed)
    clock = LoopClock(loop)
    cluster = make_cluster(("broker-a", "broker-b"), 1)
    nodes = [*cluster.nameservers, *cluster.brokers.values()]
    server, other = loop.net.host("server"), loop.net.host("clients")
    recorder = Recorder(folder, run="r", process="kit", number=0, clock=clock)
    seen: set[int | None] = set()

    async def serve() -> None:
        for number, node in enumerate(nodes):
            await node.start(1000 + number, "server")

    async def listener(delivery: Delivery) -> ListenerResult:
        seen.add(delivery.message)
        return "later" if delivery.reconsume_times < 2 else "success"

    async def use() -> None:
        addresses = [node.address for node in cluster.nameservers]
        clients = [
            Client(name, addresses, recorder, ClientSettings(), clock, random.Random(seed)) for name in ("c1", "c2")
        ]
        for client in clients:
            await client.start()
            await Consumer(client, "G", {"T": "*"}, listener).start()
        producer = Producer(clients[0], "PG")
        for _ in range(30):
            assert (await producer.send(Outgoing("T", b"x"))).outcome == "ok"
            await asyncio.sleep(TEN_MINUTES_S / 30)
        await clients[1].abandon()
        await clients[0].close()

    cluster.create("T")
    loop.run_until_complete(server.create_task(serve()))
    loop.run_until_complete(other.create_task(use()))
    loop.run_until_complete(server.create_task(_stop(nodes)))
    recorder.close()
    assert len(seen) == 30
    assert loop.time() >= TEN_MINUTES_S
    loop.close()
    return recorder.path.read_bytes().splitlines()


async def _stop(nodes: Any) -> None:
    for node in nodes:
        await node.stop()


def test_one_seed_is_one_history(tmp_path: Path, lab: Any) -> None:
    first, again, other = (
        history_of(seed, tmp_path / name, lab.make_cluster) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert first != other
    assert len(first) > 1000
