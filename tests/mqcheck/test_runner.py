"""Scenarios end to end over real processes and links: histories, harness errors, cancellation, nothing left running."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mqcheck.errors import HarnessError, NodeError, RefusedError
from mqcheck.faults.process import Kill, Pause
from mqcheck.guard import MARK_VARIABLE, Guard, start_time
from mqcheck.links.toxiproxy import ToxiproxyServer
from mqcheck.profile import QUICK
from mqcheck.runner import Stage, real_stage, run_scenario
from mqcheck.scenarios.base import Scenario, World, all_scenarios
from mqcheck.targets import faketime
from mqcheck.targets.base import BrokerSpec, Deployment
from mqcheck.targets.reference import ReferenceTarget
from mqcheck.workloads.traffic import Traffic

KILLED_RUNNER = """
import asyncio, sys
from pathlib import Path
from mqcheck.faults.process import Pause
from mqcheck.guard import Guard
from mqcheck.links.toxiproxy import ToxiproxyServer
from mqcheck.profile import QUICK
from mqcheck.runner import real_stage, run_scenario
from mqcheck.scenarios.base import Scenario
from mqcheck.targets.reference import ReferenceTarget
from mqcheck.workloads.traffic import Traffic

guard = Guard()
server = ToxiproxyServer.start(on_start=guard.process)

async def run(world):
    topic = await world.topic("t")
    client = await (await Traffic(world).group("g", topic)).join_process("g-2")
    await world.faults.inject(Pause("broker-a"))
    nodes = [node.pid for node in world.cluster.nodes.values()]
    print(guard.pid, *server.pids, *nodes, client.pid, flush=True)
    await world.sleep_ms(60_000)

