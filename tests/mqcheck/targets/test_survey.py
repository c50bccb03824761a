"""What a running cluster says of itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mqcheck.errors import SettingsError
from mqcheck.targets.description import read_description
from mqcheck.targets.survey import FILES, addresses_of, heard, parsed, role_settings, survey
from tests.mqcheck.targets.running import running_cluster


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("h:1", ("h:1",)),
        ("10.0.0.5:9876; rocket.example:9876;", ("10.0.0.5:9876", "rocket.example:9876")),
        ("[fd00::5]:9876", ("[fd00::5]:9876",)),
    ],
)
def test_addresses_are_taken_apart(text: str, found: tuple[str, ...]) -> None:
    assert addresses_of(text) == found


@pytest.mark.parametrize("text", ["", ";", "h", "h:", "h:x", "h:70000", "fd00::5:9876", "[h:1", ":9876"])
def test_what_is_no_address_is_shown_with_one_that_is(text: str) -> None:
    with pytest.raises(SettingsError, match=r"external:10\.0\.0\.5:9876"):
        addresses_of(text)


def test_rocketmqs_own_names_and_units_are_read_and_what_it_does_not_say_is_its_default() -> None:
    described = read_description(FILES / "apache-5.toml", {"java": "", "classpath": ""})
    said = parsed(b"registerNameServerPeriod=20000\nbrokerClusterName=Prod\ninSyncReplicas=1\ntraceOn=true\n=\nx\n")
    found = heard(described.broker, said)
    assert found["reference.registerPeriodMs"] == "20000"
    assert (found["brokerClusterName"], found["inSyncReplicas"]) == ("Prod", "1")
    assert found["reference.clientExpiryMs"] == "120000"
    assert "traceOn" not in found


def test_the_references_names_are_mqchecks() -> None:
    described = read_description(FILES / "apache-4.toml", {"java": "", "classpath": ""})
    said = {
        "reference.registerPeriodMs": "1000",
        "registerNameServerPeriod": "30000",
        "flushConsumerOffsetInterval": "5",
    }
    found = heard(described.broker, said)
    assert (found["reference.registerPeriodMs"], found["flushConsumerOffsetInterval"]) == ("1000", "5")


def test_a_running_cluster_is_found_with_masters_by_name(tmp_path: Path) -> None:
    with running_cluster(tmp_path, ["zeta", "alpha"]) as cluster:
        found = cluster.look()
        assert [master.broker for master in found.masters] == ["alpha", "zeta"]
        assert [node.address for node in found.nameservers] == [cluster.address]
        assert found.slaves == ()
        assert found.version == "4.9.7"
        assert role_settings(found, "nameserver")["reference.brokerExpiryMs"] == "5000"
        assert role_settings(found, "broker")["reference.clientExpiryMs"] == "4500"


def test_where_nodes_differ_the_slower_number_holds(tmp_path: Path) -> None:
    with running_cluster(tmp_path, ["alpha"]) as one, running_cluster(tmp_path, ["beta"]) as two:
        found = asyncio.run(survey([one.address, two.address]))
        slow = {**found.masters[1].settings, "reference.clientExpiryMs": "9000"}
        object.__setattr__(found.masters[1], "settings", slow)
        assert [master.broker for master in found.masters] == ["alpha", "beta"]
        assert role_settings(found, "broker")["reference.clientExpiryMs"] == "9000"


def test_nobody_and_an_empty_cluster_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"127\.0\.0\.1:1 does not answer"):
        asyncio.run(survey(["127.0.0.1:1"]))
    with pytest.raises(SettingsError, match=r"nobody\.invalid:9876 cannot be found"):
        asyncio.run(survey(["nobody.invalid:9876"]))
    with (
        running_cluster(tmp_path, []) as cluster,
        pytest.raises(SettingsError, match="no master is registered"),
    ):
        cluster.look()
