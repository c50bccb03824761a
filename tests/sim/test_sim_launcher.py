"""Clients of their own life: a clean end says so in the stream, a kill breaks it off; a pause is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import FaultError, NodeError
from mqcheck.rocketmq.models import Outgoing
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.workloads.client_plan import ClientPlan


def test_the_lives_of_a_client(play: Any) -> None:
    async def run(world: World) -> None:
        topic = await world.topic("orders", queues=1)
        done: list[int] = []
        plan = ClientPlan(name="worker", role="consumer", group="g", subscriptions={topic: "*"})
        victim = await world.process(plan, lambda line: done.extend(line.get("done", ())))
        producer = Producer(await world.client("producer"), "p")
        assert (await producer.send(Outgoing(topic, b"one"))).outcome == "ok"
        await asyncio.sleep(3)
        assert len(done) == 1
        with pytest.raises(FaultError, match="cannot be paused"):
            await victim.pause()
        with pytest.raises(NodeError, match="already running"):
            await victim.start()
        await victim.kill()
        assert not victim.running
        with pytest.raises(NodeError, match="not running"):
            await victim.stop()
        await victim.start()
        await victim.stop()

    judged = play(Scenario("lives", "Catches nothing.", (), run))
    assert judged.plan["harness_error"] is None
    killed, stopped = ((judged.folder / "events" / f"worker.{life}.jsonl").read_text() for life in (0, 1))
    assert '"lines"' not in killed
    assert '"lines"' in stopped.splitlines()[-1]
