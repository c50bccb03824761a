"""Slaves: one is late, one is gone, one is asked things that only a master does, and one outlives its master."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from mqcheck.faults.link import Blackhole, LimitData
from mqcheck.faults.process import Kill
from mqcheck.profile import Profile
from mqcheck.rocketmq.admin import Admin
from mqcheck.scenarios.base import Scenario, World
from mqcheck.scenarios.replication import SLAVE_LINK, SLAVE_TIMEOUT_MS
from mqcheck.targets.base import BrokerSpec, Deployment, Setting
from mqcheck.workloads.copies import Copies, read_node, send_to_slave
from mqcheck.workloads.pattern import hurt
from mqcheck.workloads.traffic import Traffic

ASYNC_LINK: Final = "broker-b-slave->broker-b"
"""What the slave of the ASYNC_MASTER fetches the log through."""

CUT_BYTES: Final = 5_003
"""A connection to the master ends after so many bytes: somewhere in a record. Ours; a prime, so that it is no multiple
of anything."""

SYNC_SPARE_MS: Final = 1_300
"""What copying the tables may take beyond its period, and some more. Ours."""

UNAWARE_MS: Final = 700
"""How long a slave is gone before it matters: a master has half a second to see it. Ours."""

CALLS: Final = 60
"""Sends that end then: those of all workers that had begun before, and three times as many. Ours."""

ROUNDS: Final = 8
"""Sends to a slave, and pulls from it while its master is dead. Ours."""


def _deployment(profile: Profile) -> Deployment:
    quick: dict[str, Setting] = {"slaveTimeout": 400, "reference.slaveSyncMs": 400, "reference.haReconnectMs": 200}
    usual: dict[str, Setting] = {"slaveTimeout": SLAVE_TIMEOUT_MS}
    settings = quick if profile.name == "quick" else usual
    return Deployment(
        brokers=(
            BrokerSpec("broker-a", {"brokerRole": "SYNC_MASTER"}, slaves=1),
            BrokerSpec("broker-b", {"brokerRole": "ASYNC_MASTER"}, slaves=1),
        ),
        settings=settings,
    )


async def _slave_lost(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("copied", queues=2)
    await traffic.group("readers", topic, members=1)
    admin = await world.admin()
    copies = await Copies.make(world, ["broker-a", "broker-b"], topic)
    part_ms = world.profile.load_ms / 4
    sync_ms = int(world.cluster.nodes["broker-a-slave"].settings.get("reference.slaveSyncMs", 0))
    async with traffic.load(topic, producers=2, rate_per_s=90, workers=8):
        async with world.phase("load"):
            await send_to_slave(world, "broker-a-slave", topic, ROUNDS)
            await _until_copied(world, admin, topic)
            await traffic.flow(sync_ms + SYNC_SPARE_MS, acked=40)
            await copies.ask_slaves()
        await hurt(world, [Blackhole(SLAVE_LINK)], _timeout_ms(world) * 3)
        await hurt(world, [LimitData(SLAVE_LINK, "down", limit_bytes=CUT_BYTES)], part_ms)
        async with world.phase("fault"), world.faults.during(Kill("broker-a-slave")):
            await world.watch_ms(UNAWARE_MS)
            await traffic.attempt(0, calls=CALLS)
        async with world.phase("load"):
            await traffic.flow(part_ms, acked=40)
            await read_node(world, "broker-a", topic, "before-kill")
        async with world.phase("fault"), AsyncExitStack() as stack:
            await stack.enter_async_context(world.faults.during(Blackhole(ASYNC_LINK)))
            await traffic.flow(part_ms, acked=30)
            await read_node(world, "broker-a-slave", topic, "alive")
            for master in ("broker-a", "broker-b"):
                await stack.enter_async_context(world.faults.during(Kill(master)))
            await _without_master(world, admin, topic)
        async with world.phase("load"):
            await traffic.flow(part_ms, acked=20)


async def _until_copied(world: World, admin: Admin, topic: str) -> None:
    """Both slaves have messages of the topic: one that has just started may learn late where its master is."""

    async def copied() -> bool:
        at_end = [await admin.max_offset(slave, topic, 0) for slave in ("broker-a-slave", "broker-b-slave")]
        return all(at_end)

    await world.wait_until(copied, 2 * world.profile.ready_ms, "both slaves to copy their masters' logs")


async def _without_master(world: World, admin: Admin, topic: str) -> None:
    for _ in range(ROUNDS):
        for queue in range(2):
            await admin.pull_once("broker-a-slave", topic, queue, 0, group="readers", max_num=8)
    await read_node(world, "broker-b-slave", topic, "master-dead")


def _timeout_ms(world: World) -> int:
    return int(world.cluster.nodes["broker-a"].settings["slaveTimeout"])


SCENARIOS: Final = (
    Scenario(
        name="slave-lost",
        summary="Catches masters that hide a late or missing slave, and slaves that refuse reads or take writes.",
        deployment=_deployment,
        needs=frozenset({"partition", "kill", "replication", "server-links"}),
        aims=(
            "rep-slave-slow",
            "rep-slave-missing",
            "rep-slave-read",
            "rep-slave-refuse",
            "rep-redirect",
            "rep-meta-topics",
            "rep-meta-offsets",
            "rep-prefix",
            "rep-resume",
        ),
        run=_slave_lost,
        seconds=9,
    ),
)
