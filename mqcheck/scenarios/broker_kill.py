"""A broker killed and restarted under load: the page cache survives, so everything acknowledged must too."""

from __future__ import annotations

from typing import Final

from mqcheck.faults.process import Kill
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment
from mqcheck.workloads.traffic import Traffic


async def _run(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("orders", queues=4)
    await traffic.group("billing", topic, members=2)
    await traffic.group("search", topic, members=1)
    async with traffic.load(topic, producers=2, rate_per_s=80):
        async with world.phase("load"):
            await world.sleep_ms(world.profile.load_ms / 2)
        async with world.phase("fault"), world.faults.during(Kill("broker-a")):
            await world.sleep_ms(world.profile.load_ms / 4)
        async with world.phase("load"):
            await world.sleep_ms(world.profile.load_ms / 2)


SCENARIOS: Final = (
    Scenario(
        name="broker-kill",
        summary="Catches acknowledgements given before the write, offsets kept only in memory, reused queue offsets.",
        deployment=Deployment(brokers=(BrokerSpec("broker-a"), BrokerSpec("broker-b"))),
        needs=frozenset({"kill"}),
        aims=(
            "dur-ack-kill",
            "dur-body-intact",
            "sto-offset-dense",
            "sto-offset-unique",
            "sto-recover-no-ghost",
            "con-alo",
            "con-restart-resume",
            "prd-retry",
        ),
        run=_run,
        seconds=10,
    ),
)
