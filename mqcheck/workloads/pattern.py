"""The pattern of most scenarios: steady traffic, some faults in its middle, steady traffic again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from mqcheck.faults.base import Fault
from mqcheck.scenarios.base import World
from mqcheck.workloads.traffic import Traffic


async def hurt(world: World, faults: Sequence[Fault], ms: float) -> None:
    """A `fault` phase: these faults together while one watches for so long, all healed at its end however it ends."""
    async with world.phase("fault"), AsyncExitStack() as stack:
        for fault in faults:
            await stack.enter_async_context(world.faults.during(fault))
        await world.watch_ms(ms)


async def traffic_under(
    world: World,
    *rounds: Sequence[Fault],
    fault_ms: float | None = None,
    rate_per_s: float = 80.0,
    acked: int = 60,
) -> Traffic:
    """Two producers and two groups on a topic `orders`; then each round of faults in turn, load before and after.

    `fault_ms` is the length of one round (default: the profile's load time); before and after there are at least
    `acked` acknowledgements.
    """
    traffic = Traffic(world)
    topic = await world.topic("orders", queues=4)
    await traffic.group("billing", topic, members=2)
    await traffic.group("search", topic, members=1)
    async with traffic.load(topic, producers=2, rate_per_s=rate_per_s):
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms / 2, acked=acked)
        for faults in rounds:
            await hurt(world, faults, world.profile.load_ms if fault_ms is None else fault_ms)
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms / 2, acked=acked)
    return traffic
