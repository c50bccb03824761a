"""The kit's thread: how much runs at once, what alone means, and that nothing is left running."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mqcheck import exits
from mqcheck.errors import HarnessError, MissingToolError
from mqcheck.judge.verdicts import Verdict
from mqcheck.report.outcomes import read_outcome
from mqcheck.session import KitSession, Machinery, run_lock, set_aside


@dataclass
class Scenario:
    name: str
    aims: tuple[str, ...] = ("dur-one",)
    alone: bool = False
    seconds: float = 1.0


class World:
    """A runner and a judge that note what they are asked."""

    def __init__(self, act: Callable[[Any], Any] | None = None, judge_fails: bool = False) -> None:
        self.running: set[str] = set()
        self.most = 0
        self.beside_alone: list[set[str]] = []
        self.log: list[str] = []
        self.act = act
        self.judge_fails = judge_fails

    async def run_one(self, scenario: Any, folder: Path) -> None:
        self.running.add(scenario.name)
        self.most = max(self.most, len(self.running))
        self.log.append(scenario.name)
        try:
            (folder / "plan.json").write_text(json.dumps({"format": 1, "scenario": scenario.name}))
            for _ in range(5):
                await asyncio.sleep(0.01)
                if scenario.alone:
                    self.beside_alone.append(set(self.running))
            if self.act is not None:
                await self.act(scenario)
        finally:
            self.running.discard(scenario.name)
            self.log.append(f"{scenario.name} ended")

    async def start(self) -> None:
        self.log.append("judge started")

    async def judge(self, folder: Path) -> list[Verdict]:
        if self.judge_fails:
            raise HarnessError("the judge died")
        values = {"guarantee": "dur-one", "scenario": folder.name, "aimed": True, "verdict": "held", "exercised": 1}
        rest = {"enough": 1, "evidence_total": 0, "evidence": (), "reason": "", "judge_seconds": 0.0, "replay": ""}
        return [Verdict(**{**values, **rest, "subject": "broker", "level": "MUST"})]

    async def close(self) -> None:
        self.log.append("judge closed")

    def machinery(self) -> Machinery:
        @asynccontextmanager
        async def open_runner() -> AsyncIterator[Any]:
            yield self.run_one
            self.log.append("never said: the session cancels")

        return Machinery(open_runner, lambda: self)


def session(world: World, folder: Path, *scenarios: Scenario, limit: int = 4) -> KitSession:
    return KitSession(world.machinery(), {each.name: each for each in scenarios}, folder, limit=limit)


def test_scenarios_run_at_once_up_to_the_limit_longest_first(tmp_path: Path) -> None:
    world = World()
    scenarios = [Scenario(f"s{number}", seconds=number) for number in range(6)]
    kit = session(world, tmp_path, *scenarios, limit=2)
    try:
        kit.start([each.name for each in scenarios])
        outcomes = [kit.result(each.name) for each in scenarios]
    finally:
        kit.close()
    assert world.most == 2
    assert [word for word in world.log if word.startswith("s") and "ended" not in word] == [
        f"s{number}" for number in (5, 4, 3, 2, 1, 0)
    ]
    assert {outcome.verdicts[0].verdict for outcome in outcomes} == {"held"}
    assert read_outcome(kit.folder("s3", 0)) == outcomes[3]
    assert world.log[-1] == "judge closed"


def test_alone_means_alone(tmp_path: Path) -> None:
    world = World()
    kit = session(world, tmp_path, Scenario("a"), Scenario("b"), Scenario("single", alone=True, seconds=9))
    try:
        kit.start(["single", "a", "b"])
        for name in ("single", "a", "b"):
            kit.result(name)
    finally:
        kit.close()
    assert world.beside_alone
    assert all(beside == {"single"} for beside in world.beside_alone)


def test_alone_holds_across_processes(tmp_path: Path) -> None:
    async def play() -> list[str]:
        order: list[str] = []

        async def hold(exclusive: bool, name: str) -> None:
            async with run_lock(tmp_path, exclusive=exclusive):
                order.append(name)
                await asyncio.sleep(0.1)
                order.append(f"{name} out")

        await asyncio.gather(hold(False, "shared"), hold(False, "also"), hold(True, "exclusive"))
        return order

    order = asyncio.run(play())
    assert order.index("exclusive") > max(order.index("shared out"), order.index("also out"))


@pytest.mark.parametrize("trouble", [RuntimeError("boom"), HarnessError("boom")])
def test_a_runner_that_fails_makes_what_was_aimed_at_inconclusive(tmp_path: Path, trouble: Exception) -> None:
    async def fail(scenario: Any) -> None:
        raise trouble

    kit = session(World(fail), tmp_path, Scenario("s"))
    try:
        kit.start(["s"])
        outcome = kit.result("s")
    finally:
        kit.close()
    verdict = outcome.of("dur-one")
    assert verdict is not None
    assert verdict.harness_error
    assert "boom" in verdict.reason


def test_a_judge_that_fails_is_a_harness_error(tmp_path: Path) -> None:
    kit = session(World(judge_fails=True), tmp_path, Scenario("s"))
    try:
        kit.start(["s"])
        outcome = kit.result("s")
    finally:
        kit.close()
    assert "the judge died" in str(outcome.harness_error)
    assert outcome.verdicts[0].harness_error


def test_a_missing_tool_reaches_whoever_waits(tmp_path: Path) -> None:
    async def fail(scenario: Any) -> None:
        raise MissingToolError("no toxiproxy-server: set MQCHECK_TOXIPROXY")

    kit = session(World(fail), tmp_path, Scenario("s"))
    try:
        kit.start(["s"])
        with pytest.raises(MissingToolError, match="MQCHECK_TOXIPROXY"):
            kit.result("s")
    finally:
        kit.close()


def test_what_cannot_even_open_fails_every_scenario(tmp_path: Path) -> None:
    @asynccontextmanager
    async def open_runner() -> AsyncIterator[Any]:
        raise OSError("no ports left")
        yield

    kit = KitSession(Machinery(open_runner, World), {"s": Scenario("s")}, tmp_path, limit=1)
    kit.start(["s"])
    with pytest.raises(HarnessError, match="no ports left"):
        kit.result("s", timeout=10)
    kit.close()


def test_closing_cancels_and_waits_for_the_clean_up(tmp_path: Path) -> None:
    entered = threading.Event()

    async def act(scenario: Any) -> None:
        entered.set()
        await asyncio.sleep(3600)

    world = World(act)
    kit = session(world, tmp_path, Scenario("s"), Scenario("t"))
    kit.start(["s", "t"])
    assert entered.wait(10)
    kit.close()
    assert not world.running
    assert {"s ended", "judge closed"} <= set(world.log)
    assert not [thread for thread in threading.enumerate() if thread.name == "mqcheck"]
    with pytest.raises(HarnessError, match="cancelled"):
        kit.result("s")
    kit.close()


def test_a_finished_scenario_is_not_run_again_and_a_broken_one_is_set_aside(tmp_path: Path) -> None:
    world = World()
    first = session(world, tmp_path, Scenario("s"))
    first.start(["s"])
    before = first.result("s")
    first.close()
    (tmp_path / "history" / "t").mkdir()
    second = session(world, tmp_path, Scenario("s"), Scenario("t"))
    second.start(["s", "t"])
    assert second.result("s") == before
    second.result("t")
    second.close()
    assert world.log.count("s") == 1
    assert (tmp_path / "crashed" / "t-1").is_dir()
    set_aside(tmp_path / "history" / "t", tmp_path)
    assert (tmp_path / "crashed" / "t-2").is_dir()


def wait_for_log(sandbox: Any, process: subprocess.Popen[str], event: str, count: int) -> None:
    for _ in range(400):
        if len(sandbox.log(event)) >= count:
            return
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise AssertionError(f"never {event}")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_ctrl_c_cancels_every_scenario(sandbox: Any, arguments: tuple[str, ...]) -> None:
    sandbox.world(steady={"delay": 600}, kill={"delay": 600}, cut={"delay": 600})
    process = subprocess.Popen(
        sandbox.command("--mqcheck", *arguments),
        cwd=sandbox.folder,
        env=sandbox.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for_log(sandbox, process, "began", 3)
        if arguments:
            import os

            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=40)
    finally:
        process.kill()
    assert process.returncode == exits.INTERRUPTED, output
    assert sorted(row["scenario"] for row in sandbox.log("cancelled")) == ["cut", "kill", "steady"], output
    assert sandbox.log("taken down")


@pytest.mark.slow
def test_interpreter_exit_cancels_too(tmp_path: Path) -> None:
    code = """
import asyncio, pathlib, sys, threading
from contextlib import asynccontextmanager
from mqcheck.session import KitSession, Machinery
entered = threading.Event()
class Scenario: name, aims, alone, seconds = "s", (), False, 1.0
class Judge:
    async def start(self): pass
    async def close(self): print("judge closed", flush=True)
async def run_one(scenario, folder):
    try:
        entered.set()
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0.1)
        print("healed", flush=True)
@asynccontextmanager
async def open_runner():
    yield run_one
kit = KitSession(Machinery(open_runner, Judge), {"s": Scenario}, pathlib.Path(sys.argv[1]), limit=1)
kit.start(["s"])
entered.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == ["healed", "judge closed"], done.stdout + done.stderr


@pytest.mark.slow
def test_the_first_failure_ends_what_still_runs(sandbox: Any) -> None:
    sandbox.world(steady={"verdicts": {"dur-one": "violated"}}, kill={"delay": 600}, cut={"delay": 600})
    done = sandbox.pytest("--mqcheck", "-x")
    assert done.returncode == exits.VIOLATED, done.stdout + done.stderr
    assert sorted(row["scenario"] for row in sandbox.log("cancelled")) == ["cut", "kill"]
