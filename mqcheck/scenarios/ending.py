"""How every scenario ends: recover with a deadline, then read back everything that every node holds.

The same for all scenarios and both worlds; nothing is judged here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.names import is_owned
from mqcheck.scenarios.base import POLL_MS, World
from mqcheck.targets.base import Node

RECOVER_GROWTH_MAX: Final = 3
"""The deadline of `recover` grows, while there is progress in its last quarter, to at most so many times itself."""

ASK_MS: Final = 200
"""How often `recover` asks brokers what is still to come; each answer is a row of the history. Ours."""

READINGS_MAX: Final = 8
"""Queues read at the same time. Ours."""

BUILT_IN_TOPICS: Final = frozenset(
    {
        "TBW102",
        "SELF_TEST_TOPIC",
        "BenchmarkTest",
        "OFFSET_MOVED_EVENT",
        "RMQ_SYS_TRACE_TOPIC",
        "RMQ_SYS_TRANS_HALF_TOPIC",
    }
)
"""Topics that brokers make for themselves and nobody here sends to; not read back."""


@dataclass(frozen=True, slots=True, order=True)
class _Queue:
    node: str
    topic: str
    queue: int


async def recover(world: World) -> bool:
    """Wait until every expectation has come true, for the brokers too, or the liveness deadline has passed; True for
    the former.

    The deadline is the profile's `recover_ms` and grows by a quarter as long as the last quarter saw progress.
    """
    loop = asyncio.get_running_loop()
    whole = world.profile.recover_ms / 1000
    began = moved = loop.time()
    deadline, steps = began + whole, -1
    while (missing := _missing(world)) or await _behind(world):
        now = loop.time()
        progress = sum(expectation.progress() for expectation in world.expectations)
        if progress != steps:
            steps, moved = progress, now
        if now >= deadline:
            if moved < deadline - whole / 4 or deadline >= began + RECOVER_GROWTH_MAX * whole:
                return False
            deadline += whole / 4
        await world.sleep_ms(POLL_MS if missing else ASK_MS)
    return True


def _missing(world: World) -> bool:
    return any(expectation.missing() for expectation in world.expectations)


async def _behind(world: World) -> bool:
    for expectation in world.expectations:
        if await expectation.behind():
            return True
    return False


async def final_read(world: World) -> None:
    """Close every client, wait until nothing moves, then read every queue of every node from min to max.

    Raises HarnessError when clients do not close, queues do not come to rest, or a running node does not say what
    it holds. A node that does not run is not read: no reading, no verdict about what it holds.
    """
    await world.close_clients()
    await _links_quiet(world)
    nodes = [node for node in world.cluster.brokers() if node.running]
    names = [node.name for node in world.cluster.nameservers()]
    addresses: Sequence[str] = [node.address for node in world.cluster.nameservers()]
    places = {node.name: node.address for node in nodes}
    if world.cluster.prefix:
        # Links are whole again, and only through them brokers have the names that the history gives them.
        addresses = await world.network.nameserver_addresses("reader")
        places = {node.name: await world.network.broker_address("reader", node.name) for node in nodes}
    patience_ms = world.profile.ready_ms
    patient = replace(world.profile.client, request_timeout_ms=patience_ms, connect_timeout_ms=patience_ms)
    reader = Client(
        "reader",
        addresses,
        world.recorder,
        patient,
        world.clock,
        world.rng("reader"),
        nameserver_names=names,
    )
    world.clients.append(reader)
    admin = Admin(reader, places)
    queues = [queue for node in nodes for queue in await _queues(world, admin, node)]
    await _stand_still(world, admin, queues)
    await _read(admin, {node.name: node for node in nodes}, queues)
    await world.close_clients()


async def _links_quiet(world: World) -> None:
    """No client's connection is left on any link: nothing more can reach a broker."""
    own = tuple(f"{node.name}->" for node in world.cluster.brokers())

    async def quiet() -> bool:
        found = await world.network.connections()
        return not any(count for link, count in found.items() if not link.startswith(own))

    await world.wait_until(quiet, world.profile.ready_ms, "the clients' connections through the links to close")


async def _queues(world: World, admin: Admin, node: Node) -> list[_Queue]:
    topics: dict[str, Any] = {}

    async def listed() -> bool:
        answer = await admin.topics(node.name)
        topics.update(answer or {})
        return answer is not None

    await world.wait_until(listed, world.profile.ready_ms, f"{node.name} to list its topics, so that they can be read")
    own = BUILT_IN_TOPICS | {node.broker, node.settings.get("brokerClusterName")}
    return [
        _Queue(node.name, topic, queue)
        for topic, config in sorted(topics.items())
        if topic not in own and is_owned(world.cluster.prefix, topic)
        for queue in range(max(int(config["readQueueNums"]), int(config["writeQueueNums"])))
    ]


async def _stand_still(world: World, admin: Admin, queues: list[_Queue]) -> None:
    """Return when no maximum offset has moved for `still_ms`."""
    seen: list[int | None] = []

    async def still() -> bool:
        before = list(seen)
        seen[:] = [await admin.max_offset(place.node, place.topic, place.queue) for place in queues]
        if seen == before and None not in seen:
            return True
        await asyncio.sleep(world.profile.still_ms / 1000)
        return False

    await world.wait_until(still, world.profile.ready_ms, "every queue's maximum offset to stand still")


async def _read(admin: Admin, nodes: dict[str, Node], queues: list[_Queue]) -> None:
    turns = asyncio.Semaphore(READINGS_MAX)

    async def read(place: _Queue) -> None:
        node = nodes[place.node]
        async with turns:
            await admin.read_queue(
                place.node,
                place.topic,
                place.queue,
                broker=node.broker,
                broker_id=node.broker_id or 0,
                master=node.broker_id == 0,
            )

    async with asyncio.TaskGroup() as group:
        for place in queues:
            group.create_task(read(place))
