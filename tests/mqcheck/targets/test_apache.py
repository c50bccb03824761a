"""Apache RocketMQ as a target: its descriptions, its releases, and one real cluster where there is Java and Maven."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clients import WHOLE, WHOLE_REASON

from mqcheck.errors import MissingToolError, SettingsError
from mqcheck.profile import FULL, QUICK, Profile, fitted
from mqcheck.scenarios.base import all_scenarios, unfit
from mqcheck.targets import apache, described
from mqcheck.targets.apache import TRIED, ApacheTarget, apache_target
from mqcheck.targets.base import BrokerSpec, Deployment, Opening


def release(folder: Path, version: str) -> dict[str, str]:
    """A make-believe release in `folder`, and an environment with a make-believe Java."""
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / f"rocketmq-broker-{version}.jar").touch()
    (folder / "bin").mkdir()
    (folder / "bin" / "java").touch()
    return {"JAVA_HOME": str(folder), "PATH": "", "XDG_CACHE_HOME": str(folder / "cache")}


def target(tmp_path: Path, version: str) -> ApacheTarget:
    return ApacheTarget(f"apache:{version}", version, tmp_path, release(tmp_path, version))


@pytest.mark.parametrize("version", TRIED)
def test_a_release_is_run_as_it_lies_there(tmp_path: Path, version: str) -> None:
    found = target(tmp_path, version)
    found.prepare()
    assert (found.version, found.at_once) == (f"Apache RocketMQ {version}", 3)
    assert found.description.constants["classpath"] == f"{tmp_path}/lib/*"
    assert found.description.constants["java"] == f"{tmp_path}/bin/java"


def test_quick_shortens_what_can_be_set_and_no_more(tmp_path: Path) -> None:
    found = target(tmp_path, "4.9.7")
    broker = found.effective("broker", QUICK.broker)
    assert (broker["reference.registerPeriodMs"], broker["reference.lockExpiryMs"]) == ("10000", "8000")
    assert (broker["reference.clientExpiryMs"], broker["reference.holdScanMs"]) == ("120000", "5000")
    assert broker["flushConsumerOffsetInterval"] == "10000"
    assert broker["messageDelayLevel"].startswith("1s 1s 1s 1s 2s 2s 3s")
    assert found.effective("nameserver", QUICK.nameserver)["reference.brokerExpiryMs"] == "120000"
    assert found.effective("broker", {})["reference.registerPeriodMs"] == "30000"


NEVER = {"disk-damage", "disk-nearly-full", "overload"}
"""What its own files or its disk's size would have to suffer, or slow writes: no capability of its description."""


@pytest.mark.parametrize(
    ("version", "profile", "missed"),
    [
        ("4.9.7", QUICK, {"broker-paused", "broker-blackhole", "consumer-silent", "retention"}),
        ("5.4.0", QUICK, {"broker-paused", "broker-blackhole", "retention"}),
        ("4.9.7", FULL, set()),
        ("5.4.0", FULL, set()),
    ],
)
@pytest.mark.parametrize("lacking", ["", "there is no /dev/fuse: it needs root"])
def test_scenarios_it_cannot_take_say_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    profile: Profile,
    missed: set[str],
    lacking: str,
) -> None:
    monkeypatch.setattr(described, "missing_disk", lambda: lacking)
    found = target(tmp_path, version)
    suited = fitted(profile, found)
    reasons = {name: unfit(scenario, found, suited) for name, scenario in all_scenarios().items()}
    disks = {"power-cut", "slow-fsync", "disk-error", "disk-full"} if lacking else set()
    assert {name for name, reason in reasons.items() if reason} == missed | disks | NEVER
    if lacking:
        assert reasons["power-cut"] == f"apache:{version} cannot take power-cut here: {lacking}"
    if "broker-paused" in missed:
        assert (
            "is 120000 and cannot be the 5000 of quick: run it with --mqcheck-profile full" in reasons["broker-paused"]
        )
        assert f"reference.firstCleanMs, which on apache:{version} is 60000" in reasons["retention"]


@pytest.mark.parametrize(
    ("version", "complaint"),
    [
        ("latest", r"'latest' is no version of Apache RocketMQ: write apache:4\.9\.7 or 5\.4\.0"),
        ("4.9", r"'4\.9' is no version"),
        ("3.2.6", r"3\.2\.6 is not known, only 4\.x and 5\.x: describe it with exec:FILE"),
    ],
)
def test_versions_that_nobody_knows(tmp_path: Path, version: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        ApacheTarget("apache:x", version, None, release(tmp_path, "4.9.7"))


def test_rocketmq_home_is_taken_where_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {**release(tmp_path, "5.4.0"), "ROCKETMQ_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(key, value)
    assert apache_target("apache:5.4.0", "5.4.0", None).description.constants["classpath"] == f"{tmp_path}/lib/*"
    with pytest.raises(SettingsError, match=r"holds Apache RocketMQ 5\.4\.0, not 4\.9\.7"):
        apache_target("apache:4.9.7", "4.9.7", None)


def test_without_java_or_maven_it_says_so(tmp_path: Path) -> None:
    environ = release(tmp_path, "4.9.7")
    with pytest.raises(MissingToolError, match="needs Java"):
        ApacheTarget("apache:4.9.7", "4.9.7", None, {**environ, "JAVA_HOME": ""})
    found = ApacheTarget("apache:4.9.7", "4.9.7", None, environ)
    with pytest.raises(MissingToolError, match="no mvn on PATH"):
        found.prepare()


def test_the_descriptions_are_what_is_shipped() -> None:
    assert sorted(path.name for path in apache.FILES.iterdir()) == ["apache-4.toml", "apache-5.toml"]


@pytest.mark.slow
@pytest.mark.interop
@pytest.mark.timeout(180)
@pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON)
@pytest.mark.skipif(
    shutil.which("java") is None or shutil.which("mvn") is None, reason="needs java and mvn; install a JDK and Maven"
)
@pytest.mark.parametrize(("version", "libraries"), [("4.9.7", 0), ("5.4.0", 2)])
def test_a_real_cluster_lives_and_leaves_its_logs(
    opening: Opening, monkeypatch: pytest.MonkeyPatch, version: str, libraries: int
) -> None:
    monkeypatch.delenv("ROCKETMQ_HOME", raising=False)
    opening = replace(opening, broker_settings=QUICK.broker, nameserver_settings=QUICK.nameserver)

    async def go() -> None:
        found = apache_target(f"apache:{version}", version, None)
        await asyncio.to_thread(found.prepare)
        cluster = await found.open(Deployment(brokers=(BrokerSpec("broker-a"),)), opening)
        broker = cluster.nodes["broker-a"]
        address = broker.address
        await broker.kill()
        await broker.start()
        assert (broker.address, broker.life) == (address, 1)
        # A killed JVM leaves what it unpacked, here for each life of the broker.
        assert len(list((opening.folder / "nodes" / "broker-a").glob("librocksdbjni*"))) == libraries
        await cluster.close()

    asyncio.run(go())
    lines: list[dict[str, Any]] = [json.loads(line) for line in opening.recorder.path.read_text().splitlines()]
    config = {(row["node"], row["key"]): row["setting"] for row in lines if row["e"] == "config"}
    assert config["broker-a", "lock_expiry_ms"] == "8000"
    assert config["nameserver-1", "expiry_ms"] == "120000"
    logs = "".join(path.read_text() for path in (opening.folder / "logs" / "broker-a").glob("*.log"))
    assert "broker-a" in logs
    assert not (opening.folder / "nodes").exists()