scenario = Scenario("tried", "Catches nothing.", ("con-alo",), run)
stage = real_stage(server, guard)
asyncio.run(run_scenario(scenario, ReferenceTarget(), QUICK, 7, Path(sys.argv[1]), run="r", stage=stage))
"""

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


class Rig:
    """A stage, and what one run on it left behind."""

    def __init__(self, folder: Path, stage: Stage, guard: Guard) -> None:
        self.folder = folder
        self.stage = stage
        self.mark = guard.environment()[MARK_VARIABLE]

    async def play(self, scenario: Scenario) -> None:
        target = ReferenceTarget()
        try:
            await run_scenario(scenario, target, QUICK, 7, self.folder, run="r", stage=self.stage, replay="again")
        finally:
            await target.finish()

    @property
    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = json.loads((self.folder / "plan.json").read_text())
        return plan

    def rows(self, table: str) -> list[dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        for stream in sorted((self.folder / "events").iterdir()):
            for line in stream.read_text().splitlines():
                data = json.loads(line)
                if data["e"] == table:
                    found.setdefault(data["op"], {}).update(data)
        return list(found.values())

    def running(self) -> list[str]:
        """Command lines of processes that the run has started and that still live."""
        wanted = f"{MARK_VARIABLE}={self.mark}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().decode())
            except OSError:
                continue
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    guard = Guard()
    server = ToxiproxyServer.start(on_start=guard.process)
    yield Rig(tmp_path / "history", real_stage(server, guard), guard)
    server.stop()
    guard.close()


def scenario(run: Any, **options: Any) -> Scenario:
    return Scenario(name="tried", summary="Catches nothing.", aims=("con-alo",), run=run, **options)


async def loaded(world: World) -> None:
    """A little load, a kill, a consumer in a process of its own that is paused."""
    traffic = Traffic(world)
    topic = await world.topic("t", queues=2)
    group = await traffic.group("g", topic, members=1)
    await group.join_process("g-2", work_ms=1)
    async with traffic.load(topic, producers=1, rate_per_s=100, workers=2):
        async with world.phase("load"):
            await world.sleep_ms(600)
        async with world.phase("fault"):
            async with world.faults.during(Pause("g-2")):
                await world.sleep_ms(100)
            async with world.faults.during(Kill("broker-a")):
                await world.sleep_ms(100)
            await world.faults.inject(Kill("g-2"))
            await world.sleep_ms(200)


def test_a_run_leaves_a_history_and_nothing_else(rig: Rig) -> None:
    asyncio.run(rig.play(scenario(loaded)))
    plan = rig.plan
    assert plan["harness_error"] is None
    assert (plan["format"], plan["scenario"], plan["seed"], plan["profile"]) == (1, "tried", 7, "quick")
    assert (plan["aims"], plan["replay"], plan["sabotage"]) == (["con-alo"], "again", None)
    assert plan["seconds"] > 0
    phases = [row["name"] for row in sorted(rig.rows("phases"), key=lambda row: row["began"])]
    assert phases == ["load", "fault", "heal", "recover", "final-read"]
    assert all(row["ended"] >= row["began"] for row in rig.rows("phases"))
    faults = {(row["kind"], row["node"]): row for row in rig.rows("faults")}
    assert set(faults) == {("pause", "g-2"), ("kill", "broker-a"), ("kill", "g-2")}
    assert all(row["confirmed"] and row["healed"] for row in faults.values())
    assert sorted(path.name for path in (rig.folder / "events").iterdir()) == [
        "g-2.0.jsonl",
        "g-2.1.jsonl",
        "kit.0.jsonl",
    ]
    assert sorted(path.name for path in rig.folder.iterdir()) == ["configuration", "events", "logs", "plan.json"]
    assert rig.running() == []


def test_what_was_acknowledged_is_delivered_and_read_back(rig: Rig) -> None:
    asyncio.run(rig.play(scenario(loaded)))
    acked = {row["message"] for row in rig.rows("sends") if row.get("outcome") == "ok"}
    assert len(acked) > 20
    assert acked <= {row.get("message") for row in rig.rows("final_log")}
    assert acked <= {row.get("message") for row in rig.rows("deliveries")}
    readings = [row for row in rig.rows("readings") if row["topic"] == "t"]
    assert len(readings) == 2
    assert all(row["complete"] for row in readings)
    config = {(row["node"], row["key"]) for row in rig.rows("config")}
    assert {("kit", "heartbeat_ms"), ("broker-a", "client_expiry_ms"), ("nameserver-1", "expiry_ms")} <= config


def test_a_failing_scenario_is_a_harness_error_and_healed(rig: Rig) -> None:
    async def run(world: World) -> None:
        await world.topic("t")
        await world.faults.inject(Pause("broker-a"))
        raise HarnessError("no way on")

    asyncio.run(rig.play(scenario(run)))
    assert rig.plan["harness_error"] == "no way on"
    assert all(row["healed"] for row in rig.rows("faults"))
    assert rig.running() == []


def test_a_mistake_in_a_scenario_names_its_place(rig: Rig) -> None:
    async def run(world: World) -> None:
        raise ZeroDivisionError("oh")

    asyncio.run(rig.play(scenario(run)))
    assert rig.plan["harness_error"].startswith("ZeroDivisionError: oh (test_runner.py:")


def test_a_background_failure_ends_the_scenario(rig: Rig) -> None:
    async def fail() -> None:
        raise HarnessError("the probe broke")

    async def run(world: World) -> None:
        world.spawn(fail(), "probe")
        await world.sleep_ms(10)
        raise AssertionError("not reached")

    asyncio.run(rig.play(scenario(run)))
    assert rig.plan["harness_error"] == "the probe broke"


def test_what_a_node_refuses_is_the_users_to_mend(rig: Rig) -> None:
    async def run(world: World) -> None:
        raise ExceptionGroup("starts", [NodeError("another"), RefusedError("--sabotage 'nonsense' is unknown")])

    with pytest.raises(RefusedError, match="nonsense"):
        asyncio.run(rig.play(scenario(run)))
    assert "nonsense" in rig.plan["harness_error"]
    assert rig.running() == []


def test_cancelling_takes_everything_down(rig: Rig) -> None:
    worlds: list[World] = []

    async def go() -> None:
        reached = asyncio.Event()

        async def run(world: World) -> None:
            await world.faults.inject(Pause("broker-a"))
            worlds.append(world)
            reached.set()
            await world.sleep_ms(60_000)

        playing = asyncio.create_task(rig.play(scenario(run)))
        await reached.wait()
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing

    asyncio.run(go())
    assert rig.plan["harness_error"] == "cancelled before its end"
    assert rig.running() == []
    assert not (rig.folder / "nodes").exists()
    for node in worlds[0].cluster.nodes.values():
        assert node.pid is None  # type: ignore[attr-defined]


def test_kill_9_of_the_runner_leaves_no_process_and_no_store(tmp_path: Path) -> None:
    runner = subprocess.Popen(
        [sys.executable, "-c", KILLED_RUNNER, str(tmp_path / "history")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert runner.stdout is not None
    with runner.stdout:
        pids = [int(word) for word in runner.stdout.readline().split()]
    assert len(pids) >= 5
    assert all(start_time(pid) for pid in pids)
    runner.kill()
    runner.wait()
    deadline = time.monotonic() + 20
    while left := [pid for pid in pids if start_time(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)
    assert not (tmp_path / "history" / "nodes").exists()


def test_a_deployment_that_its_nodes_refuse_leaves_nothing_running(rig: Rig) -> None:
    bad = Deployment(brokers=(BrokerSpec("broker-a", {"nonsense": 1}),))
    with pytest.raises(RefusedError, match="nonsense"):
        asyncio.run(rig.play(scenario(loaded, deployment=bad)))
    assert "nonsense" in rig.plan["harness_error"]
    assert rig.running() == []


def test_every_scenario_says_what_it_would_catch_and_aims_at_something() -> None:
    found = all_scenarios()
    assert {"steady", "broker-kill"} <= set(found)
    for name, one in found.items():
        assert one.summary.startswith("Catches "), name
        assert one.aims, name


def test_a_target_that_cannot_take_a_scenario_is_not_started(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faketime, "find_library", lambda: None)
    moved = scenario(loaded, needs=frozenset({"clock"}))
    asyncio.run(rig.play(moved))
    assert rig.plan["harness_error"] is None
    assert rig.plan["not_applicable"] == (
        "reference cannot take clock here: clocks need libfaketime: install it (Debian: apt-get install faketime)"
    )
    assert not (rig.folder / "logs").exists()
