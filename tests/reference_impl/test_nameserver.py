"""The NameServer's core: registrations, routes, expiry, closing, key-value configuration, bad input."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import pytest

from reference_impl.commands import RequestCode
from reference_impl.effects import Close, Reply
from reference_impl.frame import Command, FrameReader
from reference_impl.loose_json import loads_loose
from reference_impl.message import body_crc
from reference_impl.nameserver import NameServerCore
from reference_impl.register_body import DataVersion, Registration, TopicEntry, encode_body
from reference_impl.settings import NameServerSettings

PEER = ("127.0.0.1", 40000)


class World:
    """One NameServer, asked by hand."""

    def __init__(self, **settings: Any) -> None:
        self.core = NameServerCore(NameServerSettings(**settings))
        self.core.start(0)

    def ask(self, code: int, *, now: int = 0, conn: int = 1, body: bytes = b"", **fields: str) -> Command:
        version = int(fields.pop("version", "407"))
        (effect,) = self.core.request(now, conn, PEER, Command(code, 7, 0, fields, body, version=version))
        assert isinstance(effect, Reply)
        assert effect.conn == conn
        assert effect.command.opaque == 7
        return effect.command

    def register(
        self, name: str = "broker-a", broker_id: int = 0, *, port: int = 10911, counter: int = 1, now: int = 0,
        conn: int = 1,
        topics: tuple[str, ...] = ("T", "U"), **fields: str,
    ) -> Command:  # fmt: skip
        entries = {topic: TopicEntry(topic, 4, 4, 6) for topic in topics}
        body = fields.pop("raw", "").encode("latin-1") or encode_body(Registration(DataVersion(5, counter), entries))
        identity = {
            "brokerName": name,
            "brokerAddr": f"127.0.0.1:{port}",
            "clusterName": "C",
            "haServerAddr": f"127.0.0.1:{port + 1}",
            "brokerId": str(broker_id),
        }
        return self.ask(103, now=now, conn=conn, body=body, **(identity | fields))

    def route(self, topic: str = "T", **fields: str) -> Command:
        return self.ask(105, topic=topic, **fields)

    def addresses(self, topic: str = "T") -> dict[str, dict[str, str]]:
        body = loads_loose(self.route(topic).body) if self.route(topic).code == 0 else {"brokerDatas": []}
        return {data["brokerName"]: data["brokerAddrs"] for data in body["brokerDatas"]}


def test_a_registered_topic_has_a_route() -> None:
    world = World()
    assert world.register().code == 0
    route = world.route()
    assert json.loads(route.body) == {
        "brokerDatas": [{"brokerAddrs": {"0": "127.0.0.1:10911"}, "brokerName": "broker-a", "cluster": "C"}],
        "filterServerTable": {},
        "queueDatas": [
            {"brokerName": "broker-a", "perm": 6, "readQueueNums": 4, "topicSysFlag": 0, "writeQueueNums": 4}
        ],
    }


def test_two_nameservers_know_nothing_of_each_other() -> None:
    first, second = World(), World()
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
def test_quotes_of_a_route_depend_on_the_askers_version(fields: dict[str, str], quoted: bool) -> None:
    world = World()
    world.register()
    body = world.route(**fields).body
    assert (b'{"0":"127.0.0.1:10911"}' in body) == quoted
    assert (b'{0:"127.0.0.1:10911"}' in body) != quoted


def test_cluster_info_never_has_quoted_keys() -> None:
    world = World()
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
def test_a_topic_nobody_has_is_17(fields: dict[str, str], shown: str) -> None:
    answer = World().ask(105, **fields)
    assert answer.code == 17
    assert (answer.remark or "").startswith(f"No topic route info in name server for the topic: {shown}\nSee http")


def test_a_slave_learns_its_master_and_adds_no_topics() -> None:
    world = World()
    assert world.register(broker_id=1, port=10921, conn=2, topics=("S",)).fields == {}
    world.register()
    answer = world.register(broker_id=1, port=10921, conn=2, topics=("S",))
    assert answer.fields == {"haServerAddr": "127.0.0.1:10912", "masterAddr": "127.0.0.1:10911"}
    assert world.addresses() == {"broker-a": {"0": "127.0.0.1:10911", "1": "127.0.0.1:10921"}}
    assert world.route("S").code == 17


def test_a_master_that_becomes_slave_is_listed_once() -> None:
    world = World()
    world.register()
    world.register(broker_id=1)
    assert world.addresses() == {"broker-a": {"1": "127.0.0.1:10911"}}


def test_topics_are_read_again_only_with_a_new_version() -> None:
    world = World()
    world.register(topics=("T",))
    world.register(topics=("T", "V"))
    assert world.route("V").code == 17
    world.register(topics=("T", "V"), counter=2)
    assert world.route("V").code == 0
    world.register(topics=("T",), counter=3)
    assert world.route("V").code == 0, "4.9 never takes a live broker's topic away"


def test_a_broker_silent_beyond_the_limit_is_gone_at_the_next_scan_and_not_before() -> None:
    world = World()
    world.register(now=3000)
    scans = []
    now = 0
    while world.addresses():
        deadline = world.core.next_deadline_ms()
        assert deadline is not None
        now = deadline
        effects = world.core.tick(now)
        scans.append(now)
    assert scans[:2] == [5000, 15000]
    assert now == 125_000
    assert effects == [Close(1)]
    world.register(now=now)
    assert world.addresses()


def test_nothing_is_scanned_too_early() -> None:
    world = World(broker_expiry_ms=10)
    world.register()
    assert world.core.tick(4999) == []
    assert world.addresses()


def test_the_end_of_a_connection_is_the_end_of_its_broker() -> None:
    world = World()
    world.register(conn=1)
    world.register(broker_id=1, port=10921, conn=2)
    world.core.closed(1, 1)
    assert world.addresses() == {"broker-a": {"1": "127.0.0.1:10921"}}
    world.core.closed(2, 2)
    assert world.route().code == 17
    assert loads_loose(world.ask(106).body) == {"brokerAddrTable": {}, "clusterAddrTable": {}}


def test_an_older_connection_of_a_broker_that_came_back_ends_without_harm() -> None:
    world = World()
    world.register(conn=1)
    world.register(conn=2)
    world.core.closed(1, 1)
    assert world.addresses()


def test_unregistering_takes_a_broker_out() -> None:
    world = World()
    world.register()
    fields = {"brokerName": "broker-a", "brokerAddr": "127.0.0.1:10911", "clusterName": "C", "brokerId": "0"}
    assert world.ask(104, **fields).code == 0
    assert world.route().code == 17
    assert world.ask(104, **fields).code == 0


def test_a_version_query_keeps_a_broker_alive() -> None:
    world = World()
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


def test_write_permission_comes_and_goes() -> None:
    world = World()
    world.register()
    assert world.ask(205, brokerName="broker-a").fields == {"wipeTopicCount": "2"}
    assert json.loads(world.route().body)["queueDatas"][0]["perm"] == 4
    assert world.ask(327, brokerName="broker-a").fields == {"addTopicCount": "2"}
    assert json.loads(world.route().body)["queueDatas"][0]["perm"] == 6
    assert world.ask(205, brokerName="nobody").fields == {"wipeTopicCount": "0"}


def test_topic_lists() -> None:
    world = World()
    world.register()
    assert json.loads(world.ask(206).body) == {"topicList": ["T", "U"]}
    assert json.loads(world.ask(224, cluster="C").body) == {"topicList": ["T", "U"]}
    assert json.loads(world.ask(224, cluster="D").body) == {"topicList": []}
    assert json.loads(world.ask(304).body) == {"topicList": ["C", "broker-a"], "brokerAddr": "127.0.0.1:10911"}
    assert world.ask(216, topic="T").code == 0
    assert world.route("T").code == 17


def test_key_value_configuration() -> None:
    world = World(orderMessageEnable=True)
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


@pytest.mark.parametrize("code", [9999, 0, -5, 10])
def test_an_unknown_code_is_met_with_silence(code: int) -> None:
    assert World().core.request(0, 1, PEER, Command(code, 1)) == []


def test_a_oneway_request_is_served_and_not_answered() -> None:
    world = World()
    body = encode_body(Registration(DataVersion(1, 1), {"T": TopicEntry("T", 1, 1, 6)}))
    fields = {"brokerName": "b", "brokerAddr": "h:1", "clusterName": "C", "brokerId": "0"}
    assert world.core.request(0, 1, PEER, Command(103, 1, 2, fields, body)) == []
    assert world.addresses() == {"b": {"0": "h:1"}}


def test_what_cannot_be_read_is_1_and_changes_nothing() -> None:
    world = World()
    assert world.register(bodyCrc32="12345").remark == "crc32 not match"
    for raw in ("no json", "[]", '{"topicConfigSerializeWrapper":3}'):
        assert world.register(raw=raw).code == 1
    assert world.register(raw="\x01\x02", compressed="true").code == 1
    assert world.ask(103).code == 1
    assert world.register(brokerId="x").code == 1
    assert world.ask(205).code == 1
    assert json.loads(world.ask(206).body) == {"topicList": []}


def test_a_right_checksum_is_taken() -> None:
    body = encode_body(Registration(DataVersion(1, 1), {"T": TopicEntry("T", 1, 1, 6)}))
    assert World().register(raw=body.decode("latin-1"), bodyCrc32=str(body_crc(body))).code == 0


def _compressed(mapping: bool) -> bytes:
    parts = [b'{"counter":1,"timestamp":2}', None, b"T 4 8 6 SINGLE_TAG", b"[]"]
    data = b"".join(struct.pack(">i", 1) if part is None else struct.pack(">i", len(part)) + part for part in parts)
    return zlib.compress(data + (struct.pack(">i", 0) if mapping else b""))


@pytest.mark.parametrize("mapping", [False, True])
def test_a_compressed_registration_is_read(mapping: bool) -> None:
    world = World()
    assert world.register(raw=_compressed(mapping).decode("latin-1"), compressed="true").code == 0
    assert json.loads(world.route().body)["queueDatas"][0]["writeQueueNums"] == 8


def test_a_registration_of_before_3_0_11_is_the_bare_table() -> None:
    world = World()
    table = {"T": {"topicName": "T", "readQueueNums": 2, "writeQueueNums": 2, "perm": 6}}
    raw = json.dumps({"dataVersion": {"counter": 1, "timestamp": 1}, "topicConfigTable": table})
    assert world.register(raw=raw, version="36").code == 0
    assert world.addresses() == {"broker-a": {"0": "127.0.0.1:10911"}}


def test_recorded_registrations_are_taken_and_their_topics_routed(golden_frames: list[dict[str, Any]]) -> None:
    taken = 0
    for line in golden_frames:
        if line["expect"]["code"] != 103 or "note" not in line or line["direction"] != "request":
            continue
        (command,) = FrameReader().feed(bytes.fromhex(line["hex"]))
        world = World()
        effects = world.core.request(0, 1, PEER, command)
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


def test_emptied_it_forgets_topics_until_the_next_registration() -> None:
    world = World()
    world.register()
    world.ask(RequestCode.PUT_KV_CONFIG, namespace="n", key="k", value="v")
    world.core.empty()
    assert world.route().code == 17
    assert world.ask(101, namespace="n", key="k").code == 22
    world.register()
    assert world.route().code == 0


def test_it_calls_nobody_and_has_no_disk() -> None:
    core = World().core
    assert core.response(0, "x", None) == core.flushed(0, 1) == core.stop(0) == []
