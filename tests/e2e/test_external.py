"""A cluster that somebody else runs: judged by its address, found broken where it is, and left as it was."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from planted_bugs import LATER

from mqcheck.cli import main
from mqcheck.targets.leavings import of_any_run
from mqcheck.targets.ready import ask
from tests.e2e.conftest import Run, Start
from tests.mqcheck.targets.running import Running, process, running_cluster

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

Play = Callable[..., Run]

TABLES = ("topicList", "topicConfigTable", "subscriptionGroupTable")


def named(cluster: Running) -> set[str]:
    """Every topic and group that its brokers and NameServers have."""
    seen = cluster.look()
    places = [(node.address, code) for node in seen.masters for code in (21, 201)]
    places += [(node.address, 206) for node in seen.nameservers]

    async def told() -> set[str]:
        found: set[str] = set()
        for address, code in places:
            answer = await ask(address, code, 10, {})
            assert answer is not None
            data = json.loads(answer.body)
            for table in TABLES:
                found.update(data.get(table, ()))
        return found

    return asyncio.run(told())


def test_a_healthy_cluster_holds_and_is_left_as_it_was(play: Play, tmp_path: Path) -> None:
    with running_cluster(tmp_path / "stores", ["zeta", "alpha"]) as cluster:
        before = named(cluster)
        scenarios = ("steady", "client-partition", "consumer-fails", "broker-kill", "nameserver-cut")
        selection = [word for name in scenarios for word in ("--mqcheck-select", name)]
        done = play("--mqcheck-target", f"external:{cluster.address}", "-n", "2", *selection)
        assert done.status == 0, done.output
        held = done.verdicts("held")
        for pair in (
            ("steady", "con-broadcast-all"),
            ("client-partition", "con-alo"),
            ("consumer-fails", "con-retry-max"),
        ):
            assert pair in held, done.output
        missed = done.verdicts("not applicable")
        assert "cannot take kill" in missed["broker-kill", "dur-ack-kill"]["reason"]
        assert "cannot take server-links" in missed["nameserver-cut", "ns-isolated"]["reason"]
        assert "registrations_seen" in missed["steady", "ns-register-visible"]["reason"]
        real = {row["setting"] for row in done.rows("steady", "config") if row["key"] == "external_name"}
        assert real == {cluster.address, "alpha", "zeta"}
        assert {row["broker"] for row in done.rows("steady", "deliveries")} == {"broker-a", "broker-b"}
        assert all(of_any_run(row["topic"]) for row in done.rows("consumer-fails", "sends"))
        for pid in cluster.pids:
            os.kill(pid, 0)
        assert named(cluster) == before


@pytest.mark.parametrize(
    ("bug", "scenario", "guarantee"),
    [
        ("corrupt-body", "steady", "dur-body-intact"),
        pytest.param("redeliver-forever", "consumer-fails", "con-retry-max", marks=LATER),
    ],
)
def test_a_planted_bug_is_found_from_outside(
    play: Play, tmp_path: Path, bug: str, scenario: str, guarantee: str
) -> None:
    with running_cluster(tmp_path / "stores", ["broker-a", "broker-b"], "--sabotage", bug) as cluster:
        before = named(cluster)
        done = play("--mqcheck-target", f"external:{cluster.address}", "--mqcheck-select", scenario)
        assert (scenario, guarantee) in done.verdicts("violated"), done.output
        assert done.status == 1
        assert named(cluster) == before


def test_a_server_that_is_all_in_one_process_can_be_judged(play: Play, tmp_path: Path) -> None:
    properties = {"namesrv.listenPort": 0, "broker.listenPort": 0, "broker.storePathRootDir": tmp_path / "store"}
    with process("all", **properties) as (_, told):
        cluster = Running(told["address"], ())
        done = play("--mqcheck-target", f"external:{cluster.address}", "--mqcheck-select", "protocol")
        assert done.status == 0, done.output
        assert ("protocol", "prt-opaque") in done.verdicts("held")
        assert not [name for name in named(cluster) if of_any_run(name)]


def test_what_a_killed_run_leaves_is_taken_away_by_the_command(start: Start, tmp_path: Path) -> None:
    with running_cluster(tmp_path / "stores", ["broker-a", "broker-b"]) as cluster:
        before = named(cluster)
        going = start("--mqcheck-target", f"external:{cluster.address}", "--mqcheck-select", "steady")
        going.wait_until(lambda: going.rows("steady", "deliveries"), "a delivery")
        os.kill(going.process.pid, signal.SIGKILL)
        going.process.communicate()
        going.assert_nothing_left()
        assert [name for name in named(cluster) if of_any_run(name)]
        assert main(["external", "clean", cluster.address]) == 0
        assert named(cluster) == before


def test_a_cluster_that_is_not_there_is_a_usage_error(play: Play) -> None:
    done = play("--mqcheck-target", "external:127.0.0.1:1")
    assert done.status == 4
    assert "the NameServer 127.0.0.1:1 does not answer" in done.output
