"""Delay: messages that must not be seen before their time, soon after it, and in spite of a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mqcheck.faults.process import Kill
from mqcheck.profile import Profile
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import Deployment
from mqcheck.targets.settings import delay_levels_ms
from mqcheck.workloads.pattern import hurt
from mqcheck.workloads.payloads import Payloads
from mqcheck.workloads.traffic import Traffic

LEVELS: Final = (1, 2, 3)
"""Delay levels that are used: seconds even with RocketMQ's own numbers."""

MESSAGES: Final = 18

SHORT_LEVELS: Final = "1s 3s 5s"
QUICK_LEVELS: Final = "200ms 900ms 1500ms"
"""All the levels that a broker has whose highest is waited for."""

ODD_LEVELS: Final = (99, 99, -1, -1)
"""Above every level, and below, each in both queues: else places among what waits and in the topic are the same."""


async def _run(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("reminders", queues=2)
    await traffic.group("alarm", topic, members=1)
    async with world.phase("load"):
        await _send(world, traffic, topic, LEVELS, await _producer(world, topic))


async def _restart(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("renewals", queues=2)
    await traffic.group("desk", topic, members=1)
    levels_ms = delay_levels_ms(world.cluster.nodes["broker-a"].settings["messageDelayLevel"])
    producer = await _producer(world, topic, delay_levels_ms=tuple(levels_ms))
    async with world.phase("load"):
        await _send(world, traffic, topic, ODD_LEVELS, producer)
        await world.watch_ms(max(levels_ms) + world.profile.load_ms / 4)
        await _send(world, traffic, topic, range(2, len(levels_ms) + 1), producer, pause_ms=0)
    await hurt(world, [Kill("broker-a")], world.profile.load_ms / 4)


async def _producer(world: World, topic: str, **overrides: object) -> tuple[Producer, Payloads]:
    client = await world.client("producer-1", **overrides)
    return Producer(client, f"{topic}-producers"), Payloads(topic, world.rng(topic), seed=world.seed)


async def _send(
    world: World,
    traffic: Traffic,
    topic: str,
    levels: Sequence[int],
    source: tuple[Producer, Payloads],
    *,
    pause_ms: int = 20,
) -> None:
    """MESSAGES to the topic, each with the next of these levels."""
    producer, payloads = source
    for number in range(MESSAGES):
        message = replace(payloads.next(), delay_level=levels[number % len(levels)])
        traffic.ledger.note(message, await producer.send(message))
        await world.sleep_ms(pause_ms)


def _short(profile: Profile) -> Deployment:
    return Deployment(settings={"messageDelayLevel": QUICK_LEVELS if profile.name == "quick" else SHORT_LEVELS})


SCENARIOS: Final = (
    Scenario(
        name="delay",
        summary="Catches delayed messages that are delivered too early, too late, elsewhere, changed or never.",
        aims=("dly-not-early", "dly-alo", "dly-timely", "dly-topic"),
        run=_run,
        seconds=5,
    ),
    Scenario(
        name="delay-restart",
        summary="Catches brokers that forget what is waiting when they are killed, and odd delay levels.",
        deployment=_short,
        needs=frozenset({"kill"}),
        aims=("dly-not-early", "dly-alo", "dly-none"),
        run=_restart,
        seconds=6,
    ),
)
