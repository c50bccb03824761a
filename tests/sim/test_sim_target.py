"""Simulated nodes: what each way to end or hold one leaves, and what the target says it cannot do."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from mqcheck.errors import NodeError, SettingsError
from mqcheck.faults.disk import FsyncError, SlowFsync
from mqcheck.rocketmq.models import MessageQueue, Outgoing
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment
from mqcheck.targets.sim import SimTarget

SYNC = Deployment(brokers=(BrokerSpec("broker-a", {"flushDiskType": "SYNC_FLUSH"}),))
ASYNC = Deployment(brokers=(BrokerSpec("broker-a", {"flushIntervalCommitLog": 60_000}),))


def scenario(run: Any, deployment: Deployment) -> Scenario:
    return Scenario("tried", "Catches nothing.", (), run, deployment)


async def sender(world: World) -> Any:
    topic = await world.topic("t", queues=1)
    producer = Producer(await world.client("producer"), "p")

    async def send() -> str:
        outcome = await producer.send(Outgoing(topic, b"x"), queue=MessageQueue(topic, "broker-a", 0), retries=0)
        return str(outcome.outcome)

    return send


async def stored(world: World) -> int | None:
    return await (await world.admin()).max_offset("broker-a", "t", 0)


def test_a_kill_keeps_what_was_written_and_a_power_cut_does_not(play: Any) -> None:
    async def run(world: World) -> None:
        send, node = await sender(world), world.cluster.nodes["broker-a"]
        assert await send() == "ok"
        await node.kill()
        assert not node.running
        assert await send() == "error"
        with pytest.raises(NodeError, match="not running"):
            await node.stop()
        await node.start()
        await asyncio.sleep(2)
        assert await stored(world) == 1
        assert await send() == "ok"
        effect = await node.power_cut(random.Random(1), torn=False)
        assert isinstance(effect["unsynced_bytes_dropped"], int)
        assert effect["unsynced_bytes_dropped"] > 0
        await node.start()
        await asyncio.sleep(2)
        assert (await stored(world) or 0) < 2

    judged = play(scenario(run, ASYNC))
    assert judged.plan["harness_error"] is None
    lives = [row for row in judged.rows("nodes") if row["node"] == "broker-a"]
    assert [(row["life"], row["how"]) for row in lives] == [(0, "kill"), (1, "power-cut"), (2, "stop")]
    assert all(row["spawned"] <= row["ready"] <= row["ended"] for row in lives)


def test_a_paused_node_answers_when_it_goes_on(play: Any) -> None:
    async def run(world: World) -> None:
        send, node = await sender(world), world.cluster.nodes["broker-a"]
        assert await send() == "ok"
        await node.pause()
        assert node.running
        assert await send() == "error"
        await node.resume()
        await asyncio.sleep(1)
        assert await stored(world) == 2
        await node.stop()
        await node.start()
        await asyncio.sleep(2)
        assert await stored(world) == 2

    assert play(scenario(run, ASYNC)).plan["harness_error"] is None


def test_failing_syncs_are_counted_and_slow_ones_refused(play: Any) -> None:
    async def run(world: World) -> None:
        send = await sender(world)
        async with world.faults.during(FsyncError("broker-a")):
            assert await send() != "ok"
        await asyncio.sleep(1)
        assert await send() == "ok"
        with pytest.raises(SettingsError, match="slow-fsync"):
            await world.faults.inject(SlowFsync("broker-a", 100))
        with pytest.raises(NodeError, match="takes no time"):
            await world.cluster.nodes["broker-a"].set_disk(fsync_delay_ms=1)

    judged = play(scenario(run, SYNC))
    assert judged.plan["harness_error"] is None
    (fault,) = judged.rows("faults")
    assert fault["confirmed"]
    assert {"slow-fsync", "slow-write", "clock"}.isdisjoint(SimTarget.capabilities)
