"""The whole ladder of delays with RocketMQ's own numbers: all 18 levels, and 16 redeliveries before the dead letter."""

from __future__ import annotations

import dataclasses
import itertools
import time
from typing import Any

from mqcheck.profile import FULL
from mqcheck.rocketmq.models import Delivery, ListenerResult, Outgoing
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.settings import delay_levels_ms
from mqcheck.workloads.traffic import Traffic

LEVELS = 18
RETRIES = 16
FIRST_RETRY_LEVEL = 3
FAILING = 3
FAILS = b"fails"
LATE_MS = 1_000
TICK_MS = 1  # brokers count whole milliseconds
CPU_SECONDS_MAX = 60

PROFILE = dataclasses.replace(
    FULL,
    client=dataclasses.replace(FULL.client, persist_ms=60_000, rebalance_ms=60_000, route_poll_ms=120_000),
    max_reconsume=RETRIES,
    scenario_ms=24 * 3_600_000,
)
"""Its client says less often in five hours what does not change; when messages come is the broker's business."""


async def listen(delivery: Delivery) -> ListenerResult:
    return "later" if delivery.body == FAILS else "success"


async def climb(world: World) -> None:
    traffic = Traffic(world)
    failing, slow = await world.topic("failing", queues=1), await world.topic("slow", queues=1)
    await traffic.group("climbers", (failing, slow), listener=listen)
    producer = Producer(await world.client("producer"), "producers")
    levels = delay_levels_ms(world.cluster.nodes["broker-a"].settings["messageDelayLevel"])
    assert len(levels) == LEVELS
    messages = [Outgoing(failing, FAILS) for _ in range(FAILING)]
    messages += [Outgoing(slow, b"waits", delay_level=level) for level in range(1, LEVELS + 1)]
    async with world.phase("load"):
        for message in messages:
            traffic.ledger.note(message, await producer.send(message))
        await world.sleep_ms(sum(levels[FIRST_RETRY_LEVEL - 1 :]) + RETRIES * LATE_MS)


def test_the_ladder_takes_hours_there_and_seconds_here(play: Any) -> None:
    aims = ("con-retry-delay", "con-retry-max", "con-retry-identity", "con-retry-alo", "dly-not-early")
    began = time.process_time()
    judged = play(Scenario("ladder", "Catches wrong steps.", aims, climb), PROFILE)
    assert time.process_time() - began < CPU_SECONDS_MAX
    assert judged.plan["harness_error"] is None
    for aim in aims:
        assert judged.verdicts[aim].verdict in ("held", "inconclusive"), judged.verdicts[aim].reason
    for aim in ("con-retry-delay", "con-retry-max", "dly-not-early"):
        assert judged.verdicts[aim].verdict == "held", judged.verdicts[aim].reason
    levels = delay_levels_ms(_setting(judged, "messageDelayLevel"))
    assert judged.simulated.virtual_seconds > sum(levels[FIRST_RETRY_LEVEL - 1 :]) / 1000 > 4.75 * 3600
    _retries_follow_the_levels(judged, levels)
    _delays_are_the_levels(judged, levels)


def _setting(judged: Any, key: str) -> str:
    (found,) = [row["setting"] for row in judged.rows("config") if row["node"] == "broker-a" and row["key"] == key]
    return str(found)


def _retries_follow_the_levels(judged: Any, levels: list[int]) -> None:
    climbs = [each for each in _deliveries(judged) if len(each) > 1]
    assert [len(each) for each in climbs] == [1 + RETRIES] * FAILING
    for each in climbs:
        gaps = [later - earlier for earlier, later in itertools.pairwise(each)]
        for gap, due in zip(gaps, levels[FIRST_RETRY_LEVEL - 1 :], strict=True):
            assert due - TICK_MS <= gap <= due + LATE_MS


def _delays_are_the_levels(judged: Any, levels: list[int]) -> None:
    sent = [row["t"] / 1e6 for row in judged.rows("sends")][-LEVELS:]
    got = sorted(each[0] for each in _deliveries(judged) if len(each) == 1)
    assert len(got) == LEVELS
    for arrival, due in zip(got, levels, strict=True):
        assert due - TICK_MS <= arrival - sent[0]
        assert arrival - sent[-1] <= due + LATE_MS


def _deliveries(judged: Any) -> list[list[float]]:
    """When each message was delivered, ms."""
    times: dict[int, list[float]] = {}
    for row in judged.rows("deliveries"):
        times.setdefault(row["message"], []).append(row["t"] / 1e6)
    return list(times.values())
