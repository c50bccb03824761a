"""No toxic, process, port, mount or node folder survives: a scenario, a failing test, Ctrl-C, kill -9 of the runner."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mqcheck.disks.tools import missing_disk
from mqcheck.faults.link import Blackhole, Latency
from mqcheck.faults.process import Pause
from mqcheck.guard import MARK_VARIABLE, Guard
from mqcheck.links.toxiproxy import ToxiproxyServer
from mqcheck.profile import QUICK
from mqcheck.runner import Stage, real_stage, run_scenario
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.reference import ReferenceTarget

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

STANDING = ("broker-paused", "broker-blackhole")
"""Scenarios whose faults, a stopped process and a toxic, last for seconds."""

BROKERS = Path(__file__).parents[1] / "mqcheck" / "targets" / "brokers"
DESCRIBED = ("--mqcheck-target", f"exec:{BROKERS / 'reference.toml'}")
"""A target that knows of its processes no more than a description says."""

FAILING = """
def test_publishes(rocketmq_server):
    assert rocketmq_server.running
    raise RuntimeError("the publisher is broken")

def test_ends_the_server_and_fails(rocketmq_server):
    import os, signal
    os.kill(rocketmq_server.pid, signal.SIGSTOP)
    raise RuntimeError("with the server standing still")
"""


class Theatre:
    """A stage with its Toxiproxy, and what is on it."""

    def __init__(self, folder: Path, server: ToxiproxyServer, guard: Guard) -> None:
        self.folder = folder
        self.server = server
        self.stage: Stage = real_stage(server, guard)
        self.mark = guard.environment()[MARK_VARIABLE]

    def proxies(self) -> dict[str, Any]:
        """Every proxy with its toxics, asked of the servers themselves."""
        found: dict[str, Any] = {}
        for number in range(len(self.server.pids)):
            url = f"http://127.0.0.1:{self.server.lane(number).port}/proxies"
            with urllib.request.urlopen(url, timeout=10) as answer:
                found.update(json.load(answer))
        return found

    def toxics(self) -> list[str]:
        return [toxic["type"] for proxy in self.proxies().values() for toxic in proxy["toxics"]]

    def started(self) -> list[str]:
        """Nodes, what forks them, and clients that live."""
        wanted = f"{MARK_VARIABLE}={self.mark}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().decode())
            except OSError:
                continue
        return found

    def play(self, act: Callable[[World], Any]) -> dict[str, Any]:
        """A scenario to its end; its plan."""
        scenario = Scenario(name="tried", summary="Catches what is left behind.", aims=("con-alo",), run=act)
        target = ReferenceTarget()

        async def whole() -> None:
            await run_scenario(scenario, target, QUICK, 7, self.folder, run="r", stage=self.stage)
            assert ["fork-server" in command for command in self.started()] == [True]
            await target.finish()

        asyncio.run(whole())
        plan: dict[str, Any] = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))
        return plan

    async def disturb(self, world: World) -> None:
        """Two toxics on a client's link and one on a broker's; a node and a client that stand still."""
        await world.topic("orders", queues=1)
        admin = await world.admin("prober")
        assert await admin.max_offset("broker-a", "orders", 0) == 0
        await world.faults.inject(Latency("prober->broker-a", ms=50))
        await world.faults.inject(Blackhole("prober->broker-a", "down"))
        await world.faults.inject(Blackhole("broker-a->nameserver-*", "up"))
        await world.faults.inject(Pause("nameserver-1"))
        assert sorted(set(await asyncio.to_thread(self.toxics))) == ["bandwidth", "latency"]
        assert len(self.started()) == 3

    def assert_empty(self) -> None:
        assert self.proxies() == {}
        assert self.started() == []
        assert not (self.folder / "nodes").exists()


@pytest.fixture
def theatre(tmp_path: Path) -> Iterator[Theatre]:
    guard = Guard()
    server = ToxiproxyServer.start(on_start=guard.process)
    yield Theatre(tmp_path / "history", server, guard)
    server.stop()
    guard.close()


def test_after_a_scenario_that_leaves_its_faults_standing(theatre: Theatre) -> None:
    plan = theatre.play(theatre.disturb)
    assert plan["harness_error"] is None
    theatre.assert_empty()


def test_after_a_scenario_that_fails_under_its_faults(theatre: Theatre) -> None:
    async def act(world: World) -> None:
        await theatre.disturb(world)
        raise RuntimeError("the scenario is broken")

    plan = theatre.play(act)
    assert "the scenario is broken" in plan["harness_error"]
    theatre.assert_empty()


def test_after_failing_tests_in_the_same_session(play: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "test_publisher.py").write_text(FAILING, encoding="utf-8")
    run = play("--mqcheck-select", "delay", "test_publisher.py", tests=tmp_path / "people")
    assert run.status == 1, run.output
    assert "2 failed" in run.output
    assert run.verdicts("violated") == {}


def interrupt_leader(run: Any) -> None:
    os.kill(run.process.pid, signal.SIGINT)


def interrupt_group(run: Any) -> None:
    os.killpg(run.process.pid, signal.SIGINT)


def kill_runner(run: Any) -> None:
    os.kill(run.process.pid, signal.SIGKILL)


@pytest.mark.skipif(bool(missing_disk()), reason=missing_disk() or "a disk can be mounted")
@pytest.mark.parametrize(
    ("blow", "status"), [(interrupt_leader, 2), (kill_runner, -signal.SIGKILL)], ids=["interrupt", "kill-9"]
)
def test_no_disk_stays_mounted(start: Callable[..., Any], blow: Callable[[Any], None], status: int) -> None:
    run = start("--mqcheck-select", "slow-fsync", *DESCRIBED)
    run.wait_until(lambda: any("active" in row for row in run.rows("slow-fsync", "faults")), "its fault")
    before = run.watch()
    assert [line for line in run.leavings() if line.startswith("mount mqcheck ")]
    assert any("mqcheck.disks" in command for command in before.values())
    blow(run)
    run.finish()
    assert run.status == status, run.output
    run.assert_nothing_left()


@pytest.mark.parametrize(
    ("blow", "options", "status"),
    [
        pytest.param(interrupt_leader, (), 2, id="interrupt-leader"),
        pytest.param(interrupt_group, (), 2, id="interrupt-group"),
        pytest.param(kill_runner, (), -signal.SIGKILL, id="kill-9"),
        pytest.param(kill_runner, ("-n", "2"), -signal.SIGKILL, id="kill-9-of-the-controller"),
        pytest.param(interrupt_leader, DESCRIBED, 2, id="interrupt-described"),
        pytest.param(kill_runner, DESCRIBED, -signal.SIGKILL, id="kill-9-described"),
    ],
)
def test_after_a_blow(
    start: Callable[..., Any], blow: Callable[[Any], None], options: tuple[str, ...], status: int
) -> None:
    run = start(*(word for name in STANDING for word in ("--mqcheck-select", name)), *options)
    for scenario in STANDING:
        run.wait_until(
            lambda scenario=scenario: any("active" in row for row in run.rows(scenario, "faults")),
            f"the fault of {scenario}",
        )
    before = run.watch()
    # Nodes of the reference are forked by one process more.
    nodes = sum("reference_impl" in command for command in before.values())
    assert nodes - any("fork-server" in command for command in before.values()) == 6
    assert any("toxiproxy" in command for command in before.values())
    assert len(run.sockets) > 6
    assert list(run.folder.glob("history/*/nodes/*"))
    blow(run)
    run.finish()
    assert run.status == status, run.output
    run.assert_nothing_left()
    assert "Traceback" not in run.output
