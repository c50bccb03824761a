"""Consumption: listeners that fail, members that are killed, fall silent, join and leave."""

from __future__ import annotations

from typing import Final

from mqcheck.faults.process import Kill
from mqcheck.rocketmq.models import Delivery, ListenerResult
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment
from mqcheck.workloads.pattern import hurt
from mqcheck.workloads.probes import poll_members
from mqcheck.workloads.traffic import Traffic

FIRST_RETRY_LEVEL: Final = 3
"""The delay level of a first redelivery."""

UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

SETTLE_MS: Final = 1_500
"""How long one more redelivery than allowed is waited for, beyond the time it would be due."""


def delay_ms(world: World, level: int) -> int:
    """What a delay level means on broker-a, by its messageDelayLevel."""
    step = world.cluster.nodes["broker-a"].settings["messageDelayLevel"].split()[level - 1]
    number = step.rstrip("smhd")
    return int(number) * UNIT_MS[step.removeprefix(number)]


async def _fails(delivery: Delivery) -> ListenerResult:
    """One message in five fails always, another one the first time."""
    kind = (delivery.message or 0) % 5
    if kind == 0 or (kind == 1 and delivery.reconsume_times == 0):
        return "later"
    return "success"


async def _failing(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("parcels", queues=2)
    await traffic.group("delivery", topic, members=2, listener=_fails)
    async with world.phase("load"), traffic.load(topic, producers=1, rate_per_s=40):
        await traffic.flow(world.profile.load_ms / 2, acked=40)
    steps = range(FIRST_RETRY_LEVEL, FIRST_RETRY_LEVEL + world.profile.max_reconsume + 1)
    async with world.phase("load"):
        await world.sleep_ms(sum(delay_ms(world, level) for level in steps) + SETTLE_MS)


async def _killed(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("orders", queues=4)
    group = await traffic.group("billing", topic, members=1)
    await group.join_process("billing-killed", work_ms=5)
    async with traffic.load(topic, producers=2, rate_per_s=80):
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms, acked=70)
        await hurt(world, [Kill("billing-killed")], world.profile.load_ms / 2)
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms / 2, acked=50)


async def _silent(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("orders", queues=4)
    group = await traffic.group("billing", topic, members=2)
    admin = await world.admin()
    async with traffic.load(topic, producers=1, rate_per_s=30), world.phase("load"):
        await world.sleep_ms(world.profile.load_ms / 2)
        await group.silence("billing-2")
        world.spawn(poll_members(admin, "broker-a", "billing"), "members")
        await world.watch_ms(world.profile.client_expiry_ms + 2 * world.profile.client.rebalance_ms + SETTLE_MS)


async def _rebalance(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("orders", queues=4)
    group = await traffic.group("billing", topic, members=1)
    turn_ms = world.profile.client.rebalance_ms * 0.7
    admin = await world.admin()
    for node in ("broker-a", "broker-b"):
        world.spawn(poll_members(admin, node, "billing", period_ms=100), f"members of {node}")
    async with world.phase("load"), traffic.load(topic, producers=2, rate_per_s=60):
        for number in range(2, 6):
            await traffic.flow(turn_ms, acked=20)
            await group.join(f"billing-{number}")
        for number in (1, 3):
            await world.sleep_ms(turn_ms)
            await group.leave(f"billing-{number}")
        await world.sleep_ms(turn_ms)
        await group.crash("billing-4")
        # Two are left, and long enough to settle.
        await traffic.flow(3 * world.profile.client.rebalance_ms, acked=60)


SCENARIOS: Final = (
    Scenario(
        name="consumer-fails",
        summary="Catches failed messages that come back too early, changed, for ever, or not at all.",
        aims=("con-retry-delay", "con-retry-max", "con-retry-identity", "con-retry-alo"),
        run=_failing,
        seconds=12,
    ),
    Scenario(
        name="consumer-kill",
        summary="Catches messages that fall between a dead member and its successor.",
        deployment=Deployment(brokers=(BrokerSpec("broker-a"), BrokerSpec("broker-b"))),
        needs=frozenset({"kill"}),
        aims=("con-restart-resume", "con-alo", "con-no-skip", "con-dup-cause"),
        run=_killed,
        seconds=9,
    ),
    Scenario(
        name="consumer-silent",
        summary="Catches groups that keep a member which is connected but sends no heartbeat.",
        waits=frozenset({"reference.clientExpiryMs"}),
        aims=("con-expire",),
        run=_silent,
        seconds=14,
    ),
    Scenario(
        name="rebalance",
        summary="Catches messages lost or repeated without cause while members join and leave.",
        deployment=Deployment(brokers=(BrokerSpec("broker-a"), BrokerSpec("broker-b"))),
        aims=(
            "con-alo",
            "con-dup-cause",
            "con-no-skip",
            "con-restart-resume",
            "con-members-list",
            "con-unregister",
            "con-expire-close",
            "con-notify-ids",
            "con-rebalance-cover",
            "cli-heartbeat",
            "cli-route-poll",
        ),
        run=_rebalance,
        seconds=11,
    ),
)
