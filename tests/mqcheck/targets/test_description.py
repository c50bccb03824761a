"""Descriptions: what is read, and that every mistake is told with its place, the value and the way out."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mqcheck.errors import SettingsError
from mqcheck.targets.description import read_description

REFERENCE = Path(__file__).parent / "brokers" / "reference.toml"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = REFERENCE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "broker.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_references_own_description() -> None:
    found = read_description(REFERENCE)
    assert (found.name, found.version, found.here) == ("reference by description", "4.9.7", REFERENCE.parent)
    assert "pause" in found.capabilities
    assert (found.broker.stop_signal, found.broker.stop_seconds) == (signal.SIGINT, 10.0)
    assert (found.nameserver.ready.code, found.nameserver.ready.answers) == (105, frozenset({0, 17}))
    effective = found.broker.effective({"flushDiskType": "SYNC_FLUSH", "syncFlushTimeout": 400})
    assert (effective["flushDiskType"], effective["syncFlushTimeout"]) == ("SYNC_FLUSH", "400")
    assert (effective["slaveTimeout"], effective["brokerClusterName"]) == ("3000", "DefaultCluster")
    assert found.of("nameserver").effective({}) == {
        "reference.brokerExpiryMs": "120000",
        "reference.brokerScanMs": "10000",
    }


def test_what_a_node_does_not_say_it_does_not_have() -> None:
    broker = read_description(REFERENCE).broker
    told = ("flushDiskType", "slaveTimeout", "syncFlushTimeout", "reference.registerPeriodMs")
    heard = broker.heard(told, "flushDiskType=SYNC_FLUSH\nslaveTimeout = 400\nother=1\nno line")
    assert heard == {"flushDiskType": "SYNC_FLUSH", "slaveTimeout": "400", "syncFlushTimeout": "5000"}


def test_a_setting_that_nobody_described_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"warmUp = 7 is asked for.*add it to \[broker.settings\]"):
        read_description(REFERENCE).broker.effective({"warmUp": 7})


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("format = 1", "format = 2", r"format = 2: this mqcheck reads format 1"),
        ('name = "reference by description"', "", r"broker.toml has no name: add it"),
        ('"pause", ', '"paws", ', r"capabilities = .*'paws' is none of bad-tail, clock, disk-full"),
        ('"pause", ', '"destructive", ', r"'destructive' is none of"),
        ('"commitlog"', '"../log"', r"commit_log = '\.\./log': the log lies below \{data\}"),
        ("[environment]", 'at_end = "leave"\n[environment]', r"at_end = 'leave': write stop or kill"),
        ("[environment]", "at_once = 0\n[environment]", r"at_once = 0: must be 1 or more"),
        ("[environment]", "[enviroment]", r"unknown key 'enviroment'; did you mean 'environment'\?"),
        ("PYTHONPATH = ", "MQCHECK_GUARD = ", r"MQCHECK_GUARD is mqcheck's own"),
        ("PYTHONPATH = ", "PYTHONPATH = 3 # ", r"\[environment\] PYTHONPATH = 3: must be a text"),
        (
            'command = ["{python}", "-m", "reference_impl", "namesrv", "-c", "{folder}/namesrv.conf"]',
            "",
            "command = None",
        ),
        (
            "{folder}/namesrv.conf",
            "{fodler}/namesrv.conf",
            r"\[nameserver\] command: unknown placeholder \{fodler\}; did",
        ),
        ("listenPort = {port}\n{settings}", "vip = {vip_port}", r"namesrv.conf: unknown placeholder \{vip_port\}"),
        ('path = "namesrv.conf"', 'path = "../namesrv.conf"', r"\[files 1\] path = .*relative path without \.\."),
        ('signal = "SIGINT"', 'signal = "SIGNT"', r"\[stop\] signal = 'SIGNT': write a signal's name"),
        ("seconds = 10 }", "seconds = 0 }", r"\[stop\] seconds = 0: must be a number of seconds above 0"),
        ("{ seconds = 30 }", "{ answers = [] }", r"\[ready\] answers = \[\]: must be a list of whole numbers"),
        ("{ seconds = 30 }", "{ code = true }", r"\[ready\] code = True: must be a whole number"),
        ('"reference.brokerScanMs" = { unit = "ms", default = 10000 }', "", r"says nothing of reference.brokerScanMs"),
        ('{ default = "ASYNC_FLUSH" }', "{ }", r"\[flushDiskType\] has no default: say what holds"),
        ('{ default = "ASYNC_FLUSH" }', '{ default = "x", least = 1 }', r"least = 1: only times"),
        ('{ unit = "ms", default = 500 }', '{ unit = "ms", default = "soon" }', r"default = 'soon': .*whole number"),
        ('{ unit = "ms", default = 500 }', '{ unit = "min", default = 500 }', r"unit = 'min': units are text, ms, s"),
        ('{ unit = "ms", default = 500 }', '{ unit = "ms", default = 1.5 }', r"default = 1.5: must be a text, a whole"),
        ("Ms={value}", "Ms={valeu}", r"argument: unknown placeholder \{valeu\}; did you mean \{value\}\?"),
        (', "{arguments}"', "", r"no word \{arguments\}, where that of reference.registerPeriodMs"),
        ('brokerClusterName = "DefaultCluster"', 'flushDiskType = "X"', r"flushDiskType is among the settings too"),
        ('brokerRole = { default = "ASYNC_MASTER" }', "", r"'replication' needs a brokerRole in \[broker.settings\]"),
        ("[broker]", '[constants]\nport = "1"\n[broker]', r"constant 'port' is no new name"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        read_description(changed(tmp_path, old, new))


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none.toml: No such file.*; name a TOML file"):
        read_description(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"bad.toml: .*; mend the file"):
        read_description(tmp_path / "bad.toml")


def test_constants_are_placeholders_and_can_be_given(tmp_path: Path) -> None:
    path = changed(tmp_path, "[environment]", '[constants]\nheap = "64m"\n[environment]\nHEAP = "{heap}"')
    assert read_description(path).constants == {"heap": "64m"}
    assert read_description(path, {"heap": "256m"}).constants == {"heap": "256m"}
