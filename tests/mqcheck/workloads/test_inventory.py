"""The inventory: made on every master, looked at twice, a row for each name, there or not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mqcheck.errors import HarnessError
from mqcheck.workloads.inventory import GROUP, NAMES, TOPIC, Inventory


class Rows:
    """A recorder that keeps columns by operation."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def begin(self, table: str, **columns: Any) -> int:
        self.found.append({"table": table, **columns})
        return len(self.found) - 1

    def end(self, table: str, op: int, **columns: Any) -> None:
        self.found[op].update(columns)


class Brokers:
    """An admin of brokers that each have some names."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.asked = 0
        self.has: dict[str, set[str]] = {"broker-a": set(), "broker-b": set()}

    async def create_group(self, group: str, nodes: list[str]) -> dict[str, int]:
        for node in nodes:
            self.has[node] |= {group, TOPIC}
        return dict.fromkeys(nodes, self.code)

    async def commit_offset(self, node: str, group: str, topic: str, queue: int, value: int) -> bool:
        self.has[node].add(f"{topic}@{group}")
        return True

    async def topics(self, node: str) -> dict[str, Any] | None:
        self.asked += 1
        return dict.fromkeys(self.has[node]) if self.asked > 1 else None

    async def groups(self, node: str) -> dict[str, Any] | None:
        return dict.fromkeys(self.has[node])

    all_offsets = groups


def world_of(brokers: Brokers) -> Any:
    nodes = {name: SimpleNamespace(name=name, broker=name, broker_id=0) for name in brokers.has}
    nodes["broker-b-slave"] = SimpleNamespace(name="broker-b-slave", broker="broker-b", broker_id=1)

    async def admin() -> Brokers:
        return brokers

    async def topic(name: str, *, queues: int) -> str:
        assert (name, queues) == (TOPIC, 1)
        return name

    async def wait_until(condition: Any, deadline_ms: int, what: str) -> None:
        for _ in range(3):
            if await condition():
                return
        raise HarnessError(what)

    cluster = SimpleNamespace(nodes=nodes, brokers=lambda: list(nodes.values()))
    return SimpleNamespace(
        admin=admin,
        topic=topic,
        wait_until=wait_until,
        cluster=cluster,
        recorder=Rows(),
        profile=SimpleNamespace(ready_ms=1000),
    )


def test_absence_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers()
    world = world_of(brokers)

    async def go() -> None:
        inventory = await Inventory.make(cast("Any", world))
        brokers.has["broker-a"] = {GROUP}
        await inventory.look("after")

    asyncio.run(go())
    rows = [row for row in world.recorder.found if "outcome" in row]
    # An answer that never came has a beginning and no end: unknown.
    assert len(rows) == len(world.recorder.found) - 1
    assert {row["table"] for row in rows} == {"inventory"}
    listed = {(row["reading"], row["node"], row["kind"]): row["listed"] for row in rows}
    assert len(listed) == 2 * 2 * len(NAMES)
    gone = {key for key, there in listed.items() if not there}
    assert gone == {("after", "broker-a", "topic"), ("after", "broker-a", "offsets")}


def test_a_broker_that_refuses_the_group_is_named() -> None:
    with pytest.raises(HarnessError, match="group archivists was refused by broker-a: 1"):
        asyncio.run(Inventory.make(cast("Any", world_of(Brokers(code=1)))))
