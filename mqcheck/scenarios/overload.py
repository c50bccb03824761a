"""Overload: more sends than a slow disk takes in."""

from __future__ import annotations

from typing import Final

from mqcheck.faults.disk import SlowWrite
from mqcheck.scenarios.base import Scenario, World
from mqcheck.workloads.traffic import Traffic

WRITE_MS: Final = 60
"""How much longer each write takes: four of them, one after the other, are more than waitTimeMillsInSendQueue. Ours."""

CALLS: Final = 80
"""The disk is well again once so many send calls have ended, most of them refused. Ours."""


async def _overload(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("rush", queues=2)
    await traffic.group("desk", topic, members=1)
    part_ms = world.profile.load_ms / 4
    async with traffic.load(topic, producers=2, rate_per_s=160, workers=16):
        async with world.phase("load"):
            await traffic.flow(part_ms, acked=20)
        async with world.phase("fault"), world.faults.during(SlowWrite("broker-a", WRITE_MS)):
            await traffic.attempt(part_ms * 3, calls=CALLS)
        async with world.phase("load"):
            await traffic.flow(part_ms, acked=20)


SCENARIOS: Final = (
    Scenario(
        name="overload",
        summary="Catches brokers that store what they refuse for want of time, or leave it without an answer.",
        needs=frozenset({"slow-write"}),
        aims=("flw-busy", "dur-reject-absent", "sto-offset-dense"),
        run=_overload,
        seconds=5,
    ),
)
