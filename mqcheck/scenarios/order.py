"""Order: queue locks under contention, and orderly listeners while members come and go."""

from __future__ import annotations

import asyncio
from typing import Final

from mqcheck.profile import Profile
from mqcheck.rocketmq.models import MessageQueue
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import Deployment
from mqcheck.workloads.probes import contend_for_locks, hand_over_locks, let_locks_expire, renew_locks
from mqcheck.workloads.traffic import Traffic

QUEUES: Final = 4

LOCK_EXPIRY: Final = "reference.lockExpiryMs"
SHORT_LOCK_MS: Final = 1_000


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


def _short_locks(profile: Profile) -> Deployment:
    """Queue locks that live so briefly that their end can be waited for, where the profile shortens them at all."""
    shortened = LOCK_EXPIRY in profile.broker
    return Deployment(settings={LOCK_EXPIRY: SHORT_LOCK_MS} if shortened else {})


async def _locks(world: World) -> None:
    topic = await world.topic("moves", queues=QUEUES)
    admin = await world.admin()
    expiry_ms = int(world.cluster.nodes["broker-a"].settings[LOCK_EXPIRY])
    renewed, handed, *expiring = (MessageQueue(topic, "broker-a", queue) for queue in range(QUEUES))
    async with world.phase("load"), asyncio.TaskGroup() as together:
        together.create_task(let_locks_expire(admin, "broker-a", "contest", expiring, expiry_ms, rounds=3))
        together.create_task(renew_locks(admin, "broker-a", "contest", renewed, expiry_ms))
        together.create_task(hand_over_locks(admin, "broker-a", "contest", handed, rounds=8))


SCENARIOS: Final = (
    Scenario(
        name="orderly-rebalance",
        summary="Catches two owners of one queue lock, and messages of a queue handed out of order.",
        aims=("ord-queue-lock", "ord-queue-fifo", "sto-fifo-queue", "con-alo"),
        run=_run,
        seconds=10,
    ),
    Scenario(
        name="locks",
        summary="Catches queue locks that outlive their owner, leave one that renews them, or cannot be given back.",
        deployment=_short_locks,
        waits=frozenset({LOCK_EXPIRY}),
        aims=("ord-lock-expiry", "ord-lock-renew", "ord-unlock", "ord-queue-lock"),
        run=_locks,
        seconds=8,
    ),
)
