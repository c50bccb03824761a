"""Disks: one that fails writes, one whose log ends in a damaged record, one without its queues, one nearly full."""

from __future__ import annotations

from typing import Final

from mqcheck.faults.disk import NearlyFull, WriteError
from mqcheck.faults.power import PowerCut
from mqcheck.faults.store import BadTail, LostQueues
from mqcheck.profile import Profile
from mqcheck.rocketmq.tail import Spoil
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment, Setting
from mqcheck.workloads.pattern import hurt
from mqcheck.workloads.traffic import Traffic

SPOILS: Final[tuple[Spoil, ...]] = ("flip", "torn", "cut")
"""Every way in which the last record can be damaged, one after the other."""

SENT_BEFORE_CUT: Final = 100
"""The power is cut once so many send calls have ended under the fault, to whichever broker. Ours."""

LOG_FILE_BYTES: Final = 32 * 1024
"""A file of the log that is soon full, so that there are several. Ours."""

LOOK_MS: Final = 200
"""How often the nearly full broker looks at its disk in `quick`. Ours."""

SENT_REFUSED: Final = 40
"""The disk has room again once so many send calls have ended, most of them refused. Ours."""

ROUNDS: Final = 8
"""Pulls from each queue of the nearly full broker. Ours."""


def _damage_deployment(profile: Profile) -> Deployment:
    timeout_ms = 400 if profile.name == "quick" else 5_000
    sync: dict[str, Setting] = {"flushDiskType": "SYNC_FLUSH", "syncFlushTimeout": timeout_ms}
    return Deployment(
        brokers=(BrokerSpec("broker-a", sync), BrokerSpec("broker-b", sync), BrokerSpec("broker-c", sync)),
    )


async def _damage(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("orders", queues=2)
    await traffic.group("billing", topic, members=1)
    flush_ms = int(world.cluster.nodes["broker-a"].settings["syncFlushTimeout"])
    part_ms = world.profile.load_ms / 4
    load = traffic.load(topic, producers=2, rate_per_s=160, workers=4, send_timeout_ms=flush_ms * 3)
    async with load as ledger:
        async with world.phase("load"):
            await traffic.flow(part_ms, acked=90)
        for how in SPOILS:
            await hurt(world, [BadTail("broker-b", how)], part_ms / 4)
            ledger.forgive("broker-b")
            if _down(world):
                ledger.acked.clear()
                return
            async with world.phase("load"):
                await traffic.flow(part_ms / 2, acked=10)
        await hurt(world, [LostQueues("broker-c")], part_ms / 4)
        async with world.phase("fault"), world.faults.during(WriteError("broker-a")):
            await traffic.attempt(part_ms, calls=SENT_BEFORE_CUT)
            # No torn write: what it leaves by luck would only make the count smaller.
            async with world.faults.during(PowerCut("broker-a", torn=False)):
                await world.sleep_ms(part_ms / 4)
        if _down(world):
            ledger.acked.clear()
            return
        async with world.phase("load"):
            await world.topic(topic, queues=2)
            await traffic.flow(part_ms / 2, acked=10)
    # Whoever had read further than the cut logs reach is sent to their end: later messages may be passed over too.
    ledger.forgive("broker-a")
    ledger.forgive("broker-b")


def _down(world: World) -> bool:
    return not all(node.running for node in world.cluster.brokers())


def _full_deployment(profile: Profile) -> Deployment:
    quick: dict[str, Setting] = {"cleanResourceInterval": LOOK_MS} if profile.name == "quick" else {}
    # What is thrown away to make room may be what a slow consumer has not read yet: nothing is promised of that.
    kept: dict[str, Setting] = {"mappedFileSizeCommitLog": LOG_FILE_BYTES, "cleanFileForciblyEnable": False}
    return Deployment(brokers=(BrokerSpec("broker-a", {**kept, **quick}),))


async def _nearly_full(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("ledger", queues=2)
    await traffic.group("audit", topic, members=1)
    admin = await world.admin()
    look_ms = int(world.cluster.nodes["broker-a"].settings["cleanResourceInterval"])
    part_ms = world.profile.load_ms / 4
    async with traffic.load(topic, producers=2, rate_per_s=150, workers=2):
        async with world.phase("load"):
            await traffic.flow(part_ms * 2, acked=100)
            for queue in range(2):
                await admin.min_offset("broker-a", topic, queue)
        async with world.phase("fault"), world.faults.during(NearlyFull("broker-a")):
            await traffic.attempt(look_ms + part_ms * 2, calls=SENT_REFUSED)
            for _ in range(ROUNDS):
                for queue in range(2):
                    begin = await admin.min_offset("broker-a", topic, queue)
                    await admin.pull_once("broker-a", topic, queue, begin or 0, group="audit", max_num=4)
        async with world.phase("load"):
            await traffic.flow(look_ms + part_ms, acked=10)


SCENARIOS: Final = (
    Scenario(
        name="disk-damage",
        summary="Catches acknowledged writes that failed, broken records that are shown, and queues not made anew.",
        deployment=_damage_deployment,
        needs=frozenset({"write-error", "power-cut", "bad-tail", "lost-queues"}),
        aims=("dur-write-error", "sto-bad-tail", "sto-recover-cq", "sto-recover-no-ghost", "dur-crc-valid"),
        run=_damage,
        seconds=8,
    ),
    Scenario(
        name="disk-nearly-full",
        summary="Catches brokers that take messages until no write succeeds, go silent, or throw messages away early.",
        deployment=_full_deployment,
        needs=frozenset({"disk-nearly-full"}),
        aims=("sto-diskfull", "sto-retention"),
        run=_nearly_full,
        seconds=6,
    ),
)
