"""Order: queue locks under contention, and orderly listeners while members come and go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from mqcheck.profile import Profile
from mqcheck.rocketmq.consumer.giving_up import FIRST_DELAY_LEVEL
from mqcheck.rocketmq.models import Delivery, ListenerResult, MessageQueue
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import Deployment
from mqcheck.workloads.payloads import Payloads
from mqcheck.workloads.probes import contend_for_locks, hand_over_locks, let_locks_expire, renew_locks
from mqcheck.workloads.traffic import Traffic

QUEUES: Final = 4

MOVES: Final = 100
KEYS: Final = 16
SETTLE_MS: Final = 1_500
"""How long a dead letter is waited for beyond its delay: more than is tolerated."""

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


async def _suspends(delivery: Delivery) -> ListenerResult:
    """One message of a queue in ten fails always, another one the first time."""
    kind = delivery.queue_offset % 10
    if kind == 3 or (kind == 6 and delivery.reconsume_times == 0):
        return "suspend"
    return "success"


async def _fails(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("moves", queues=QUEUES)
    group = await traffic.group("ledger", topic, members=2, orderly=True, listener=_suspends)
    producer = Producer(await world.client("producer-1"), "moves-producers")
    payloads, rng = Payloads(topic, world.rng("moves"), seed=world.seed), world.rng("keys")
    async with world.phase("load"):
        for _ in range(MOVES):
            message = replace(payloads.next(), sharding_key=f"account-{rng.randrange(KEYS)}")
            traffic.ledger.note(message, await producer.send_sharded(message))
        await traffic.settled(group)
        # The copies that consumers sent back may have a delay level before them.
        last_level = FIRST_DELAY_LEVEL + world.profile.max_reconsume
        await world.watch_ms(world.profile.client.delay_ms(last_level) + SETTLE_MS)


SCENARIOS: Final = (
    Scenario(
        name="orderly-rebalance",
        summary="Catches two owners of one queue lock, and messages of a queue handed out of order.",
        aims=("ord-queue-lock", "ord-queue-fifo", "sto-fifo-queue", "con-alo"),
        run=_run,
        seconds=10,
    ),
    Scenario(
        name="orderly-fails",
        summary="Catches later messages that pass a failing one, keys that change queue, and failures without end.",
        aims=("ord-suspend-block", "ord-shard", "ord-orderly-dlq", "ord-queue-fifo"),
        run=_fails,
        seconds=9,
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
