"""The NameServer's core: dispatch, the scan, closed connections, bad input."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_impl.commands import RequestCode
from reference_impl.effects import Close
from reference_impl.frame import Command
from reference_impl.loose_json import loads_loose
from reference_impl.register_body import DataVersion, Registration, TopicEntry, encode_body

PEER = ("127.0.0.1", 40000)


def test_a_broker_silent_beyond_the_limit_is_gone_at_the_next_scan_and_not_before(nameserver: Any) -> None:
    world = nameserver()
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


def test_nothing_is_scanned_too_early(nameserver: Any) -> None:
    world = nameserver(broker_expiry_ms=10)
    world.register()
    assert world.core.tick(4999) == []
    assert world.addresses()


def test_the_end_of_a_connection_is_the_end_of_its_broker(nameserver: Any) -> None:
    world = nameserver()
    world.register(conn=1)
    world.register(broker_id=1, port=10921, conn=2)
    world.core.closed(1, 1)
    assert world.addresses() == {"broker-a": {"1": "127.0.0.1:10921"}}
    world.core.closed(2, 2)
    assert world.route().code == 17
    assert loads_loose(world.ask(106).body) == {"brokerAddrTable": {}, "clusterAddrTable": {}}


@pytest.mark.parametrize("code", [9999, 0, -5, 10])
def test_an_unknown_code_is_met_with_silence(nameserver: Any, code: int) -> None:
    assert nameserver().core.request(0, 1, PEER, Command(code, 1)) == []


def test_a_oneway_request_is_served_and_not_answered(nameserver: Any) -> None:
    world = nameserver()
    body = encode_body(Registration(DataVersion(1, 1), {"T": TopicEntry("T", 1, 1, 6)}))
    fields = {"brokerName": "b", "brokerAddr": "h:1", "clusterName": "C", "brokerId": "0"}
    assert world.core.request(0, 1, PEER, Command(103, 1, 2, fields, body)) == []
    assert world.addresses() == {"b": {"0": "h:1"}}


def test_what_cannot_be_read_is_1_and_changes_nothing(nameserver: Any) -> None:
    world = nameserver()
    assert world.register(bodyCrc32="12345").remark == "crc32 not match"
    for raw in ("no json", "[]", '{"topicConfigSerializeWrapper":3}'):
        assert world.register(raw=raw).code == 1
    assert world.register(raw="\x01\x02", compressed="true").code == 1
    assert world.ask(103).code == 1
    assert world.register(brokerId="x").code == 1
    assert world.ask(205).code == 1
    assert json.loads(world.ask(206).body) == {"topicList": []}


def test_emptied_it_forgets_topics_until_the_next_registration(nameserver: Any) -> None:
    world = nameserver()
    world.register()
    world.ask(RequestCode.PUT_KV_CONFIG, namespace="n", key="k", value="v")
    world.core.empty()
    assert world.route().code == 17
    assert world.ask(101, namespace="n", key="k").code == 22
    world.register()
    assert world.route().code == 0


def test_it_calls_nobody_and_has_no_disk(nameserver: Any) -> None:
    core = nameserver().core
    assert core.response(0, "x", None) == core.flushed(0, 1) == core.stop(0) == []


@pytest.mark.parametrize("expire", [False, True])
def test_a_clock_that_is_moved_expires_brokers_only_where_that_is_wanted(nameserver: Any, expire: bool) -> None:
    world, hour_ms = nameserver(), 3_600_000
    world.register()
    world.core.clock_moved(hour_ms, expire=expire)
    world.core.tick(hour_ms)
    assert bool(world.addresses()) != expire
    world.register(now=hour_ms)
    world.core.clock_moved(-hour_ms, expire=expire)
    assert world.core.next_deadline_ms() < 120_000
