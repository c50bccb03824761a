"""The wire itself: both encodings on one connection, a thousand requests in flight, what is missing, unknown or broken,
and what a broker says about things that are not there."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import chain
from typing import Final

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.codes import RequestCode
from mqcheck.rocketmq.conversation import Question
from mqcheck.rocketmq.models import Encoding
from mqcheck.scenarios.base import Scenario, World
from mqcheck.workloads.probes import UNKNOWN_CODE
from mqcheck.workloads.traffic import Traffic
from mqcheck.workloads.wire import (
    ENCODINGS,
    Known,
    bad_frames,
    broken_heartbeat,
    broker_refusals,
    heartbeat,
    incomplete,
    on_vip_port,
    with_unknown_keys,
)

QUEUES: Final = 2
"""Queues of the topic that is there."""
ROUNDS: Final = 2
"""How often everything is asked, in each encoding."""
MIXED: Final = 40
"""Requests of both encodings by turns on one connection."""
IN_FLIGHT: Final = {"broker-a": 1_000, "nameserver-1": 250}
"""Requests sent at once on one connection."""
FLIGHT_MS: Final = 15_000
"""How long all of them may take on a busy machine."""
SILENCE_MS: Final = 2_500
"""How long an answer is waited for that need not come; more than ns-unknown-code allows one that has to."""
BESIDE: Final = 3
"""Connections beside each bad frame that must outlive it."""


async def _together(admin: Admin, node: str, code: int, fields: dict[str, str]) -> None:
    """Both encodings by turns, then many at once."""
    mixed = tuple(Question("either encoding", code, fields, encoding=ENCODINGS[n % 2]) for n in range(MIXED))
    async with admin.conversation(node) as talk:
        await talk.ask_all(mixed)
        await talk.ask_all(
            tuple(Question("in flight", code, fields) for _ in range(IN_FLIGHT[node])), deadline_ms=FLIGHT_MS
        )


async def _broker(admin: Admin, known: Known, encoding: Encoding) -> None:
    place = {"topic": known.topic, "queueId": "0"}
    newer = {**place, "nsd": "true", "later": "1"}
    good = Question("after a bad request", int(RequestCode.GET_MAX_OFFSET), place)
    unknown = tuple(
        Question("unknown fields", int(code), newer, encoding=encoding, change=with_unknown_keys)
        for code in (RequestCode.GET_MAX_OFFSET, RequestCode.GET_MIN_OFFSET)
    )
    bad = (*incomplete(known, encoding), broken_heartbeat(encoding))
    async with admin.conversation("broker-a") as talk:
        await talk.ask_all(tuple(chain.from_iterable((question, good) for question in bad)))
        await talk.ask_all((heartbeat(known, f"wire@{encoding}", encoding), *unknown))
        await talk.ask_all(broker_refusals(known, encoding))


async def _vip(world: World, admin: Admin, known: Known) -> None:
    address = await world.network.vip_address(admin.client.name, "broker-a")
    async with admin.conversation("broker-a", address=address) as talk:
        for encoding in ENCODINGS * ROUNDS:
            await talk.ask_all(on_vip_port(known, f"wire-vip@{encoding}", encoding))


async def _nameserver(admin: Admin, known: Known, encoding: Encoding) -> None:
    route = int(RequestCode.GET_ROUTEINFO_BY_TOPIC)
    absent = {"namespace": known.nowhere, "key": known.nowhere}
    async with admin.conversation("nameserver-1") as talk:
        await talk.ask_all(
            (
                Question("field missing", route, encoding=encoding),
                Question("after a bad request", route, {"topic": known.topic}),
                Question("kv: no such key", 101, absent, encoding=encoding),
                Question("kv: no such namespace", 219, absent, encoding=encoding),
            )
        )


async def _unknown(admin: Admin) -> None:
    unknown = tuple(Question("unknown request", UNKNOWN_CODE, encoding=encoding) for encoding in ENCODINGS * ROUNDS)
    async with admin.conversation("nameserver-1") as talk:
        await talk.ask_all(unknown, deadline_ms=SILENCE_MS)


async def _bad_frames(admin: Admin, node: str, code: int, fields: dict[str, str]) -> None:
    """Each on a connection of its own, beside others that are asked before and after it, and nothing in between."""
    beside = Question("beside a bad frame", code, fields)
    for name, data in bad_frames().items():
        async with AsyncExitStack() as stack:
            talks = [await stack.enter_async_context(admin.conversation(node)) for _ in range(BESIDE)]
            await asyncio.gather(*(talk.ask(beside) for talk in talks))
            await admin.garbage(node, data, probe=f"bad frame: {name}", deadline_ms=5_000)
            await asyncio.gather(*(talk.ask(beside) for talk in talks))


async def _run(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("wire", queues=QUEUES)
    await traffic.group("desk", topic, members=1)
    admin = await world.admin()
    group = await world.idle_group("wire-returners", ["broker-a"])
    known = Known(world.cluster.prefix, topic, QUEUES, group)
    place = {"topic": topic, "queueId": "0"}
    offset, route = int(RequestCode.GET_MAX_OFFSET), int(RequestCode.GET_ROUTEINFO_BY_TOPIC)
    load = traffic.load(topic, producers=1, rate_per_s=15, workers=1)
    async with world.phase("load"), load, asyncio.TaskGroup() as together:
        together.create_task(_together(admin, "broker-a", offset, place))
        together.create_task(_together(admin, "nameserver-1", route, {"topic": topic}))
        for encoding in ENCODINGS * ROUNDS:
            together.create_task(_broker(admin, known, encoding))
            together.create_task(_nameserver(admin, known, encoding))
        together.create_task(_vip(world, admin, known))
        together.create_task(_unknown(admin))
        together.create_task(_bad_frames(admin, "broker-a", offset, place))
        together.create_task(_bad_frames(admin, "nameserver-1", route, {"topic": topic}))


SCENARIOS: Final = (
    Scenario(
        name="wire",
        summary="Catches servers that lose requests, mix up answers, let a bad frame hurt others, or refuse wrongly.",
        aims=(
            "prt-opaque",
            "prt-json-binary",
            "ns-json-binary",
            "prt-pipelining",
            "ns-pipelining",
            "prt-missing-field",
            "ns-missing-field",
            "prt-badframe-close",
            "ns-badframe-close",
            "prt-own-opaque",
            "prt-unknown-field",
            "prt-send-no-topic",
            "prt-send-no-queue",
            "prt-send-system-topic",
            "prt-members-none",
            "prt-view-none",
            "prt-query-none",
            "prt-sendback-none",
            "prt-end-none",
            "prt-heartbeat-ok",
            "prt-bad-body",
            "adm-connections-none",
            "adm-producers-none",
            "adm-stats-none",
            "ns-unknown-code",
            "prt-offset-none",
            "prt-bounds-none",
            "prt-vip",
            "ns-kv-none",
            "ns-kvlist-none",
        ),
        run=_run,
        seconds=6,
    ),
)
