"""Registrations, routes, permissions and lists of topics."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import pytest

from reference_impl.effects import Reply
from reference_impl.frame import FrameReader
from reference_impl.loose_json import loads_loose
from reference_impl.message import body_crc
from reference_impl.register_body import DataVersion, Registration, TopicEntry, encode_body


def test_a_registered_topic_has_a_route(nameserver: Any) -> None:
    world = nameserver()
    assert world.register().code == 0
    route = world.route()
    assert json.loads(route.body) == {
        "brokerDatas": [{"brokerAddrs": {"0": "127.0.0.1:10911"}, "brokerName": "broker-a", "cluster": "C"}],
        "filterServerTable": {},
        "queueDatas": [
            {"brokerName": "broker-a", "perm": 6, "readQueueNums": 4, "topicSysFlag": 0, "writeQueueNums": 4}
        ],
    }


def test_two_nameservers_know_nothing_of_each_other(nameserver: Any) -> None:
    first, second = nameserver(), nameserver()
    first.register()
    assert second.route().code == 17


@pytest.mark.parametrize(
    ("fields", "quoted"),
    [
        ({"version": "400"}, False),
        ({"version": "401"}, True),
        ({"version": "63", "acceptStandardJsonOnly": "true"}, True),
    ],
)
def test_quotes_of_a_route_depend_on_the_askers_version(nameserver: Any, fields: dict[str, str], quoted: bool) -> None:
    world = nameserver()
    world.register()
    body = world.route(**fields).body
    assert (b'{"0":"127.0.0.1:10911"}' in body) == quoted
    assert (b'{0:"127.0.0.1:10911"}' in body) != quoted


def test_cluster_info_never_has_quoted_keys(nameserver: Any) -> None:
    world = nameserver()
    world.register()
    body = world.ask(106).body
    assert b'{0:"127.0.0.1:10911"}' in body
    assert loads_loose(body) == {
        "brokerAddrTable": {
            "broker-a": {"brokerAddrs": {"0": "127.0.0.1:10911"}, "brokerName": "broker-a", "cluster": "C"}
        },
        "clusterAddrTable": {"C": ["broker-a"]},
    }


@pytest.mark.parametrize(("fields", "shown"), [({"topic": "nothing"}, "nothing"), ({}, "null")])
def test_a_topic_nobody_has_is_17(nameserver: Any, fields: dict[str, str], shown: str) -> None:
    answer = nameserver().ask(105, **fields)
    assert answer.code == 17
    assert (answer.remark or "").startswith(f"No topic route info in name server for the topic: {shown}\nSee http")


def test_a_slave_learns_its_master_and_adds_no_topics(nameserver: Any) -> None:
    world = nameserver()
    assert world.register(broker_id=1, port=10921, conn=2, topics=("S",)).fields == {}
    world.register()
    answer = world.register(broker_id=1, port=10921, conn=2, topics=("S",))
    assert answer.fields == {"haServerAddr": "127.0.0.1:10912", "masterAddr": "127.0.0.1:10911"}
    assert world.addresses() == {"broker-a": {"0": "127.0.0.1:10911", "1": "127.0.0.1:10921"}}
    assert world.route("S").code == 17


def test_a_master_that_becomes_slave_is_listed_once(nameserver: Any) -> None:
    world = nameserver()
    world.register()
    world.register(broker_id=1)
    assert world.addresses() == {"broker-a": {"1": "127.0.0.1:10911"}}


def test_topics_are_read_again_only_with_a_new_version(nameserver: Any) -> None:
    world = nameserver()
    world.register(topics=("T",))
    world.register(topics=("T", "V"))
    assert world.route("V").code == 17
    world.register(topics=("T", "V"), counter=2)
    assert world.route("V").code == 0
    world.register(topics=("T",), counter=3)
    assert world.route("V").code == 0, "4.9 never takes a live broker's topic away"


def test_an_older_connection_of_a_broker_that_came_back_ends_without_harm(nameserver: Any) -> None:
    world = nameserver()
    world.register(conn=1)
    world.register(conn=2)
    world.core.closed(1, 1)
    assert world.addresses()


def test_unregistering_takes_a_broker_out(nameserver: Any) -> None:
    world = nameserver()
    world.register()
    fields = {"brokerName": "broker-a", "brokerAddr": "127.0.0.1:10911", "clusterName": "C", "brokerId": "0"}
    assert world.ask(104, **fields).code == 0
    assert world.route().code == 17
    assert world.ask(104, **fields).code == 0


def test_a_version_query_keeps_a_broker_alive(nameserver: Any) -> None:
    world = nameserver()
    world.register(now=0)
    fields = {"brokerName": "broker-a", "brokerAddr": "127.0.0.1:10911", "clusterName": "C", "brokerId": "0"}
    same = world.ask(322, now=100_000, body=b'{"timestamp":5,"counter":1}', **fields)
    assert same.fields == {"changed": "false"}
    assert json.loads(same.body) == {"timestamp": 5, "counter": 1}
    world.core.tick(125_000)
    assert world.addresses()
    assert world.ask(322, body=b'{"timestamp":5,"counter":9}', **fields).fields == {"changed": "true"}
    fields["brokerAddr"] = "127.0.0.1:1"
    unknown = world.ask(322, body=b'{"timestamp":5,"counter":9}', **fields)
    assert (unknown.fields, unknown.body) == ({"changed": "true"}, b"")


def test_write_permission_comes_and_goes(nameserver: Any) -> None:
    world = nameserver()
    world.register()
    assert world.ask(205, brokerName="broker-a").fields == {"wipeTopicCount": "2"}
    assert json.loads(world.route().body)["queueDatas"][0]["perm"] == 4
    assert world.ask(327, brokerName="broker-a").fields == {"addTopicCount": "2"}
    assert json.loads(world.route().body)["queueDatas"][0]["perm"] == 6
    assert world.ask(205, brokerName="nobody").fields == {"wipeTopicCount": "0"}


def test_topic_lists(nameserver: Any) -> None:
    world = nameserver()
    world.register()
    assert json.loads(world.ask(206).body) == {"topicList": ["T", "U"]}
    assert json.loads(world.ask(224, cluster="C").body) == {"topicList": ["T", "U"]}
    assert json.loads(world.ask(224, cluster="D").body) == {"topicList": []}
    assert json.loads(world.ask(304).body) == {"topicList": ["C", "broker-a"], "brokerAddr": "127.0.0.1:10911"}
    assert world.ask(216, topic="T").code == 0
    assert world.route("T").code == 17


def test_a_right_checksum_is_taken(nameserver: Any) -> None:
    body = encode_body(Registration(DataVersion(1, 1), {"T": TopicEntry("T", 1, 1, 6)}))
    assert nameserver().register(raw=body.decode("latin-1"), bodyCrc32=str(body_crc(body))).code == 0


def _compressed(mapping: bool) -> bytes:
    parts = [b'{"counter":1,"timestamp":2}', None, b"T 4 8 6 SINGLE_TAG", b"[]"]
    data = b"".join(struct.pack(">i", 1) if part is None else struct.pack(">i", len(part)) + part for part in parts)
    return zlib.compress(data + (struct.pack(">i", 0) if mapping else b""))


@pytest.mark.parametrize("mapping", [False, True])
def test_a_compressed_registration_is_read(nameserver: Any, mapping: bool) -> None:
    world = nameserver()
    assert world.register(raw=_compressed(mapping).decode("latin-1"), compressed="true").code == 0
    assert json.loads(world.route().body)["queueDatas"][0]["writeQueueNums"] == 8


def test_a_registration_of_before_3_0_11_is_the_bare_table(nameserver: Any) -> None:
    world = nameserver()
    table = {"T": {"topicName": "T", "readQueueNums": 2, "writeQueueNums": 2, "perm": 6}}
    raw = json.dumps({"dataVersion": {"counter": 1, "timestamp": 1}, "topicConfigTable": table})
    assert world.register(raw=raw, version="36").code == 0
    assert world.addresses() == {"broker-a": {"0": "127.0.0.1:10911"}}


def test_recorded_registrations_are_taken_and_their_topics_routed(
    nameserver: Any, golden_frames: list[dict[str, Any]]
) -> None:
    taken = 0
    for line in golden_frames:
        if line["expect"]["code"] != 103 or "note" not in line or line["direction"] != "request":
            continue
        (command,) = FrameReader().feed(bytes.fromhex(line["hex"]))
        world = nameserver()
        effects = world.core.request(0, 1, ("127.0.0.1", 1), command)
        refused = "BUG of 5.4.0" in line["note"] or "wrong bodyCrc32" in line["note"]
        assert [effect.command.code for effect in effects if isinstance(effect, Reply)] == (
            [] if command.is_oneway else [1 if refused else 0]
        ), line["id"]
        if refused or command.fields["brokerId"] != "0":
            continue
        taken += 1
        topics = line["expect"].get("topicNames") or list(line["expect"].get("topics", {}))
        for topic in (topic for topic in topics if topic != "..."):
            assert world.route(topic.split()[0]).code == 0, (line["id"], topic)
    assert taken >= 4


def test_topics_by_unit(nameserver: Any) -> None:
    world = nameserver()
    flags = {"plain": 0, "unit": 1, "sub": 2, "both": 3}
    entries = {name: TopicEntry(name, 1, 1, 6, flag) for name, flag in flags.items()}
    world.register(raw=encode_body(Registration(DataVersion(5, 1), entries)).decode("latin-1"))
    lists = {code: json.loads(world.ask(code).body)["topicList"] for code in (311, 312, 313)}
    assert lists == {311: ["unit", "both"], 312: ["sub", "both"], 313: ["sub"]}


def test_a_topic_is_forgotten_on_one_cluster_or_on_all(nameserver: Any) -> None:
    world = nameserver()
    world.register()
    world.register("broker-b", port=10921, conn=2, clusterName="D")
    world.ask(216, topic="T", clusterName="C")
    assert list(world.addresses("T")) == ["broker-b"]
    world.ask(216, topic="T", clusterName="absent")
    assert list(world.addresses("T")) == ["broker-b"]
    world.ask(216, topic="T")
    assert world.route("T").code == 17
    assert world.route("U").code == 0
