"""Client processes: a producer against a real broker, stopped, killed, started again; and one that cannot start."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mqcheck.clock import RealClock
from mqcheck.embedded.cluster import RocketMQServer
from mqcheck.errors import NodeError
from mqcheck.guard import Guard, start_time
from mqcheck.history.recorder import Recorder
from mqcheck.profile import QUICK
from mqcheck.scenarios.base import World
from mqcheck.workloads.client_plan import ClientPlan
from mqcheck.workloads.launcher import ProcessLauncher

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def world_of(tmp_path: Path, nameserver: str) -> World:
    """As much of a world as a launcher looks at."""

    class Network:
        async def nameserver_addresses(self, peer: str) -> tuple[str, ...]:
            return (nameserver,)

    return cast(
        "Any",
        SimpleNamespace(
            run="r",
            seed=1,
            scenario=SimpleNamespace(name="s"),
            profile=QUICK,
            sabotage=None,
            network=Network(),
            cluster=SimpleNamespace(nameservers=lambda: [SimpleNamespace(name="nameserver-1")]),
            recorder=Recorder(tmp_path / "events", run="r", process="kit", number=0, clock=RealClock()),
        ),
    )


def test_a_producer_lives_twice_and_says_what_was_acknowledged(tmp_path: Path) -> None:
    guard = Guard()
    server = RocketMQServer(tmp_path, {}, guard)
    server.start()
    acked: list[int] = []
    said = asyncio.Event()

    def heard(line: Mapping[str, Any]) -> None:
        acked.extend(line.get("acked", ()))
        if "acked" in line:
            said.set()

    async def go() -> list[int | None]:
        world = world_of(tmp_path, server.nameserver_address)
        launcher = ProcessLauncher(guard)
        plan = ClientPlan(name="p-1", role="producer", group="g", topic="made-by-sending", rate_per_s=100)
        client = launcher.launch(world, plan, heard)
        await client.start()
        first = client.pid
        await said.wait()
        await client.kill()
        assert not client.running
        said.clear()
        await client.start()
        await client.pause()
        await client.resume()
        await said.wait()
        second = client.pid
        await launcher.close()
        await launcher.close()
        world.recorder.close()
        return [first, second]

    try:
        pids = asyncio.run(go())
    finally:
        server.close()
        guard.close()
    assert all(pid is not None and start_time(pid) is None for pid in pids)
    assert len(set(acked)) == len(acked)
    streams = {path.name: path.read_text().splitlines() for path in (tmp_path / "events").iterdir()}
    assert set(streams) == {"kit.0.jsonl", "p-1.0.jsonl", "p-1.1.jsonl"}
    headers = {name: json.loads(lines[0]) for name, lines in streams.items()}
    assert [headers[name]["number"] for name in sorted(headers)] == [0, 1, 2]
    assert json.loads(streams["p-1.1.jsonl"][-1])["w"] == "e"
    assert json.loads(streams["p-1.0.jsonl"][-1])["e"] != "streams"


def test_a_client_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    guard = Guard()

    async def go() -> None:
        world = world_of(tmp_path, "127.0.0.1:1")
        (tmp_path / "events" / "p-1.0.jsonl").write_text("in the way")
        launcher = ProcessLauncher(guard)
        client = launcher.launch(world, ClientPlan(name="p-1", role="producer", group="g"), lambda line: None)
        with pytest.raises(NodeError, match=r"(?s)p-1 ended with status 1 before it was ready.*StreamError"):
            await client.start()
        with pytest.raises(NodeError, match="not running"):
            await client.kill()
        await launcher.close()
        world.recorder.close()

    try:
        asyncio.run(go())
    finally:
        guard.close()
