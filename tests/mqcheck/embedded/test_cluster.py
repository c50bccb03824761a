"""Servers and clusters as tests use them: names, routes, settings, and time that passes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from mqcheck.embedded.asking import Line
from mqcheck.embedded.cluster import RocketMQCluster, RocketMQServer
from mqcheck.errors import NodeError, SettingsError
from mqcheck.rocketmq.frame import FrameReader

pytestmark = pytest.mark.slow
Make = Callable[..., RocketMQCluster]
Send = Callable[..., Any]


def test_a_cluster_is_whole_when_it_is_there(rocketmq_cluster: Make, send: Send) -> None:
    settings = {"maxMessageSize": 1000, "namesrv.serverChannelMaxIdleTimeSeconds": 60}
    cluster = rocketmq_cluster(nameservers=2, brokers=2, slaves=1, flush="SYNC_FLUSH", settings=settings)
    assert list(cluster.nodes) == [
        *("nameserver-1", "nameserver-2"),
        *("broker-a", "broker-b", "broker-a-slave", "broker-b-slave"),
    ]
    first, second = cluster.nameserver_address.split(";")
    assert first != second
    for address in (first, second):
        with Line(address) as line:
            table = line.table(106, "brokerAddrTable")
            assert {name: set(data["brokerAddrs"]) for name, data in table.items()} == {
                "broker-a": {"0", "1"},
                "broker-b": {"0", "1"},
            }
    assert set(cluster.broker_addresses) == {"broker-a", "broker-b"}
    told = cluster.nodes["broker-b"].ready["settings"]
    assert (told["flushDiskType"], told["maxMessageSize"]) == ("SYNC_FLUSH", 1000)
    for address in cluster.broker_addresses.values():
        assert send(address, "T").code == 0
    assert [message.broker for message in cluster.messages("T")] == ["broker-a", "broker-b"]
    with pytest.raises(NodeError, match="slaves cannot be emptied"):
        cluster.empty()


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"brokers": 0}, "brokers is 0"),
        ({"slaves": "1"}, "slaves is '1'"),
        ({"nameservers": 9}, "from 1 to 8"),
        ({"flush": "SYNC"}, "SYNC_FLUSH"),
        ({"broker": 2}, "did you mean brokers"),
        ({"settings": [1]}, "mapping"),
    ],
)
def test_what_is_no_cluster(rocketmq_cluster: Make, wanted: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        rocketmq_cluster(**wanted)


def test_delays_come_due(rocketmq_server: RocketMQServer, send: Send) -> None:
    assert send(rocketmq_server.broker_address, "T", b"in two hours", DELAY=18).code == 0
    rocketmq_server.advance("1h59m")
    assert rocketmq_server.messages("T") == ()
    assert len(rocketmq_server.messages("SCHEDULE_TOPIC_XXXX")) == 1
    rocketmq_server.advance("1m")
    (message,) = rocketmq_server.messages("T")
    assert message.stored_ms - message.born_ms >= 7_200_000
    assert rocketmq_server.ahead_ms == 7_200_000


def test_transactions_are_asked_about(rocketmq_server: RocketMQServer, heartbeat: bytes) -> None:
    with Line(rocketmq_server.broker_address) as line:
        told = json.loads(heartbeat) | {"producerDataSet": [{"groupName": "P"}], "consumerDataSet": []}
        assert line.ask(34, body=json.dumps(told).encode()).code == 0
        properties = "TRAN_MSG\x01true\x02PGROUP\x01P\x02UNIQ_KEY\x01U\x02"
        born = time.time_ns() // 1_000_000
        fields = {"a": "P", "b": "T", "c": "TBW102", "d": 1, "e": 0, "f": 4, "g": born, "h": 0, "i": properties}
        assert line.ask(310, fields, b"half").code == 0
        rocketmq_server.advance("66s")
        pushed = FrameReader()
        while not (found := pushed.feed(line._socket.recv(65536))):
            pass
    assert (found[0].code, found[0].fields["msgId"]) == (39, "U")


def test_emptied_it_has_the_true_time_again(rocketmq_server: RocketMQServer, send: Send) -> None:
    rocketmq_server.advance("30d")
    rocketmq_server.empty()
    assert rocketmq_server.ahead_ms == 0
    send(rocketmq_server.broker_address, "T")
    (message,) = rocketmq_server.messages("T")
    assert abs(message.stored_ms - message.born_ms) < 3_600_000


@pytest.mark.parametrize("duration", ["soon", -5])
def test_time_only_goes_forward(rocketmq_server: RocketMQServer, duration: Any) -> None:
    with pytest.raises(SettingsError, match=repr(duration)):
        rocketmq_server.advance(duration)


def test_time_passes_for_a_whole_cluster(rocketmq_cluster: Make, send: Send) -> None:
    cluster = rocketmq_cluster(brokers=2)
    for address in cluster.broker_addresses.values():
        send(address, "T", DELAY=5)
    cluster.advance(60)
    assert len(cluster.messages("T")) == 2
    with Line(cluster.nameserver_address) as line:
        assert len(line.table(106, "brokerAddrTable")) == 2, "nobody has expired"


def test_a_node_is_named_where_there_are_several(rocketmq_cluster: Make, rocketmq_server: RocketMQServer) -> None:
    cluster = rocketmq_cluster()
    assert cluster.node(None, broker=True).name == "broker-a"
    assert cluster.node("nameserver-1").role == "namesrv"
    assert rocketmq_server.node(None).role == "all"
    for name, broker in ((None, False), ("broker-b", False), ("nameserver-1", True)):
        with pytest.raises(SettingsError, match="which node"):
            cluster.node(name, broker=broker)


def test_a_topic_that_is_made_is_in_every_route(rocketmq_cluster: Make) -> None:
    cluster = rocketmq_cluster(nameservers=2, brokers=2)
    cluster.create_topic("orders", queues=3)
    for address in cluster.nameserver_address.split(";"):
        with Line(address) as line:
            queues = line.ask(105, {"topic": "orders"}).body
        told = [(each["brokerName"], each["writeQueueNums"]) for each in json.loads(queues)["queueDatas"]]
        assert sorted(told) == [("broker-a", 3), ("broker-b", 3)]
    with pytest.raises(NodeError, match="broker-a makes no topic 'TBW102': "):
        cluster.create_topic("TBW102")
