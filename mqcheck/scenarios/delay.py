"""Delay: messages that must not be seen before their time."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.workloads.payloads import Payloads
from mqcheck.workloads.traffic import Traffic

LEVELS: Final = (1, 2, 3)
"""Delay levels that are used: seconds even with RocketMQ's own numbers."""

MESSAGES: Final = 18


async def _run(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("reminders", queues=2)
    await traffic.group("alarm", topic, members=1)
    producer = Producer(await world.client("producer-1"), "reminders-producers")
    payloads = Payloads(topic, world.rng("reminders"), seed=world.seed)
    async with world.phase("load"):
        for number in range(MESSAGES):
            message = replace(payloads.next(), delay_level=LEVELS[number % len(LEVELS)])
            traffic.ledger.note(message, await producer.send(message))
            await world.sleep_ms(20)


SCENARIOS: Final = (
    Scenario(
        name="delay",
        summary="Catches delayed messages that are delivered too early, changed or never.",
        aims=("dly-not-early", "dly-alo"),
        run=_run,
        seconds=5,
    ),
)
