"""What is asked of slaves: of each master's, for each group, a row for each question."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from mqcheck.workloads.copies import COMMITTED, GROUPS, Copies, read_node, send_to_slave

TABLE = {"orders": {"readQueueNums": 2}}


class Rows:
    """A recorder that keeps columns by operation."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def begin(self, table: str, **columns: Any) -> int:
        self.found.append({"table": table, **columns})
        return len(self.found) - 1

    def end(self, table: str, op: int, **columns: Any) -> None:
        self.found[op].update(columns)


class Nodes:
    """An admin whose nodes know one topic, but for one that says nothing."""

    def __init__(self, silent: str = "") -> None:
        self.silent = silent
        self.asked: list[tuple[Any, ...]] = []

    async def topics(self, node: str) -> dict[str, Any] | None:
        return None if node == self.silent else TABLE

    async def create_group(self, group: str, nodes: list[str]) -> None:
        self.asked.append(("group", group, *nodes))

    async def commit_offset(self, node: str, group: str, topic: str, queue: int, value: int) -> None:
        self.asked.append(("commit", node, group, topic, queue, value))

    async def query_offset(self, node: str, group: str, topic: str, queue: int) -> None:
        self.asked.append(("query", node, group, topic, queue))

    async def raw(self, node: str, code: int, fields: dict[str, str], body: bytes, **more: Any) -> None:
        self.asked.append(("raw", node, code, fields["b"], fields["n"], more["probe"]))

    async def read_queue(self, node: str, topic: str, queue: int, **more: Any) -> None:
        self.asked.append(("read", node, topic, queue, more["reading"], more["broker"], more["master"]))


def a_world(nodes: Nodes) -> Any:
    async def admin() -> Nodes:
        return nodes

    ids = {"broker-a": 0, "broker-a-slave": 1}
    cluster = {name: SimpleNamespace(broker="broker-a", broker_id=number) for name, number in ids.items()}
    return SimpleNamespace(
        admin=admin, recorder=Rows(), cluster=SimpleNamespace(nodes=cluster), clock=SimpleNamespace(wall_ms=lambda: 7)
    )


def test_a_topic_and_offsets_are_made_on_the_master_and_looked_for_on_the_slave() -> None:
    nodes = Nodes()
    world = a_world(nodes)

    async def run() -> None:
        copies = await Copies.make(world, ["broker-a"], "orders")
        await copies.ask_slaves()

    asyncio.run(run())
    looks = [(row["reading"], row["node"], row["broker"], row["listed"]) for row in world.recorder.found]
    assert looks == [("master", "broker-a", "broker-a", True), ("slave", "broker-a-slave", "broker-a", True)]
    committed = [row for row in nodes.asked if row[0] == "commit"]
    assert committed == [("commit", "broker-a", group, "orders", 0, COMMITTED) for group in GROUPS]
    queried = [row for row in nodes.asked if row[0] == "query"]
    assert queried == [("query", "broker-a-slave", group, "orders", 0) for group in GROUPS]


def test_a_node_that_does_not_answer_has_neither_the_topic_nor_lacks_it() -> None:
    world = a_world(Nodes(silent="broker-a-slave"))

    async def run() -> None:
        copies = await Copies.make(world, ["broker-a"], "orders")
        await copies.ask_slaves()

    asyncio.run(run())
    assert "outcome" not in world.recorder.found[-1]


def test_sends_to_a_slave_name_its_broker() -> None:
    nodes = Nodes()
    asyncio.run(send_to_slave(cast(Any, a_world(nodes)), "broker-a-slave", "orders", 3))
    assert nodes.asked == [("raw", "broker-a-slave", 310, "orders", "broker-a", "send-to-slave")] * 3


def test_every_queue_that_a_node_knows_is_read() -> None:
    nodes = Nodes()
    asyncio.run(read_node(cast(Any, a_world(nodes)), "broker-a-slave", "orders", "alive"))
    assert nodes.asked == [("read", "broker-a-slave", "orders", queue, "alive", "broker-a", False) for queue in (0, 1)]
    master = Nodes()
    asyncio.run(read_node(cast(Any, a_world(master)), "broker-a", "orders", "before"))
    assert master.asked[0] == ("read", "broker-a", "orders", 0, "before", "broker-a", True)
    silent = Nodes(silent="broker-a-slave")
    asyncio.run(read_node(cast(Any, a_world(silent)), "broker-a-slave", "orders", "alive"))
    assert silent.asked == []
