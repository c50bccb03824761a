"""A folder to run pytest in, with a make-believe kit: scenarios and verdicts out of ``world.json``, no broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.mqcheck.warm_pytest import WarmPytest

CONFTEST = """
import asyncio, json, os, time
from contextlib import asynccontextmanager
from pathlib import Path

from mqcheck import machinery
from mqcheck.errors import MissingToolError
from mqcheck.judge.verdicts import Verdict
from mqcheck.plan import plan
from mqcheck.session import Machinery
from mqcheck.specs import Guarantee, Specs

HERE = Path(__file__).parent
WORLD = json.loads((HERE / "world.json").read_text())


class Scenario:
    def __init__(self, name, data):
        self.name, self.data, self.summary = name, data, "would catch " + name
        self.aims, self.alone = tuple(data["aims"]), data.get("alone", False)
        self.seconds = data.get("seconds", 1.0)


def note(**row):
    with (HERE / "log.jsonl").open("a") as file:
        file.write(json.dumps({**row, "pid": os.getpid(), "t": time.monotonic()}) + "\\n")


FEED = None


def told(scenario, folder):
    if FEED is not None:
        row = FEED.scenario(scenario.name, folder)
        row({"e": "phases", "w": "b", "t": time.monotonic_ns(), "op": 1, "name": "fault"})
        row({"e": "faults", "w": "b", "t": time.monotonic_ns(), "op": 2, "kind": "kill", "node": "broker-a"})


async def run_one(scenario, folder):
    note(event="began", scenario=scenario.name)
    told(scenario, folder)
    try:
        if scenario.data.get("dies") and not (HERE / "died").exists():
            (HERE / "died").touch()
            os._exit(9)
        if "missing" in scenario.data:
            raise MissingToolError(scenario.data["missing"])
        await asyncio.sleep(scenario.data.get("delay", 0))
        while "until" in scenario.data and not (HERE / scenario.data["until"]).exists():
            await asyncio.sleep(0.02)
        (folder / "events").mkdir()
        lines = ['{"e":"streams","t":1,"format":1}', '{"e":"sends","w":"b","t":2,"op":1}']
        lines.append('{"e":"faults","t":3,"op":2,"kind":"kill","node":"broker-a","began":3,"healed":5000003}')
        (folder / "events" / "kit.0.jsonl").write_text("\\n".join(lines) + "\\n")
        content = {"format": 1, "scenario": scenario.name, "harness_error": scenario.data.get("harness_error")}
        (folder / "plan.json").write_text(json.dumps(content))
        if "raises" in scenario.data:
            raise RuntimeError(scenario.data["raises"])
    except asyncio.CancelledError:
        await asyncio.sleep(0.05)
        note(event="cancelled", scenario=scenario.name)
        raise
    note(event="ended", scenario=scenario.name)


class Judge:
    async def start(self):
        pass

    async def judge(self, folder):
        name, _, attempt = folder.name.partition(".rerun-")
        data = WORLD["scenarios"][name]
        verdicts = []
        for guarantee, level in WORLD["guarantees"].items():
            told = data.get("verdicts", {}).get(guarantee, "held")
            told = told[int(attempt or 0)] if isinstance(told, list) else told
            verdicts.append(Verdict(
                guarantee=guarantee, scenario=name, aimed=guarantee in data["aims"], verdict=told,
                exercised=7, enough=5, evidence_total=int(told == "violated"),
                evidence=({"message": "m-17\\x00"},) if told == "violated" else (),
                reason={"inconclusive": "too little happened", "not applicable": "no power cut here"}.get(told, ""),
                judge_seconds=0.01, replay="pytest --mqcheck --mqcheck-seed 1", subject="broker", level=level,
                title="Title of " + guarantee))
        return verdicts

    async def close(self):
        note(event="judge closed")


def guarantee(name, level):
    return Guarantee(
        id=name, title="Title of " + name, subject="broker", level=level, statement="It is so.", applies="TRUE",
        needs=(), tolerance_ms=0, since=None, until=None, exceptions=(), sources=("apache/rocketmq#2706",),
        exercised="SELECT 1", enough=5, violations="SELECT * FROM sends WHERE 1 < 0", inconclusive="", seen="",
        sabotage=(), legal_odd=(), area="storage", path="storage.toml")


def load(settings, run, target, feed=None):
    global FEED
    FEED = feed

    @asynccontextmanager
    async def open_runner():
        note(event="opened", seed=run.seed, profile=settings.profile)
        try:
            yield run_one
        finally:
            note(event="taken down")

    specs = Specs(tuple(guarantee(*each) for each in WORLD["guarantees"].items()), ())
    scenarios = [Scenario(name, data) for name, data in WORLD["scenarios"].items()]
    return machinery.Kit(specs, plan(scenarios, specs, settings.select), Machinery(open_runner, Judge), "1.0")


machinery.load = load
"""
QUIET = ("-p", "no:randomly", "-p", "no:faker", "-p", "no:hypothesispytest", "-p", "no:asyncio")
WORLD = {
    "guarantees": {"dur-one": "MUST", "dur-two": "MUST", "con-three": "SHOULD"},
    "scenarios": {
        "steady": {"aims": ["dur-one", "con-three"], "seconds": 3},
        "kill": {"aims": ["dur-one", "dur-two"], "seconds": 2},
        "cut": {"aims": ["dur-two"], "seconds": 1},
    },
}


@dataclass
class Sandbox:
    """A folder with the make-believe kit."""

    folder: Path
    plugin: list[str]
    warm: WarmPytest

    def world(self, **scenarios: Mapping[str, Any]) -> None:
        """Change scenarios, by name."""
        world = json.loads(json.dumps(WORLD))
        for name, change in scenarios.items():
            world["scenarios"].setdefault(name, {"aims": []}).update(change)
        self.write("world.json", json.dumps(world))

    def write(self, name: str, text: str) -> None:
        """Put a file into the folder."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def environment(self, **more: str) -> dict[str, str]:
        """Without what the surrounding pytest left, with this source tree on the path."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "MQCHECK", "COV"))}
        return {**kept, "PYTHONPATH": str(Path(__file__).parents[2]), **more}

    def command(self, *arguments: str) -> list[str]:
        """pytest, quiet about other plugins."""
        return [sys.executable, "-m", "pytest", *QUIET, *self.plugin, *arguments]

    def pytest(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run pytest to its end, quiet about other plugins."""
        return self.warm.run([*QUIET, *self.plugin, *arguments], self.folder, self.environment(**environment))

    def log(self, event: str) -> list[dict[str, Any]]:
        """What the make-believe kit noted of one kind of event."""
        path = self.folder / "log.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [row for row in rows if row["event"] == event]

    def report(self) -> dict[str, Any]:
        """The latest run's report.json."""
        data: dict[str, Any] = json.loads((self.folder / ".mqcheck" / "latest" / "report.json").read_text())
        return data


@pytest.fixture(scope="session")
def warm_pytest() -> Iterator[WarmPytest]:
    """The process of which this worker's runs are forked."""
    warm = WarmPytest()
    yield warm
    warm.close()


@pytest.fixture
def sandbox(tmp_path: Path, warm_pytest: WarmPytest) -> Sandbox:
    """A folder with three scenarios and three guarantees, all held."""
    from mqcheck.commands import plugin_arguments

    box = Sandbox(tmp_path, plugin_arguments(), warm_pytest)
    box.world()
    box.write("conftest.py", CONFTEST)
    box.write("pytest.ini", "[pytest]\nmqcheck_retries = 0\n")
    return box
