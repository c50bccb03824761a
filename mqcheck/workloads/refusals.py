"""Requests that a broker has to refuse, or must not: pulls without right or sense, topics and messages over the limits.

Each is a raw request or a send with a name; what was answered stands in the history, and nothing is judged here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mqcheck.rocketmq.codes import (
    MESSAGE_BYTES_MAX,
    PERM_WRITE,
    PROPERTIES_BYTES_MAX,
    PULL_SUBSCRIPTION,
    RequestCode,
)
from mqcheck.rocketmq.models import Encoding, MessageQueue
from mqcheck.rocketmq.names import owned
from mqcheck.rocketmq.producer import Producer
from mqcheck.rocketmq.sendheader import send_fields
from mqcheck.scenarios.base import World
from mqcheck.workloads.payloads import Payloads

TOPIC_CHARS_MAX: Final = 127
"""Longest name of a topic (TopicValidator)."""

NEWER: Final = 2**61
"""A subscription's version that no broker knows yet."""


def pull_fields(group: str, topic: str, queue: int = 0, **changes: object) -> dict[str, str]:
    """Header fields of a pull from offset 0 that brings its own subscription to everything."""
    fields = {
        "consumerGroup": group,
        "topic": topic,
        "queueId": queue,
        "queueOffset": 0,
        "maxMsgNums": 8,
        "sysFlag": PULL_SUBSCRIPTION,
        "commitOffset": 0,
        "suspendTimeoutMillis": 0,
        "subVersion": 0,
        "subscription": "*",
        "expressionType": "TAG",
        **changes,
    }
    return {name: str(value) for name, value in fields.items()}


async def refused_pulls(world: World, node: str, topic: str, group: str, *, queues: int, rounds: int) -> None:
    """Pulls of ``topic``, which has ``queues`` queues and the live ``group``, each with one thing wrong (con-*)."""
    admin = await world.admin()
    prefix = world.cluster.prefix
    sealed, barred = owned(prefix, "sealed"), owned(prefix, "barred")
    stranger, nowhere = owned(prefix, "strangers"), owned(prefix, "nowhere")
    asker = await world.idle_group("askers", [node])

    async def made() -> bool:
        topics = await admin.create_topic(sealed, [node], queues=1, perm=PERM_WRITE)
        groups = await admin.create_group(barred, [node], consumeEnable=False)
        return topics[node] == groups[node] == 0

    await world.wait_until(made, world.profile.ready_ms, f"{node} to make {sealed} and {barred}")
    requests = {
        "pull-barred-group": pull_fields(barred, topic),
        "pull-unreadable-topic": pull_fields(asker, sealed),
        "pull-unknown-topic": pull_fields(asker, nowhere),
        "pull-unknown-group": pull_fields(stranger, topic, sysFlag=0),
        "pull-newer-subscription": pull_fields(owned(prefix, group), topic, sysFlag=0, subVersion=NEWER),
        "pull-queue-above": pull_fields(asker, topic, queues),
        "pull-queue-below": pull_fields(asker, topic, -1),
    }
    await _ask(world, node, RequestCode.PULL_MESSAGE, requests, rounds)


async def topics_at_limits(world: World, node: str, broker: str, *, rounds: int) -> None:
    """Messages to topics whose names are too long, as long as can be, and none (sto-topic-limit)."""
    prefix = world.cluster.prefix
    names = {
        "topic-too-long": prefix + "x" * (TOPIC_CHARS_MAX + 1 - len(prefix)),
        "topic-bad-characters": prefix + "a/b",
        "topic-blank-inside": prefix + "a b",
        "topic-longest": prefix + "y" * (TOPIC_CHARS_MAX - len(prefix)),
    }
    born = world.clock.wall_ms()
    requests = {
        name: send_fields("limit-producers", MessageQueue(topic, broker, 0), b"", born_time_ms=born)
        for name, topic in names.items()
    }
    await _ask(world, node, RequestCode.SEND_MESSAGE_V2, requests, rounds, body=b"1")


async def messages_at_limits(world: World, topic: str, node: str, *, rounds: int) -> None:
    """Bodies of the largest size and a byte more, properties longer than a record can hold (sto-size-limit,
    sto-props-limit).
    """
    producer = Producer(await world.client("producer-limits"), "limit-producers")
    payloads = Payloads(topic, world.rng("limits"), seed=world.seed)
    largest = int(world.cluster.nodes[node].settings.get("maxMessageSize", MESSAGE_BYTES_MAX))
    wait_ms = world.profile.ready_ms
    for _ in range(rounds):
        for size in (largest, largest + 1):
            await producer.send(replace(payloads.next(), body=bytes(size)), timeout_ms=wait_ms)
        await producer.send(replace(payloads.next(), body=b"1", properties={"form": "x" * PROPERTIES_BYTES_MAX}))


async def _ask(
    world: World,
    node: str,
    code: RequestCode,
    requests: Mapping[str, Mapping[str, str]],
    rounds: int,
    body: bytes = b"",
) -> None:
    """All of them at once, in both encodings in turn."""
    admin, wait_ms = await world.admin(), world.profile.client.request_timeout_ms
    async with asyncio.TaskGroup() as together:
        for number in range(rounds):
            encoding: Encoding = "binary" if number % 2 else "json"
            for name, fields in requests.items():
                asked = admin.raw(node, code, fields, body, probe=name, encoding=encoding, deadline_ms=wait_ms)
                together.create_task(asked)
