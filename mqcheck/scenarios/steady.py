"""Steady load and nothing else: what must hold on a quiet cluster."""

from __future__ import annotations

from typing import Final

from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment
from mqcheck.workloads.traffic import Traffic


async def _run(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("steady", queues=4)
    line = await world.topic("line", queues=2)
    await traffic.group("billing", (topic, line), members=2)
    await traffic.group("search", topic, members=1)
    await traffic.group("prices", topic, members=2, mode="broadcasting")
    # One sender alone on its topic: what follows in a queue was sent later, so any change of order is seen.
    alone = traffic.load(line, name="clerk", producers=1, workers=1, rate_per_s=50)
    async with world.phase("load"), alone, traffic.load(topic, producers=2, rate_per_s=100, largest=True):
        await traffic.flow(world.profile.load_ms, acked=220)
        # A group that comes late asks where to begin when others have long committed: that must not move it.
        await traffic.group("audit", line)


SCENARIOS: Final = (
    Scenario(
        name="steady",
        summary="Catches brokers that lose, damage, reorder or repeat messages with nothing going wrong around them.",
        deployment=Deployment(brokers=(BrokerSpec("broker-a"), BrokerSpec("broker-b"))),
        aims=(
            "dur-body-intact",
            "sto-offset-dense",
            "sto-offset-unique",
            "sto-fifo-queue",
            "ns-register-visible",
            "con-alo",
            "con-no-skip",
            "con-group-indep",
            "dur-crc-valid",
            "con-broadcast-all",
            "con-dup-cause",
            "cli-persist",
        ),
        run=_run,
        seconds=8,
    ),
)
