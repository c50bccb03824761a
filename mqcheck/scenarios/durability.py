"""Durability: what an acknowledgement means when a broker is killed, loses power, or has a slow disk."""

from __future__ import annotations

from itertools import product
from typing import Final

from mqcheck.faults.base import Fault
from mqcheck.faults.disk import DiskFull, FsyncError, SlowFsync
from mqcheck.faults.power import PowerCut
from mqcheck.faults.process import Kill
from mqcheck.profile import Profile
from mqcheck.rocketmq.models import MessageQueue
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment
from mqcheck.workloads.inventory import Inventory
from mqcheck.workloads.pattern import hurt
from mqcheck.workloads.probes import poll_offsets
from mqcheck.workloads.traffic import Traffic

ACKED_BEFORE_CUT: Final = 150
"""A cut comes after so many acknowledgements, never after a fixed time."""

SENT_BEFORE_CUT: Final = 20
"""A cut inside a disk's fault comes after so many send calls have ended."""

IDLE_GROUPS: Final = ("archive", "attic")
"""Without members: nobody commits their offsets anew after a kill, which would hide that they were lost."""

SLOWER_THAN_TIMEOUT: Final = 3
"""An fsync takes so many times the flush time-out, so that the broker must answer before it ends."""


async def _kill(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("orders", queues=4)
    await traffic.group("billing", topic, members=2)
    await traffic.group("search", topic, members=1)
    places = [("broker-a", MessageQueue(topic, "broker-a", queue)) for queue in range(4)]
    admin = await world.admin()
    for group in IDLE_GROUPS:
        await admin.create_group(group, ["broker-a"])
    async with traffic.load(topic, producers=2, rate_per_s=120):
        async with world.phase("load"):
            for group, (node, queue) in product(IDLE_GROUPS, places):
                await admin.commit_offset(node, group, topic, queue.queue, 1)
            await traffic.committed("billing", places)
            await traffic.flow(_offset_flush_ms(world) + world.profile.load_ms, acked=ACKED_BEFORE_CUT)
        await hurt(world, [Kill("broker-a")], world.profile.load_ms / 4)
        for group in ("billing", *IDLE_GROUPS):
            world.spawn(poll_offsets(admin, group, places), f"offsets of {group}")
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms / 2, acked=30)


def _offset_flush_ms(world: World) -> int:
    return int(world.cluster.nodes["broker-a"].settings["flushConsumerOffsetInterval"])


async def _power_cut(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("ledger", queues=2)
    await traffic.group("audit", topic, members=1)
    inventory = await Inventory.make(world)
    async with traffic.load(topic, producers=2, rate_per_s=150, workers=4) as ledger:
        async with world.phase("load"):
            await traffic.flow(0, acked=ACKED_BEFORE_CUT)
        # With RocketMQ's own interval little is unflushed: what a torn write kept of it by luck could leave no control.
        control = PowerCut("broker-async", torn=world.profile.name == "quick")
        await hurt(world, [control, PowerCut("broker-sync")], world.profile.load_ms / 4)
        if _down(world):
            # One that does not start again is a matter of its own; nobody waits for what it had.
            ledger.acked.clear()
            return
        async with world.phase("load"):
            await inventory.look("after")
            await world.topic(topic, queues=2)  # it may be gone, and the messages in it with it for every reader
            await traffic.flow(world.profile.load_ms / 2, acked=30)
    # Whoever had read further than the cut log reaches is sent to its end: later messages may be passed over too.
    ledger.forgive("broker-async")


def _down(world: World) -> bool:
    return not all(node.running for node in world.cluster.brokers())


def _cut_deployment(profile: Profile) -> Deployment:
    # The ASYNC group is the control: a cut that takes nothing from it proves nothing, so `quick` never flushes in time.
    control = {"flushIntervalCommitLog": 60_000} if profile.name == "quick" else {}
    return Deployment(
        brokers=(
            BrokerSpec("broker-sync", {"flushDiskType": "SYNC_FLUSH"}),
            BrokerSpec("broker-async", {"flushDiskType": "ASYNC_FLUSH", **control}),
        )
    )


def _slow_deployment(profile: Profile) -> Deployment:
    timeout_ms = 400 if profile.name == "quick" else 5_000
    return Deployment(
        brokers=(BrokerSpec("broker-a", {"flushDiskType": "SYNC_FLUSH", "syncFlushTimeout": timeout_ms}),)
    )


async def _slow_fsync(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("invoices", queues=4)
    await traffic.group("printing", topic, members=1)
    flush_ms = int(world.cluster.nodes["broker-a"].settings["syncFlushTimeout"])
    slow_ms = flush_ms * SLOWER_THAN_TIMEOUT
    async with traffic.load(topic, producers=2, rate_per_s=40, workers=4, send_timeout_ms=slow_ms * 2):
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms / 4, acked=10)
        await hurt(world, [SlowFsync("broker-a", slow_ms)], slow_ms * 2)
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms / 4, acked=10)


