"""Described brokers: the reference by its description, through all its lives, and through the suite itself."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mqcheck.commands import plugin_arguments
from mqcheck.disks.tools import missing_disk
from mqcheck.errors import NodeError, RefusedError
from mqcheck.guard import group_states
from mqcheck.targets.base import BrokerSpec, Deployment, Node, Opening
from mqcheck.targets.described import DescribedCluster, DescribedTarget, exec_target

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

REFERENCE = Path(__file__).parent / "brokers" / "reference.toml"
ROOT = Path(__file__).parents[3]
ONE = Deployment(brokers=(BrokerSpec("broker-a", {"syncFlushTimeout": 800}),))


def rows(opening: Opening, table: str) -> list[dict[str, Any]]:
    """Rows of a table, later columns over earlier ones."""
    found: dict[int, dict[str, Any]] = {}
    for line in opening.recorder.path.read_text().splitlines():
        data = json.loads(line)
        if data["e"] == table:
            found.setdefault(data["op"], {}).update(data)
    return list(found.values())


def altered(tmp_path: Path, changes: Mapping[str, str]) -> DescribedTarget:
    """The reference's description with some texts changed."""
    text = REFERENCE.read_text(encoding="utf-8").replace("{here}/../../../..", str(ROOT))
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "broker.toml"
    path.write_text(text, encoding="utf-8")
    return exec_target("exec:broker.toml", path)


def test_nodes_live_die_and_come_back_at_the_same_address(opening: Opening) -> None:
    opening = replace(opening, broker_settings={**opening.broker_settings, "reference.registerPeriodMs": 1_000})

    async def go() -> None:
        cluster = await exec_target("exec:reference.toml", REFERENCE).open(ONE, opening)
        broker: Node = cluster.nodes["broker-a"]
        address = broker.address
        assert broker.settings["syncFlushTimeout"] == "800"
        await broker.kill()
        assert not broker.running
        await broker.start()
        await broker.pause()
        await broker.resume()
        await broker.stop()
        await broker.start()
        assert (broker.address, broker.life) == (address, 2)
        await cluster.close()

    asyncio.run(go())
    lives = [row for row in rows(opening, "nodes") if row["node"] == "broker-a"]
    assert [(row["life"], row["how"], row["version"]) for row in lives] == [
        (0, "kill", "4.9.7"),
        (1, "stop", "4.9.7"),
        (2, "stop", "4.9.7"),
    ]
    config = {(row["node"], row["key"]): row["setting"] for row in rows(opening, "config")}
    assert config["broker-a", "sync_flush_timeout_ms"] == "800"
    assert config["broker-a", "register_ms"] == "1000"
    assert config["broker-a", "flushDiskType"] == "SYNC_FLUSH"
    assert config["nameserver-1", "expiry_ms"] == "120000"
    assert not (opening.folder / "nodes").exists()
    assert (opening.folder / "logs" / "broker-a.2.log").is_file()
    kept = opening.folder / "configuration" / "broker-a"
    assert "brokerName = broker-a" in (kept / "broker.conf").read_text()
    assert (kept / "command.txt").read_text().rstrip().endswith("broker.conf -preference.registerPeriodMs=1000")


def test_a_start_script_and_what_it_starts_are_one_node(opening: Opening, tmp_path: Path) -> None:
    """The script waits for its child; each signal goes to both, and the node has ended when both have."""
    script = tmp_path / "start.sh"
    script.write_text('trap "" TERM INT\n"$@" &\nwait $!\nwait $!\n', encoding="utf-8")
    target = altered(tmp_path, {'["{python}", ': f'["sh", "{script}", "{{python}}", '})

    async def go() -> None:
        cluster = await target.open(ONE, opening)
        nameserver, broker = cluster.nodes["nameserver-1"], cluster.nodes["broker-a"]
        assert isinstance(cluster, DescribedCluster)
        group = getattr(broker, "pid", None)
        assert group is not None
        assert len(group_states(group)) == 2
        await broker.pause()
        assert group_states(group) == ["T", "T"]
        await broker.resume()
        await broker.kill()
        assert group_states(group) == []
        await broker.start()
        await nameserver.stop()
        await cluster.close()

    asyncio.run(go())


def test_what_cannot_start_says_why_and_leaves_nothing(opening: Opening, tmp_path: Path) -> None:
    async def go() -> None:
        missing = altered(tmp_path, {'["{python}", ': '["no-such-broker", '})
        with pytest.raises(RefusedError, match=r"nameserver-1 cannot be started: no-such-broker: No such file"):
            await missing.open(ONE, opening)
        ends = altered(tmp_path, {'"reference_impl", "broker"': '"reference_impl", "brocker"'})
        with pytest.raises(NodeError, match=r"(?s)broker-a ended with status 2 before it was ready.*brocker"):
            await ends.open(ONE, opening)
        deaf = altered(tmp_path, {"{ seconds = 30 }": "{ code = 28, answers = [77], seconds = 1.5 }"})
        with pytest.raises(NodeError, match=r"not ready in 1\.5 s: request 28 to .* was answered 0, and not 77"):
            await deaf.open(ONE, opening)
        mute = altered(tmp_path, {"properties = 26": "properties = 9999"})
        with pytest.raises(
            NodeError, match=r"broker-a does not say what its properties are: request 9999 was answered 3"
        ):
            await mute.open(ONE, opening)
        with pytest.raises(RefusedError, match="'ack-before-sync' can be planted in the reference alone"):
            await deaf.open(ONE, replace(opening, sabotage="ack-before-sync"))

    asyncio.run(go())
    assert all("ended" in row for row in rows(opening, "nodes") if row["node"] == "broker-a")
    assert not (opening.folder / "nodes").exists()


def test_the_suite_judges_it(tmp_path: Path) -> None:
    """A selection that needs every kind of thing: load, a kill, a power cut where the machine lets us."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *plugin_arguments(), "-p", "no:cacheprovider", "--mqcheck"),
            *(f"--mqcheck-target=exec:{REFERENCE}", f"--mqcheck-report={tmp_path / 'report'}"),
            *("--mqcheck-select", "steady", "--mqcheck-select", "power-cut", "--mqcheck-select", "nameserver-kill"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    verdicts = {(each["scenario"], each["guarantee"]): each for each in report["verdicts"]}
    assert report["run"]["target_version"] == "reference by description 4.9.7"
    assert verdicts["steady", "con-alo"]["verdict"] == "held"
    assert verdicts["nameserver-kill", "ns-restart-heal"]["verdict"] == "held"
    cut = verdicts["power-cut", "dur-ack-power-sf"]
    assert cut["verdict"] == ("not applicable" if missing_disk() else "held"), cut["reason"]
    assert missing_disk() in cut["reason"]
