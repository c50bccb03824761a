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

LATE_MS = 700
"""How long after its end a lock is asked for. Ours: more than what a broker's clock and a busy host make of it."""

STEP_MS = 5
"""Between an answer and the next question, so that the one is surely before the other in virtual time too. Ours."""


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


async def let_locks_expire(
    admin: Admin, node: str, group: str, queues: Sequence[MessageQueue], expiry_ms: int, *, rounds: int
) -> None:
    """Two members in turn: one gets the locks and falls silent, the other is refused, waits until their life is well
    over and asks until it is granted them, or one more life is over (ord-lock-expiry).
    """
    loop = asyncio.get_running_loop()
    for turn in range(rounds):
        silent, waiting = ("left", "right")[:: 1 if turn % 2 == 0 else -1]
        await admin.lock(node, group, silent, queues)
        await admin.lock(node, group, waiting, queues)
        await asyncio.sleep((expiry_ms + LATE_MS) / 1000)
        deadline = loop.time() + expiry_ms / 1000
        while loop.time() < deadline:
            if await admin.lock(node, group, waiting, queues) == tuple(sorted(queues)):
                break
            await asyncio.sleep(LATE_MS / 4000)


async def renew_locks(
    admin: Admin, node: str, group: str, queue: MessageQueue, expiry_ms: int, *, lives: int = 3, period_ms: int = 100
) -> None:
    """One member renews its lock each period for several lives of it, another asks as often (ord-lock-renew)."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + lives * expiry_ms / 1000
    while loop.time() < deadline:
        for member in ("owner", "rival"):
            await admin.lock(node, group, member, [queue])
        await asyncio.sleep(period_ms / 1000)


async def hand_over_locks(admin: Admin, node: str, group: str, queue: MessageQueue, *, rounds: int) -> None:
    """Each round one member locks, another is refused, the first gives the lock back, the other gets it and gives it
    back too (ord-unlock, ord-queue-lock).
    """
    steps = ((admin.lock, "giver"), (admin.lock, "taker"), (admin.unlock, "giver"), (admin.lock, "taker"))
    for _ in range(rounds):
        for ask, member in (*steps, (admin.unlock, "taker")):
            await ask(node, group, member, [queue])
            await asyncio.sleep(STEP_MS / 1000)


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