async def _fsync_error(world: World) -> None:
    await _fault_then_cut(world, FsyncError("broker-a"))


async def _disk_full(world: World) -> None:
    await _fault_then_cut(world, DiskFull("broker-a"))


async def _fault_then_cut(world: World, fault: Fault) -> None:
    """The power fails while the disk does: once a disk is well again, the next flush hides what was lost."""
    traffic = Traffic(world)
    topic = await world.topic("orders", queues=2)
    await traffic.group("billing", topic, members=1)
    flush_ms = int(world.cluster.nodes["broker-a"].settings["syncFlushTimeout"])
    async with traffic.load(topic, producers=2, rate_per_s=100, workers=4, send_timeout_ms=flush_ms * 3) as ledger:
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms / 4, acked=30)
        async with world.phase("fault"), world.faults.during(fault):
            await traffic.attempt(max(world.profile.load_ms, flush_ms * 2), calls=SENT_BEFORE_CUT)
            # No torn write: what it leaves by luck would only make the count smaller.
            async with world.faults.during(PowerCut("broker-a", torn=False)):
                ledger.forgive("broker-a")
                await world.sleep_ms(world.profile.load_ms / 4)
        if _down(world):
            ledger.acked.clear()
            return
        async with world.phase("load"):
            await world.topic(topic, queues=2)
            await traffic.flow(world.profile.load_ms / 4, acked=10)
    # Whoever had read further than the cut log reaches is sent to its end: later messages may be passed over too.
    ledger.forgive("broker-a")


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
            "con-offset-persist",
        ),
        run=_kill,
        seconds=9,
    ),
    Scenario(
        name="power-cut",
        summary="Catches acknowledgements before the fsync: whole machines lose power, one under each flush mode.",
        deployment=_cut_deployment,
        needs=frozenset({"power-cut"}),
        aims=("dur-ack-power-sf", "dur-power-start", "dur-power-readable", "dur-meta-power", "sto-recover-no-ghost"),
        run=_power_cut,
        seconds=12,
    ),
    Scenario(
        name="slow-fsync",
        summary="Catches brokers that throw away, or forget to mention, what they could not flush in time.",
        deployment=_slow_deployment,
        needs=frozenset({"slow-fsync"}),
        aims=("dur-notok-stored",),
        run=_slow_fsync,
        seconds=8,
    ),
    Scenario(
        name="disk-error",
        summary="Catches acknowledgements of a flush that failed: every fsync of the log fails, then the power does.",
        deployment=_slow_deployment,
        needs=frozenset({"fsync-error", "power-cut"}),
        aims=("dur-ack-fsync-error",),
        run=_fsync_error,
        seconds=8,
    ),
    Scenario(
        name="disk-full",
        summary="Catches acknowledgements of what a full disk did not take: writes of the log fail, then the power.",
        deployment=_slow_deployment,
        needs=frozenset({"disk-full", "power-cut"}),
        aims=("dur-ack-disk-full",),
        run=_disk_full,
        seconds=8,
    ),
)
