"""Faults of links, through real Toxiproxy: what passes is hurt, and nothing without a link is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from mqcheck.embedded import links
from mqcheck.embedded.asking import Line
from mqcheck.embedded.cluster import RocketMQCluster, RocketMQServer
from mqcheck.errors import FaultError, LinkError, MissingToolError, NodeError
from mqcheck.fixtures import Faults

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def broker_behind(nameserver: str) -> str:
    """Where a client that asks there is sent."""
    with Line(nameserver) as line:
        (data,) = line.table(106, "brokerAddrTable").values()
    address = data["brokerAddrs"]["0"]
    assert isinstance(address, str)
    return address


def test_routes_lead_through_links_of_ones_own(rocketmq_server: RocketMQServer, rocketmq_faults: Faults) -> None:
    linked, other = rocketmq_faults.linked_address(), rocketmq_faults.linked_address("consumer")
    assert linked == rocketmq_faults.linked_address()
    assert len({linked, other, rocketmq_server.nameserver_address}) == 3
    assert broker_behind(rocketmq_server.nameserver_address) == rocketmq_server.broker_address
    assert len({broker_behind(linked), broker_behind(other), rocketmq_server.broker_address}) == 3


def test_latency_is_felt_by_who_goes_through(rocketmq_faults: Faults) -> None:
    linked, other = rocketmq_faults.linked_address(), rocketmq_faults.linked_address("consumer")
    with Line(linked) as slow, Line(other) as quick, rocketmq_faults.latency(150, link="application->*") as fault:
        began = time.monotonic()
        slow.ask(106)
        assert time.monotonic() - began >= 0.3
        quick.ask(106)
    assert fault.effect["bytes_delayed"] > 0


def test_a_partition_holds_and_heals(rocketmq_faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = broker_behind(rocketmq_faults.linked_address())
    monkeypatch.setattr("mqcheck.embedded.asking.ASK_SECONDS_MAX", 0.3)
    with rocketmq_faults.partition() as fault, Line(broker) as line, pytest.raises(NodeError, match="timed out"):
        line.ask(30, {"topic": "T", "queueId": 0})
    assert fault.effect["bytes_held"] > 0


@pytest.mark.parametrize("how", ["down", "reset"])
def test_connections_end(rocketmq_faults: Faults, how: str) -> None:
    broker = broker_behind(rocketmq_faults.linked_address())
    with Line(broker) as line:
        line.ask(30, {"topic": "T", "queueId": 0})
        with getattr(rocketmq_faults, how)(), pytest.raises(NodeError):
            line.ask(30, {"topic": "T", "queueId": 0})
    with Line(broker) as line:
        line.ask(30, {"topic": "T", "queueId": 0})


def test_a_crowded_line_is_slow(rocketmq_faults: Faults, send: Callable[..., Any]) -> None:
    broker = broker_behind(rocketmq_faults.linked_address())
    with rocketmq_faults.bandwidth(50) as fault:
        assert send(broker, "T", b"x" * 10_000).code == 0
    assert fault.effect["bytes_slowed"] > 10_000


def test_without_a_link_nothing_is_hurt_and_that_is_told(
    rocketmq_cluster: Callable[..., RocketMQCluster], rocketmq_faults: Faults
) -> None:
    faults = rocketmq_faults.on(rocketmq_cluster())
    with pytest.raises(LinkError, match="linked_address"):
        faults.latency(5)
    faults.linked_address()
    with pytest.raises(FaultError, match="did nothing"), faults.latency(5):
        pass


def test_a_cluster_has_links_to_each_broker(
    rocketmq_cluster: Callable[..., RocketMQCluster], rocketmq_faults: Faults
) -> None:
    cluster = rocketmq_cluster(nameservers=2, brokers=2)
    faults = rocketmq_faults.on(cluster)
    addresses = faults.linked_address().split(";")
    assert len(addresses) == 2
    for address in addresses:
        with Line(address) as line:
            table = line.table(106, "brokerAddrTable")
        found = {name: data["brokerAddrs"]["0"] for name, data in table.items()}
        assert set(found) == {"broker-a", "broker-b"}
        assert not set(found.values()) & set(cluster.broker_addresses.values())
    with Line(found["broker-a"]) as line, faults.down(link="application->broker-a"):
        with pytest.raises(NodeError):
            line.ask(30, {"topic": "T", "queueId": 0})
        with Line(found["broker-b"]) as other:
            assert other.ask(30, {"topic": "T", "queueId": 0}).code == 0


def test_links_lead_to_a_server_that_comes_back(rocketmq_faults: Faults) -> None:
    broker = broker_behind(rocketmq_faults.linked_address())
    rocketmq_faults.restart()
    with Line(broker) as line:
        assert line.ask(30, {"topic": "T", "queueId": 0}).code == 0


def test_without_the_kit_the_way_out_is_told(
    rocketmq_cluster: Callable[..., RocketMQCluster], rocketmq_faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"mqcheck\[kit\]"):
        rocketmq_faults.on(rocketmq_cluster(settings={"maxMessageSize": 700})).linked_address()
