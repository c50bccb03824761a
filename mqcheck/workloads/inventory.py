"""What brokers have beside messages, before and after something: a topic, a consumer group, its stored offset.

They are nobody's: no client touches them between the two looks, so that none can be made anew by its use. A row of
`inventory` for each name that was asked for, listed or not: absence is a row. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mqcheck.errors import HarnessError
from mqcheck.rocketmq.admin import Admin
from mqcheck.scenarios.base import World

TOPIC: Final = "archive"
GROUP: Final = "archivists"

NAMES: Final[Mapping[str, str]] = {"topic": TOPIC, "group": GROUP, "offsets": f"{TOPIC}@{GROUP}"}
"""Kind → name, as brokers list it."""


@dataclass(slots=True)
class Inventory:
    """Of some masters; made by `make`."""

    world: World
    nodes: tuple[str, ...]

    @classmethod
    async def make(cls, world: World) -> Inventory:
        """Create the names on every master and note that they are there. Raises HarnessError where one refuses."""
        nodes = tuple(node.name for node in world.cluster.brokers() if node.broker_id == 0)
        admin = await world.admin()
        await world.topic(TOPIC, queues=1)
        waiting = set(nodes)

        async def made() -> bool:
            for node, code in (await admin.create_group(GROUP, sorted(waiting))).items():
                if code not in (0, None):
                    raise HarnessError(f"group {GROUP} was refused by {node}: {code} (0 is success)")
                if code == 0 and await admin.commit_offset(node, GROUP, TOPIC, 0, 0):
                    waiting.discard(node)
            return not waiting

        await world.wait_until(made, world.profile.ready_ms, f"{sorted(waiting)} to create {GROUP} and take its offset")
        found = cls(world, nodes)
        await found.look("before")
        return found

    async def look(self, reading: Literal["before", "after"]) -> None:
        """Ask every master for every name. Raises HarnessError when one does not answer in the profile's `ready_ms`."""
        admin = await self.world.admin()
        for node in self.nodes:
            for kind in NAMES:
                await self._ask(admin, node, kind, reading)

    async def _ask(self, admin: Admin, node: str, kind: str, reading: str) -> None:
        ask = {"topic": admin.topics, "group": admin.groups, "offsets": admin.all_offsets}[kind]
        recorder, name = self.world.recorder, NAMES[kind]
        broker = self.world.cluster.nodes[node].broker

        async def answered() -> bool:
            op = recorder.begin("inventory", reading=reading, node=node, broker=broker, kind=kind, name=name)
            table: Mapping[str, Any] | None = await ask(node)
            if table is not None:
                recorder.end("inventory", op, outcome="ok", listed=name in table)
            return table is not None

        await self.world.wait_until(answered, self.world.profile.ready_ms, f"{node} to list its {kind} names")
