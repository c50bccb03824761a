"""Order: queue locks under contention, and orderly listeners while members come and go."""

from __future__ import annotations

from typing import Final

from mqcheck.rocketmq.models import MessageQueue
from mqcheck.scenarios.base import Scenario, World
from mqcheck.workloads.probes import contend_for_locks
from mqcheck.workloads.traffic import Traffic

QUEUES: Final = 4


async def _run(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("moves", queues=QUEUES)
    group = await traffic.group("ledger", topic, members=2, orderly=True)
    queues = [MessageQueue(topic, "broker-a", queue) for queue in range(QUEUES)]
    contest = contend_for_locks(await world.admin(), "broker-a", "contest", ("left", "right"), queues)
    world.spawn(contest, "locks")
    turn_ms = world.profile.client.rebalance_ms
    async with world.phase("load"), traffic.load(topic, producers=1, rate_per_s=60, workers=1):
        await traffic.flow(turn_ms, acked=40)
        await group.join("ledger-3")
        await traffic.flow(turn_ms, acked=40)
        await group.leave("ledger-1")
        await traffic.flow(turn_ms, acked=40)


SCENARIOS: Final = (
    Scenario(
        name="orderly-rebalance",
        summary="Catches two owners of one queue lock, and messages of a queue handed out of order.",
        aims=("ord-queue-lock", "ord-queue-fifo", "sto-fifo-queue", "con-alo"),
        run=_run,
        seconds=10,
    ),
)
