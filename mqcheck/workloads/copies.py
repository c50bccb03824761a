"""What is asked of slaves: the tables that they copy, what they hold, and what only a master takes.

A row of `inventory` for each topic looked for, of `offsets` for each committed offset, of `replies` for each send.
Nothing is judged here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mqcheck.rocketmq.codes import RequestCode
from mqcheck.rocketmq.message import encode_properties
from mqcheck.rocketmq.models import MessageQueue
from mqcheck.rocketmq.sendheader import send_fields
from mqcheck.scenarios.base import World

GROUPS: Final = tuple(f"archive-{number}" for number in range(4))
"""Without members, so that nobody else commits: what a slave has of them came from its master."""

COMMITTED: Final = 3
"""The offset of each. Ours."""

TIMEOUT_MS: Final = 700
"""How long a slave may take to refuse a send. Ours."""


@dataclass(slots=True)
class Copies:
    """A topic and committed offsets that slaves are to learn of; made by `make`."""

    world: World
    masters: tuple[str, ...]
    topic: str

    @classmethod
    async def make(cls, world: World, masters: Sequence[str], topic: str) -> Copies:
        """Commit an offset of each group on each master, and note that the topic is there."""
        copies = cls(world, tuple(masters), topic)
        admin = await world.admin()
        for master in masters:
            for group in GROUPS:
                await admin.create_group(group, [master])
                await admin.commit_offset(master, group, topic, 0, COMMITTED)
            await copies._look(master, "master")
        return copies

    async def ask_slaves(self) -> None:
        """Ask each master's slave for the same."""
        admin = await self.world.admin()
        for master in self.masters:
            await self._look(f"{master}-slave", "slave")
            for group in GROUPS:
                await admin.query_offset(f"{master}-slave", group, self.topic, 0)

    async def _look(self, node: str, reading: str) -> None:
        recorder, admin = self.world.recorder, await self.world.admin()
        broker = self.world.cluster.nodes[node].broker
        op = recorder.begin("inventory", reading=reading, node=node, broker=broker, kind="topic", name=self.topic)
        table = await admin.topics(node)
        if table is not None:
            recorder.end("inventory", op, outcome="ok", listed=self.topic in table)


async def send_to_slave(world: World, slave: str, topic: str, count: int) -> None:
    """Plain messages, all at once, to a node that has to refuse them."""
    admin = await world.admin()
    properties = encode_properties({"KEYS": "misdirected"})
    place = MessageQueue(topic, world.cluster.nodes[slave].broker or "", 0)
    fields = send_fields("strays", place, properties, born_time_ms=world.clock.wall_ms())
    code = int(RequestCode.SEND_MESSAGE_V2)
    sends = [
        admin.raw(slave, code, fields, b"for a master", probe="send-to-slave", deadline_ms=TIMEOUT_MS)
        for _ in range(count)
    ]
    await asyncio.gather(*sends)


async def read_node(world: World, node: str, topic: str, reading: str) -> None:
    """Read every queue of a topic on a master or slave, under this name."""
    admin, place = await world.admin(), world.cluster.nodes[node]
    broker_id = place.broker_id or 0
    table = await admin.topics(node) or {}
    for queue in range(int(table.get(topic, {}).get("readQueueNums", 0))):
        await admin.read_queue(
            node, topic, queue, reading=reading, broker=place.broker, broker_id=broker_id, master=broker_id == 0
        )
