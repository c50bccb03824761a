"""Flow: a backlog that slow consumers work off, each held back by another threshold of its cache."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

from mqcheck.rocketmq.models import Delivery, ListenerResult, MessageQueue
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.workloads.payloads import Payloads
from mqcheck.workloads.traffic import Traffic

BODY_BYTES: Final = 512
WORK_MS: Final = 20
"""How long a listener takes for a message: much longer than pulling one."""
BATCH: Final = 50
"""Messages of one send; the backlog has to grow faster than it is worked off."""
GOES_ON_MS: Final = 1_300
"""How long members stay when all is done: more than a full cache may keep one from its next pull. Ours."""
THRESHOLD: Final = 1_000
"""RocketMQ's pullThresholdForQueue; less where the backlog is no multiple of it."""


def _slow(span: int) -> Any:
    """A listener that takes its time, and for a few messages so long that the others run away from them."""

    async def listen(delivery: Delivery) -> ListenerResult:
        stuck = delivery.queue == 2 and delivery.queue_offset % span == 0
        await asyncio.sleep((WORK_MS + (WORK_MS * span // 4 if stuck else 0)) / 1000)
        return "success"

    return listen


async def _fill(world: World, traffic: Traffic, topic: str) -> None:
    """As many messages to each queue, in batches."""
    producer = Producer(await world.client("producer-1"), f"{topic}-producers")
    payloads = Payloads(topic, world.rng("backlog"), seed=world.seed)
    queues = [MessageQueue(topic, "broker-a", queue) for queue in range(3)]
    for _ in range(world.profile.backlog // (BATCH * len(queues))):
        for queue in queues:
            batch = [replace(payloads.next(), body=bytes(BODY_BYTES), keys=()) for _ in range(BATCH)]
            for message, outcome in zip(batch, await producer.send_batch(batch, queue=queue), strict=True):
                traffic.ledger.note(message, outcome)


async def _backlog(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("stock", queues=3)
    limit = min(THRESHOLD, world.profile.backlog // 20)
    group = await traffic.group("pickers", topic, members=0, listener=_slow(2 * limit))
    await group.join("pickers-by-count", threshold_messages=limit)
    await group.join("pickers-by-size", threshold_bytes=limit * BODY_BYTES)
    await group.join("pickers-by-span", threshold_span=2 * limit)
    async with world.phase("load"):
        await world.sleep_ms(world.profile.client.rebalance_ms)
        await _fill(world, traffic, topic)
        await traffic.settled(group)
        # One that never went on would be found out only by then.
        await world.watch_ms(GOES_ON_MS)


SCENARIOS: Final = (
    Scenario(
        name="backlog",
        summary="Catches consumers that pull more than they can hold, stop pulling, or lose their place.",
        aims=(
            "con-alo",
            "con-threshold-count",
            "con-threshold-size",
            "con-threshold-span",
            "con-flow-resume",
            "con-pull-position",
            "con-no-skip",
        ),
        run=_backlog,
        seconds=7,
    ),
)
