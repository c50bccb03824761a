"""What a running cluster says of itself: its NameServers, brokers, their addresses and properties, by protocol alone.

What a broker does not say is taken from the description of Apache RocketMQ of its generation: mqcheck judges by these
numbers. Nothing here changes the cluster.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mqcheck.errors import SettingsError
from mqcheck.links.address import host_and_port, joined, resolved
from mqcheck.rocketmq.codes import RequestCode
from mqcheck.rocketmq.frame import loads_loose
from mqcheck.targets.base import Role
from mqcheck.targets.description import RoleDescription, read_description
from mqcheck.targets.ready import ask

GET_BROKER_CONFIG: Final = 26
GET_BROKER_RUNTIME_INFO: Final = 28
GET_NAMESRV_CONFIG: Final = 319

ASK_SECONDS_MAX: Final = 5.0
"""How long one answer may take; ours."""

NEWEST: Final = "5"
"""Whose numbers hold in a broker that does not say which RocketMQ it is like."""

FILES: Final = Path(__file__).parent / "apache_files"


@dataclass(frozen=True, slots=True)
class Found:
    """One NameServer or broker of the cluster."""

    address: str
    """As clients reach it; of a broker, what it has registered."""
    settings: Mapping[str, str]
    """What holds in it, by mqcheck's names."""
    broker: str | None = None
    """Its own brokerName; None for a NameServer."""
    broker_id: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """A cluster as it is at one moment."""

    nameservers: tuple[Found, ...]
    masters: tuple[Found, ...]
    """By brokerName."""
    slaves: tuple[Found, ...]
    version: str
    """Of the first master, in its own words."""


