"""The target `docker:IMAGE` with real containers: a cluster through all its faults, and whole runs of pytest."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from mqcheck.clock import RealClock
from mqcheck.containers import LABEL, labelled
from mqcheck.errors import RefusedError
from mqcheck.guard import Guard
from mqcheck.history.recorder import Recorder
from mqcheck.profile import QUICK
from mqcheck.targets.apache import FILES
from mqcheck.targets.base import Deployment, Opening
from mqcheck.targets.container_life import Daemon
from mqcheck.targets.docker import DockerTarget, described_target, docker_target
from mqcheck.targets.ready import ask

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(400)]

GET_BROKER_CONFIG = 26

RUN = ("-m", "pytest", "--mqcheck", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio")


class StraightNetwork:
    """Every peer is given the real addresses."""

    def __init__(self) -> None:
        self.nameservers: dict[str, str] = {}

    async def add_nameserver(self, name: str, address: str) -> None:
        self.nameservers[name] = address

    async def add_broker(self, *_: object) -> None:
        pass

    async def nameserver_addresses(self, peer: str) -> tuple[str, ...]:
        return tuple(self.nameservers.values())


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()


@pytest.fixture
def opening(tmp_path: Path, guard: Guard) -> Iterator[Opening]:
    recorder = Recorder(tmp_path / "events", run="r", process="kit", number=0, clock=RealClock())
    yield Opening(
        nameserver_settings=QUICK.nameserver,
        broker_settings=QUICK.broker,
        folder=tmp_path,
        network=cast("Any", StraightNetwork()),
        recorder=recorder,
        guard=guard,
        rng=random.Random(1),
    )
    recorder.close()


def lives(opening: Opening) -> list[dict[str, Any]]:
    """Rows of the history's nodes, and of its config, as written."""
    return [json.loads(line) for line in opening.recorder.path.read_text().splitlines()]


def test_a_cluster_takes_every_fault_and_leaves_its_logs(daemon: Daemon, image: str, opening: Opening) -> None:
    volumes = {volume.name for volume in daemon.client.volumes.list()}

    async def go() -> None:
        target = docker_target(f"docker:{image}", image)
        assert target.version == "Apache RocketMQ 5.4.0"
        assert {"kill", "stop", "pause", "partition"} <= target.capabilities
        cluster = await target.open(Deployment(), opening)
        broker = cluster.nodes["broker-a"]
        address = broker.address
        await broker.pause()
        assert await ask(address, GET_BROKER_CONFIG, 1.0) is None
        await broker.resume()
        answer = await ask(address, GET_BROKER_CONFIG, 60.0)
        assert answer is not None
        assert b"brokerName=broker-a" in answer.body
        await broker.kill()
        assert not broker.running
        await broker.start()
        await broker.stop()
        await broker.start()
        assert (broker.address, broker.life, broker.running) == (address, 2, True)
        await cluster.close()

    asyncio.run(go())
    rows = lives(opening)
    config = {(row["node"], row["key"]): row["setting"] for row in rows if row["e"] == "config"}
    assert config["broker-a", "lock_expiry_ms"] == "8000"
    ends = [row["how"] for row in rows if "how" in row]
    assert ends == ["kill", "stop", "kill", "kill"]
    assert "brokerName=broker-a" in (opening.folder / "logs" / "broker-a" / "broker.log").read_text()
    assert not (opening.folder / "nodes").exists()
    assert opening.guard is not None
    assert labelled(daemon.socket, opening.guard.mark) == []
    assert {volume.name for volume in daemon.client.volumes.list()} == volumes


def test_a_description_names_its_image(daemon: Daemon, image: str, opening: Opening, tmp_path: Path) -> None:
    text = (FILES / "apache-5.toml").read_text(encoding="utf-8")
    text = text.replace('version = "5"', f'version = "mine"\nimage = "{image}"')
    text = text.replace('"{java}"', '"/opt/java/bin/javva"').replace('"{classpath}"', '"/home/lib/*"')
    (tmp_path / "mine.toml").write_text(text)
    target = described_target("exec:mine.toml", tmp_path / "mine.toml")
    assert isinstance(target, DockerTarget)
    with pytest.raises(RefusedError, match=r"nameserver-1 cannot be started in mqcheck-test/.*javva.*program on the"):
        asyncio.run(target.open(Deployment(), opening))
    assert opening.guard is not None
    assert labelled(daemon.socket, opening.guard.mark) == []


def of_runs(daemon: Daemon) -> list[str]:
    """Ids of all containers that any run made."""
    return [one["Id"] for one in daemon.client.api.containers(all=True, filters={"label": LABEL})]


def started(image: str, folder: Path) -> subprocess.Popen[str]:
    options = ["--mqcheck-target", f"docker:{image}", "--mqcheck-select", "steady", f"--mqcheck-report={folder}"]
    return subprocess.Popen(
        [sys.executable, *RUN, *options],
        cwd=folder.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def test_a_run_gives_verdicts(daemon: Daemon, image: str, tmp_path: Path) -> None:
    run = started(image, tmp_path / "report")
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 0, output
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["run"]["target"], report["run"]["target_version"]) == (f"docker:{image}", "Apache RocketMQ 5.4.0")
    assert report["summary"]["held"] > 0
    assert of_runs(daemon) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_ended_leaves_no_container(
    daemon: Daemon, image: str, tmp_path: Path, number: signal.Signals
) -> None:
    run = started(image, tmp_path / "report")
    until(lambda: len(of_runs(daemon)) >= 2)
    os.kill(run.pid, number)
    run.communicate(timeout=120)
    assert run.returncode == (-9 if number == signal.SIGKILL else 2)
    until(lambda: of_runs(daemon) == [])
    until(lambda: not list(tmp_path.glob("report/history/*/nodes")))
