"""Questions asked again and again while faults happen: routes, members, locks, held pulls, offsets, odd requests.

Each probe is a coroutine that a scenario starts beside its load and cancels at the end of a phase. What it saw stands
in the history; nothing is judged here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.models import MessageQueue

UNKNOWN_CODE = 9_999
"""A request code that no RocketMQ version has."""


async def poll_routes(
    admin: Admin, nameservers: Sequence[str], topic: str, brokers: Sequence[str], *, period_ms: int = 200
) -> None:
    """Ask every NameServer for a topic's route, one after the other, each period (ns-* guarantees)."""

    async def ask(nameserver: str) -> None:
        while True:
            await admin.route(nameserver, topic, brokers, timeout_ms=1_000)
            await asyncio.sleep(period_ms / 1000)

    await asyncio.gather(*(ask(nameserver) for nameserver in nameservers))


async def poll_members(admin: Admin, node: str, group: str, *, period_ms: int = 200) -> None:
    """Ask a broker for a group's live members each period (con-expire)."""
    while True:
        await admin.members(node, group)
        await asyncio.sleep(period_ms / 1000)


async def poll_offsets(
    admin: Admin, group: str, queues: Sequence[tuple[str, MessageQueue]], *, period_ms: int = 250
) -> None:
    """Ask for committed offsets each period; ``queues`` are (node, queue) pairs (con-offset-persist)."""
    while True:
        for node, queue in queues:
            await admin.query_offset(node, group, queue.topic, queue.queue)
        await asyncio.sleep(period_ms / 1000)


async def hold_pulls(admin: Admin, node: str, queue: MessageQueue, *, group: str, hold_ms: int, rounds: int) -> None:
    """Pull at the end of a queue and let the broker hold it: it ends empty or is woken (con-longpoll-*)."""
    for _ in range(rounds):
        offset = await admin.max_offset(node, queue.topic, queue.queue)
        if offset is None:
            await asyncio.sleep(hold_ms / 4000)
            continue
        await admin.pull_once(
            node, queue.topic, queue.queue, offset, group=group, hold_ms=hold_ms, timeout_ms=hold_ms * 4 + 5_000
        )


async def contend_for_locks(
    admin: Admin, node: str, group: str, members: Sequence[str], queues: Sequence[MessageQueue], *, period_ms: int = 100
) -> None:
    """Several members ask for the same queue locks in turn and give them back now and then (ord-queue-lock)."""
    turn = 0
    while True:
        member = members[turn % len(members)]
        granted = await admin.lock(node, group, member, queues)
        if granted and turn % 7 == 0:
            await admin.unlock(node, group, member, granted)
        turn += 1
        await asyncio.sleep(period_ms / 1000)


async def pipeline(
    admin: Admin,
    node: str,
    requests: Mapping[str, tuple[int, Mapping[str, str]]],
    *,
    rounds: int,
    oneway: bool = False,
) -> None:
    """Raw requests all at once, in both encodings, ``rounds`` times (prt-opaque, prt-unknown-code, prt-oneway)."""
    for _ in range(rounds):
        await asyncio.gather(
            *(
                admin.raw(node, code, fields, probe=name, encoding=encoding, oneway=oneway, deadline_ms=400)
                for name, (code, fields) in requests.items()
                for encoding in ("json", "binary")
            )
        )
