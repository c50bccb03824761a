"""The reference as a target: real processes through all their lives."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mqcheck.errors import FaultError, NodeError, RefusedError
from mqcheck.guard import start_time
from mqcheck.targets.base import BrokerSpec, Deployment, Opening
from mqcheck.targets.reference import ReferenceCluster, ReferenceNode, ReferenceTarget

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

ONE = Deployment(brokers=(BrokerSpec("broker-a", {"syncFlushTimeout": 800}),))


@pytest.fixture
def target() -> Iterator[ReferenceTarget]:
    reference = ReferenceTarget()
    yield reference
    asyncio.run(reference.finish())


def rows(opening: Opening, table: str) -> list[dict[str, Any]]:
    """Rows of a table, later columns over earlier ones."""
    found: dict[int, dict[str, Any]] = {}
    for line in opening.recorder.path.read_text().splitlines():
        data = json.loads(line)
        if data["e"] == table:
            found.setdefault(data["op"], {}).update(data)
    return list(found.values())


def node(cluster: ReferenceCluster, name: str) -> ReferenceNode:
    found = cluster.nodes[name]
    assert isinstance(found, ReferenceNode)
    return found


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_nodes_live_die_and_come_back_at_the_same_address(opening: Opening, target: ReferenceTarget) -> None:
    async def go() -> None:
        cluster = await target.open(ONE, opening)
        broker = node(cluster, "broker-a")
        address = broker.address
        assert [found.name for found in cluster.nameservers()] == ["nameserver-1"]
        assert broker.settings["syncFlushTimeout"] == "800"
        await broker.kill()
        assert not broker.running
        await broker.start()
        with pytest.raises(NodeError, match="already running"):
            await broker.start()
        await broker.pause()
        await broker.resume()
        await broker.stop()
        await broker.start()
        assert (broker.address, broker.life) == (address, 2)
        await cluster.close()
        with pytest.raises(NodeError, match="not running"):
            await broker.kill()

    asyncio.run(go())
    lives = [row for row in rows(opening, "nodes") if row["node"] == "broker-a"]
    assert [(row["life"], row["how"]) for row in lives] == [(0, "kill"), (1, "stop"), (2, "stop")]
    assert all(row["spawned"] < row["ready"] < row["ending"] < row["ended"] for row in lives)
    config = {(row["node"], row["key"]): row["setting"] for row in rows(opening, "config")}
    assert config["broker-a", "sync_flush_timeout_ms"] == "800"
    assert config["broker-a", "flushDiskType"] == "SYNC_FLUSH"
    assert config["nameserver-1", "expiry_ms"] == "120000"
    assert sorted(path.name for path in (opening.folder / "logs").iterdir()) == [
        "broker-a.0.log",
        "broker-a.1.log",
        "broker-a.2.log",
        "nameserver-1.0.log",
    ]
    assert not (opening.folder / "nodes").exists()
    command = (opening.folder / "configuration" / "broker-a" / "command.txt").read_text()
    assert "-p flushDiskType=SYNC_FLUSH" in command


def test_an_end_that_nobody_asked_for_is_a_crash(opening: Opening, target: ReferenceTarget) -> None:
    async def go() -> None:
        cluster = await target.open(ONE, opening)
        nameserver = node(cluster, "nameserver-1")
        assert nameserver.pid is not None
        os.kill(nameserver.pid, signal.SIGKILL)
        await until(lambda: not nameserver.running)
        await cluster.close()

    asyncio.run(go())
    found = next(row for row in rows(opening, "nodes") if row["role"] == "nameserver")
    assert (found["how"], found["exit_code"]) == ("crash", -signal.SIGKILL)
    assert "ending" not in found


def test_a_power_cut_takes_the_unsynced_and_the_broker_comes_back(opening: Opening, target: ReferenceTarget) -> None:
    async def go() -> None:
        cluster = await target.open(ONE, opening)
        broker = node(cluster, "broker-a")
        effect = await broker.power_cut(random.Random(1), torn=True)
        assert "unsynced_bytes_dropped" in effect
        await broker.start()
        await cluster.close()

    asyncio.run(go())
    assert [row["how"] for row in rows(opening, "nodes") if row["role"] == "broker"] == ["power-cut", "stop"]


def test_the_disk_is_told_through_the_control_channel(opening: Opening, target: ReferenceTarget) -> None:
    async def go() -> None:
        cluster = await target.open(ONE, opening)
        await node(cluster, "broker-a").set_disk(fsync_delay_ms=5)
        await node(cluster, "broker-a").set_disk()
        with pytest.raises(FaultError, match="refused"):
            await node(cluster, "nameserver-1").set_disk(fsync_delay_ms=5)
        await cluster.close()

    asyncio.run(go())


def test_a_refused_start_shows_the_log_and_leaves_nothing(opening: Opening, target: ReferenceTarget) -> None:
    bad = Deployment(brokers=(BrokerSpec("broker-a", {"flushDiskTyp": "SYNC_FLUSH"}),))

    async def go() -> None:
        with pytest.raises(RefusedError, match=r"(?s)broker-a ended with status 2 before it was ready.*flushDiskTyp"):
            await target.open(bad, opening)

    asyncio.run(go())
    assert all("ended" in row for row in rows(opening, "nodes"))
    assert not (opening.folder / "nodes").exists()


def test_a_cancelled_start_leaves_nothing(opening: Opening, target: ReferenceTarget, tmp_path: Path) -> None:
    async def go() -> None:
        opened = asyncio.create_task(target.open(ONE, opening))
        await until(lambda: bool(rows(opening, "nodes")))
        opened.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opened

    asyncio.run(go())
    assert [entry.name for entry in Path("/proc").glob("[0-9]*") if _works_in(entry, tmp_path)] == []


def _works_in(entry: Path, folder: Path) -> bool:
    try:
        return str(folder).encode() in (entry / "cmdline").read_bytes() and start_time(int(entry.name)) is not None
    except OSError:
        return False


def test_a_fork_server_that_was_killed_is_replaced(opening: Opening, target: ReferenceTarget) -> None:
    async def go() -> None:
        first = await target._fork_server(opening.guard)
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: first.ended)
        cluster = await target.open(ONE, opening)
        assert (await target._fork_server(opening.guard)).pid != first.pid
        await cluster.close()

    asyncio.run(go())