def addresses_of(text: str) -> tuple[str, ...]:
    """``host:port;host:port`` taken apart, IPv6 hosts in brackets. Raises SettingsError."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        host, port = part.rpartition(":")[0], part.rpartition(":")[2]
        bare = host.startswith("[") == host.endswith("]") and (":" not in host or host.startswith("["))
        if not host or not bare or not port.isdigit() or not 0 < int(port) < 65_536:
            raise SettingsError(
                f"{part!r} is no NameServer's address: write external:HOST:PORT, several as HOST:PORT;HOST:PORT, an "
                f"IPv6 host in brackets, such as external:10.0.0.5:9876;[fd00::5]:9876"
            )
        found.append(joined(*host_and_port(part)))
    if not found:
        raise SettingsError("external: names no NameServer: write external:HOST:PORT, such as external:10.0.0.5:9876")
    return tuple(found)


async def survey(nameservers: Sequence[str]) -> Survey:
    """Ask every NameServer which brokers there are, and every broker for its properties. Raises SettingsError."""
    places = [await _place(address) for address in nameservers]
    brokers: dict[tuple[str, int], str] = {}
    for told, address in zip(nameservers, places, strict=True):
        for key, place in (await _listed(told, address)).items():
            brokers.setdefault(key, place)
    masters = [await _broker(name, number, place) for (name, number), place in sorted(brokers.items()) if number == 0]
    if not masters:
        raise SettingsError(
            f"no master is registered at {';'.join(nameservers)}: start the brokers, with this namesrvAddr, first"
        )
    settings, version = masters[0][0].settings, masters[0][1]
    described = _generation(version)[0]
    slaves = [Found(place, settings, name, number) for (name, number), place in sorted(brokers.items()) if number]
    return Survey(
        nameservers=tuple([Found(address, await _nameserver(address, described)) for address in places]),
        masters=tuple(found for found, _ in masters),
        slaves=tuple(slaves),
        version=version,
    )


async def _place(address: str) -> str:
    try:
        return await resolved(address)
    except OSError as error:
        raise SettingsError(f"the NameServer {address} cannot be found: {error.strerror or error}") from error


async def _listed(told: str, address: str) -> dict[tuple[str, int], str]:
    """What one NameServer has: brokerName and brokerId → address."""
    answer = await ask(address, RequestCode.GET_BROKER_CLUSTER_INFO, ASK_SECONDS_MAX)
    if answer is None or answer.code != 0:
        said = "does not answer" if answer is None else f"answers {answer.code}"
        raise SettingsError(f"the NameServer {told} {said} when asked for its cluster: is it running, and is it one?")
    try:
        read: Any = loads_loose(answer.body)
        table = {str(data["brokerName"]): data["brokerAddrs"] for data in read["brokerAddrTable"].values()}
        return {(name, int(number)): str(place) for name, addrs in table.items() for number, place in addrs.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"the NameServer {told} says something else than a cluster: {answer.body[:80]!r}"
        ) from error


async def _broker(name: str, number: int, address: str) -> tuple[Found, str]:
    """One broker with its properties, and its version."""
    try:
        place = await resolved(address)
    except OSError as error:
        raise SettingsError(
            f"the broker {name} is registered at {address}, which this host cannot find: set its brokerIP1"
        ) from error
    answer = await ask(place, GET_BROKER_CONFIG, ASK_SECONDS_MAX)
    if answer is None or answer.code != 0:
        said = "does not answer" if answer is None else f"answers {answer.code}"
        raise SettingsError(
            f"the broker {name} at {address} {said} when asked for its properties (request 26): it must be reached "
            f"from here at the address it has registered (brokerIP1)"
        )
    properties = parsed(answer.body)
    version = properties.get("reference.version") or await _version(place)
    return Found(address, heard(_generation(version)[1], properties), name, number), version


async def _version(place: str) -> str:
    answer = await ask(place, GET_BROKER_RUNTIME_INFO, ASK_SECONDS_MAX)
    found = None if answer is None else re.search(rb'"brokerVersionDesc"\s*:\s*"([^"]+)"', answer.body)
    return "unknown" if found is None else found[1].decode("utf-8", "replace").removeprefix("V").replace("_", ".")


async def _nameserver(address: str, described: RoleDescription) -> dict[str, str]:
    answer = await ask(address, GET_NAMESRV_CONFIG, ASK_SECONDS_MAX)
    return heard(described, {} if answer is None or answer.code != 0 else parsed(answer.body))


def parsed(body: bytes) -> dict[str, str]:
    """Properties text."""
    lines = (line.partition("=") for line in body.decode("utf-8", "replace").splitlines())
    return {key.strip(): value.strip() for key, equals, value in lines if equals}


def heard(described: RoleDescription, said: Mapping[str, str]) -> dict[str, str]:
    """What holds, by mqcheck's names, in a node that says this of itself. Raises SettingsError.

    The reference names the settings as mqcheck does; of anything else RocketMQ's own names are read.
    """
    found = described.effective({})
    own = {key: value for key, value in said.items() if key in found or key.startswith("reference.")}
    if any(key.startswith("reference.") for key in said):
        return {**found, **own}
    body = "\n".join(f"{key}={value}" for key, value in said.items())
    fixed: Mapping[str, str] = {key: said[key] for key in described.fixed if key in said}
    return {**found, **described.heard(described.settings, body), **fixed}


def _generation(version: str) -> tuple[RoleDescription, RoleDescription]:
    """How NameServer and broker of this version are described."""
    path = FILES / f"apache-{version.partition('.')[0]}.toml"
    path = path if path.is_file() else FILES / f"apache-{NEWEST}.toml"
    described = read_description(path, {"java": "", "classpath": ""})
    return described.nameserver, described.broker


def role_settings(found: Survey, role: Role) -> Mapping[str, str]:
    """What holds in every node of a role: where they differ, the slower number."""
    nodes = found.nameservers if role == "nameserver" else found.masters
    merged = dict(nodes[0].settings)
    for node in nodes[1:]:
        for key, value in node.settings.items():
            if value.isdigit() and merged.get(key, "0").isdigit():
                merged[key] = str(max(int(value), int(merged.get(key, "0"))))
    return merged


def survey_now(nameservers: Sequence[str]) -> Survey:
    """`survey` for callers without an event loop; not to be called inside one."""
    return asyncio.run(survey(nameservers))
