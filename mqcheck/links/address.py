"""Addresses as texts, ``host:port`` with an IPv6 host in brackets, and those of one broker."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from mqcheck.links.ports import VIP_DISTANCE

MAIN: Final = "main"
VIP: Final = "vip"
HA: Final = "ha"
"""The ports of a broker that links lead to."""


def host_and_port(address: str) -> tuple[str, int]:
    """Both parts, as a socket wants them: no brackets. Raises ValueError for what has no port."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def joined(host: str, port: int) -> str:
    """The two as one text: an IPv6 host gets its brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def as_kernel(address: str) -> str:
    """As the kernel's table of sockets has it here: an IPv6 host without brackets, in its shortest spelling."""
    host, port = host_and_port(address)
    with suppress(ValueError):
        host = str(ipaddress.ip_address(host))
    return f"{host}:{port}"


async def resolved(address: str) -> str:
    """With the host's number instead of its name. Raises OSError for a name that nobody knows."""
    host, port = host_and_port(address)
    with suppress(ValueError):
        return joined(str(ipaddress.ip_address(host)), port)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return joined(str(found[0][4][0]), port)


def group_of(node: str) -> str:
    """The broker group of a broker node, by the kit's names for nodes."""
    return node.partition("-slave")[0]


@dataclass(frozen=True, slots=True)
class BrokerPlace:
    """Where a broker node is."""

    broker_name: str
    broker_id: int
    address: str
    ha_address: str | None
    registered: str = ""
    """What routes have for `address`, where they have a host's name."""

    def real(self, role: str) -> str | None:
        """The address of one of its ports: MAIN, VIP or HA."""
        return self.ha_address if role == HA else _port_of(self.address, role)

    def shown(self, role: str) -> str | None:
        """The same, as routes have it."""
        return self.ha_address if role == HA else _port_of(self.registered or self.address, role)


def _port_of(address: str, role: str) -> str:
    host, _, port = address.rpartition(":")
    return address if role == MAIN else f"{host}:{int(port) - VIP_DISTANCE}"


def registered_place(fields: Mapping[str, str]) -> BrokerPlace:
    """Where a broker is by the header of its registration."""
    broker_id = fields.get("brokerId", "0")
    number = int(broker_id) if broker_id.isdigit() else 0
    return BrokerPlace(fields["brokerName"], number, fields["brokerAddr"], fields.get("haServerAddr"))


def shown_names(brokers: Mapping[str, BrokerPlace]) -> dict[str, str]:
    """Names of broker groups, of broker nodes → what clients see instead, where that is something else."""
    shown = {broker.broker_name: group_of(node) for node, broker in brokers.items()}
    return {name: node for name, node in shown.items() if name != node}
