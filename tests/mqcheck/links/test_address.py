"""Addresses with names, numbers and brackets."""

from __future__ import annotations

import asyncio

import pytest

from mqcheck.links.address import (
    HA,
    MAIN,
    VIP,
    BrokerPlace,
    as_kernel,
    group_of,
    host_and_port,
    joined,
    registered_place,
    resolved,
)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("10.0.0.5:9876", "10.0.0.5", 9876), ("[fd00::5]:1", "fd00::5", 1), ("broker.example:80", "broker.example", 80)],
)
def test_both_parts_and_back(address: str, host: str, port: int) -> None:
    assert host_and_port(address) == (host, port)
    assert joined(host, port) == address


@pytest.mark.parametrize("address", ["broker.example", "broker.example:", "[::1]"])
def test_an_address_without_a_port_is_none(address: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        host_and_port(address)


@pytest.mark.parametrize(
    ("address", "seen"), [("[0:0:0:0:0:0:0:1]:7", "::1:7"), ("127.0.0.1:7", "127.0.0.1:7"), ("a.b:7", "a.b:7")]
)
def test_the_kernel_knows_no_brackets(address: str, seen: str) -> None:
    assert as_kernel(address) == seen


def test_names_become_numbers() -> None:
    assert asyncio.run(resolved("localhost:7")) in ("127.0.0.1:7", "[::1]:7")
    assert asyncio.run(resolved("[::1]:7")) == "[::1]:7"
    with pytest.raises(OSError, match=r".+"):
        asyncio.run(resolved("nobody.invalid:7"))


def test_slaves_belong_to_their_master() -> None:
    assert [group_of(node) for node in ("broker-a", "broker-a-slave", "broker-a-slave2")] == ["broker-a"] * 3


def test_a_broker_is_reached_by_number_and_shown_by_what_it_has_registered() -> None:
    place = BrokerPlace("b", 0, "10.0.0.5:10911", "10.0.0.5:10912", "rocket.example:10911")
    assert [place.real(role) for role in (MAIN, VIP, HA)] == ["10.0.0.5:10911", "10.0.0.5:10909", "10.0.0.5:10912"]
    assert [place.shown(role) for role in (MAIN, VIP)] == ["rocket.example:10911", "rocket.example:10909"]
    assert BrokerPlace("b", 0, "10.0.0.5:10911", None).shown(MAIN) == "10.0.0.5:10911"


def test_a_registration_says_where_a_broker_is() -> None:
    fields = {"brokerName": "b", "brokerAddr": "10.0.0.5:10911", "brokerId": "2", "haServerAddr": "10.0.0.5:10912"}
    assert registered_place(fields) == BrokerPlace("b", 2, "10.0.0.5:10911", "10.0.0.5:10912")
    bare = {"brokerName": "b", "brokerAddr": "10.0.0.5:10911", "brokerId": "x"}
    assert registered_place(bare) == BrokerPlace("b", 0, "10.0.0.5:10911", None)
