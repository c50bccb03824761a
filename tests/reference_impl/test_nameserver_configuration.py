"""Key-value pairs and settings of a NameServer."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from reference_impl.disk import MemoryDisk
from reference_impl.errors import StoreDamagedError


def test_key_value_configuration(nameserver: Any) -> None:
    world = nameserver(orderMessageEnable=True)
    missing = world.ask(101, namespace="x", key="y")
    assert (missing.code, missing.remark) == (22, "No config item, Namespace: x Key: y")
    assert (world.ask(219, namespace="x").code, world.ask(219, namespace="x").remark) == (
        22,
        "No config item, Namespace: x",
    )
    assert world.ask(100, namespace="ORDER_TOPIC_CONFIG", key="T", value="broker-a:4").code == 0
    assert world.ask(101, namespace="ORDER_TOPIC_CONFIG", key="T").fields == {"value": "broker-a:4"}
    assert json.loads(world.register().body) == {"table": {"T": "broker-a:4"}}
    assert json.loads(world.route().body)["orderTopicConf"] == "broker-a:4"
    assert json.loads(world.ask(219, namespace="ORDER_TOPIC_CONFIG").body) == {"table": {"T": "broker-a:4"}}
    assert world.ask(102, namespace="ORDER_TOPIC_CONFIG", key="T").code == 0
    assert world.ask(101, namespace="ORDER_TOPIC_CONFIG", key="T").code == 22


def test_pairs_survive_where_a_path_is_set(nameserver: Any) -> None:
    disk = MemoryDisk()
    world = nameserver(disk, kvConfigPath="somewhere/kvConfig.json")
    world.ask(100, namespace="ORDER_TOPIC_CONFIG", key="T", value="broker-a:4")
    world.ask(100, namespace="n", key="k", value="v")
    world.ask(102, namespace="n", key="k")
    disk.crash(power=True, rng=random.Random(1))
    saved = json.loads(disk.read_file("kvConfig.json") or b"")
    assert saved == {"configTable": {"ORDER_TOPIC_CONFIG": {"T": "broker-a:4"}, "n": {}}}
    again = nameserver(disk, kvConfigPath="somewhere/kvConfig.json")
    assert again.ask(101, namespace="ORDER_TOPIC_CONFIG", key="T").fields == {"value": "broker-a:4"}
    again.core.empty()
    assert nameserver(disk, kvConfigPath="kvConfig.json").ask(219, namespace="n").code == 22


@pytest.mark.parametrize("text", [b"[1]", b'{"configTable":[]}', b'{"configTable":{"n":1}}', b"{"])
def test_a_damaged_file_stops_the_start(nameserver: Any, text: bytes) -> None:
    disk = MemoryDisk()
    disk.replace("kvConfig.json", text, durable=True)
    with pytest.raises(StoreDamagedError, match=r"kvConfig\.json"):
        nameserver(disk, kvConfigPath="kvConfig.json")


def test_settings_are_shown_and_changed(nameserver: Any) -> None:
    world = nameserver()
    world.register()
    world.ask(100, namespace="ORDER_TOPIC_CONFIG", key="T", value="broker-a:4")
    assert "orderTopicConf" not in json.loads(world.route().body)
    assert world.ask(318, body=b"orderMessageEnable=true\nabsent=1").code == 0
    assert json.loads(world.route().body)["orderTopicConf"] == "broker-a:4"
    shown = dict(line.split("=", 1) for line in world.ask(319).body.decode().splitlines())
    assert (shown["orderMessageEnable"], shown["productEnvName"], shown["listenPort"]) == ("true", "center", "9876")


@pytest.mark.parametrize(
    ("change", "code", "remark"),
    [
        (b"kvConfigPath=/x", 16, "Can not update config path"),
        (b"configStorePath=/x", 16, "Can not update config path"),
        (b"listenPort=1", 1, "property listenPort is 9876 until the next start: stop, and start with '1'"),
        (b"nonsense", 1, "line 1, 'nonsense', is no property: write key = value"),
    ],
)
def test_refused_changes(nameserver: Any, change: bytes, code: int, remark: str) -> None:
    answer = nameserver().ask(318, body=change)
    assert (answer.code, answer.remark) == (code, remark)
