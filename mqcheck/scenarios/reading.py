"""Reading: pulls by hand on a queue whose every message is known, lookups by time, key and id, and limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.models import MessageQueue, SendOutcome
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.workloads.payloads import Payloads
from mqcheck.workloads.refusals import messages_at_limits, refused_pulls, topics_at_limits
from mqcheck.workloads.traffic import Traffic

NODE: Final = "broker-a"

KNOWN: Final = 48
"""Messages of the queue that is read by hand."""

APART_MS: Final = 8
"""Time between two of them, so that their store times differ."""

BATCHES: Final = 14
BATCH: Final = 5
"""Batches, and messages of each, that others send in between."""

LOOKED_UP: Final = 24
"""Messages asked for by id and by key."""

INDEXED_MS: Final = 1_200
"""After so long a message is to be found by its keys; a little more than sto-query-key allows."""

ROUNDS: Final = 4
"""How often each refusal is tried."""


async def _fill(world: World, topic: str) -> list[SendOutcome]:
    """Known messages, one after the other; each has one key of its own."""
    producer = Producer(await world.client("producer-1"), "shelf-producers")
    payloads = Payloads(topic, world.rng("shelf"), seed=world.seed)
    place = MessageQueue(topic, NODE, 0)
    outcomes = []
    for number in range(KNOWN):
        message = replace(payloads.next(), keys=(f"shelf-{number}",))
        outcomes.append(await producer.send(message, queue=place))
        await world.sleep_ms(APART_MS)
    return outcomes


async def _batches(world: World, topic: str) -> None:
    """Batches to a queue to which single messages go at the same time."""
    producer = Producer(await world.client("producer-2"), "pile-producers")
    payloads = Payloads(topic, world.rng("pile"), seed=world.seed)
    place = MessageQueue(topic, NODE, 0)

    async def singles(worker: str) -> None:
        for _ in range(BATCHES * 2):
            await producer.send(payloads.next(), queue=place, worker=worker)

    async with asyncio.TaskGroup() as together:
        for number in range(2):
            together.create_task(singles(f"s{number}"))
        for _ in range(BATCHES):
            await producer.send_batch([payloads.next() for _ in range(BATCH)], queue=place, worker="batches")


async def _pulls(admin: Admin, topic: str, void: str) -> list[int]:
    """Pulls inside the queue, at its end and outside of it; the store times of the first message of each."""
    times = []
    for position in range(0, KNOWN, 3):
        for most in (1, 5, 7, 12, 0 if position % 2 else 32):
            answer = await admin.pull_once(NODE, topic, 0, position, group="readers", max_num=most)
            times += [record.store_time_ms for record in answer.records[:1] if most == 1]
        await admin.max_offset(NODE, topic, 0)
        await admin.min_offset(NODE, topic, 0)
    end = await admin.max_offset(NODE, topic, 0) or 0
    for away in (-1, -7, end, end + 1, end + 100):
        for _ in range(3):
            await admin.pull_once(NODE, topic, 0, away, group="readers")
    for position in (0, 5):
        await admin.pull_once(NODE, void, 0, position, group="readers")
    return times


async def _searches(admin: Admin, topic: str, times: Sequence[int]) -> None:
    """By times at messages, just beside them, and beyond both ends."""
    beside = [time + step for time in times for step in (-1, 0, 1)]
    for time in (*beside, min(times, default=0) - 60_000, max(times, default=0) + 60_000):
        await admin.search_offset(NODE, topic, 0, time)


async def _lookups(admin: Admin, topic: str, outcomes: Sequence[SendOutcome]) -> None:
    """By message id, by key and by unique key."""
    for number, outcome in list(enumerate(outcomes))[:: KNOWN // LOOKED_UP]:
        if outcome.offset_message_id is not None:
            await admin.look_up(NODE, "view", topic, outcome.offset_message_id)
        await admin.look_up(NODE, "key", topic, f"shelf-{number}")
        await admin.look_up(NODE, "unique-key", topic, outcome.unique_key)


async def _run(world: World) -> None:
    traffic = Traffic(world)
    shelf = await world.topic("shelf", queues=1)
    pile = await world.topic("pile", queues=1)
    void = await world.topic("void", queues=1)
    desk = await traffic.group("desk", shelf)
    admin = await world.admin()
    await world.idle_group("readers", [NODE])
    async with world.phase("load"):
        async with asyncio.TaskGroup() as together:
            filled = together.create_task(_fill(world, shelf))
            together.create_task(_batches(world, pile))
            together.create_task(messages_at_limits(world, pile, NODE, rounds=ROUNDS))
            together.create_task(topics_at_limits(world, NODE, NODE, rounds=ROUNDS))
            together.create_task(refused_pulls(world, NODE, shelf, desk.name, queues=1, rounds=ROUNDS))
        times = await _pulls(admin, shelf, void)
        await _searches(admin, shelf, times)
        await world.watch_ms(INDEXED_MS)
        await _lookups(admin, shelf, filled.result())


SCENARIOS: Final = (
    Scenario(
        name="reading",
        summary="Catches pulls, searches and lookups answered wrongly, and requests taken that must be refused.",
        aims=(
            "con-pull-batch",
            "con-pull-order",
            "con-pull-next",
            "con-pull-bounds",
            "con-offset-moved",
            "con-perm",
            "con-sub-latest",
            "con-pull-topic-unknown",
            "con-pull-group-unknown",
            "con-pull-queue-range",
            "sto-offset-resp",
            "sto-batch-atomic",
            "sto-batch-order",
            "sto-max-offset",
            "sto-time-order",
            "sto-query-time",
            "sto-query-key",
            "sto-view-id",
            "sto-size-limit",
            "sto-topic-limit",
            "sto-props-limit",
        ),
        run=_run,
        seconds=6,
    ),
)
