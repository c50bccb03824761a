"""Protocol: many requests at once, unknown ones, one-way ones, held pulls, routes that are not there, sends against
the rules."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from mqcheck.rocketmq.codes import PROPERTIES_BYTES_MAX, RequestCode
from mqcheck.rocketmq.models import MessageQueue
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.workloads.payloads import Payloads
from mqcheck.workloads.probes import UNKNOWN_CODE, hold_pulls, pipeline
from mqcheck.workloads.traffic import Traffic

ROUNDS: Final = 6
"""Rounds of pipelined requests, and of questions for topics that do not exist."""

HELD_ROUNDS: Final = 3
"""Pulls that are held until they end empty, one after the other, on each of two queues."""

REFUSED: Final = 6
"""Messages with more properties than a record can hold."""


async def _refused(world: World, topic: str) -> None:
    """Sends that a broker has to refuse, to a topic that is read to its end."""
    producer = Producer(await world.client("producer-2"), "forms-producers")
    payloads = Payloads(topic, world.rng("refused"), seed=world.seed)
    for _ in range(REFUSED):
        await producer.send(replace(payloads.next(), body=b"1", properties={"form": "x" * PROPERTIES_BYTES_MAX}))


async def _run(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("calls", queues=2)
    quiet = await world.topic("silence", queues=2)
    await traffic.group("desk", topic, members=1)
    admin = await world.admin()
    await world.idle_group("probe", ["broker-a"])
    offset = {"topic": topic, "queueId": "0"}
    requests = {
        "max-offset": (int(RequestCode.GET_MAX_OFFSET), offset),
        "min-offset": (int(RequestCode.GET_MIN_OFFSET), offset),
        "unknown-code": (UNKNOWN_CODE, {}),
    }
    oneway = {"max-offset oneway": requests["max-offset"], "unknown-code oneway": requests["unknown-code"]}
    hold_ms = world.profile.client.suspend_ms // 2
    calls = traffic.load(topic, producers=1, rate_per_s=15, workers=1)
    async with world.phase("load"), calls, asyncio.TaskGroup() as together:
        together.create_task(pipeline(admin, "broker-a", requests, rounds=ROUNDS))
        together.create_task(pipeline(admin, "broker-a", oneway, rounds=ROUNDS, oneway=True))
        together.create_task(_refused(world, topic))
        for queue in range(2):
            place = MessageQueue(quiet, "broker-a", queue)
            held = hold_pulls(admin, "broker-a", place, group="probe", hold_ms=hold_ms, rounds=HELD_ROUNDS)
            together.create_task(held)
        for number in range(ROUNDS):
            await admin.route("nameserver-1", f"nowhere-{number}")
            await world.sleep_ms(world.profile.load_ms / ROUNDS)


SCENARIOS: Final = (
    Scenario(
        name="protocol",
        summary="Catches answers that are missing, doubled or unasked, pulls held too long, and refusals that lie.",
        aims=(
            "prt-opaque",
            "prt-unknown-code",
            "prt-oneway",
            "ns-empty-17",
            "con-longpoll-wake",
            "con-longpoll-timeout",
            "dur-reject-absent",
        ),
        run=_run,
        seconds=7,
    ),
)
