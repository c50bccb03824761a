"""What a broker tells a NameServer about its topics (code 103), read from JSON or the compressed layout, and written.

Holds the layouts of that body alone; the tables it goes into are in ``route_table``. Source: RegisterBrokerBody.

The compressed layout is one zlib stream of::

    length 4 | data version as JSON | topic count 4 | per topic: length 4, "name readQueues writeQueues perm filterType"
    length 4 | filter servers as JSON | from sender version 413 on: mapping count 4 | per mapping: length 4, JSON
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from reference_impl.commands import VERSION_REGISTER_BODY
from reference_impl.errors import JsonError
from reference_impl.loose_json import dumps, loads_loose
from reference_impl.shapes import member_list

REGISTER_BODY_BYTES_MAX: Final = 64 * 1024 * 1024
"""An inflated body; ours, against a small frame that grows without end."""

_INT: Final = struct.Struct(">i")


class DataVersion(Struct, frozen=True):
    """Which state of a broker's topic table a registration shows; a change of any part is a new one."""

    timestamp: int = 0
    """ms of the broker's clock at the last change."""
    counter: int = 0

    def to_json(self) -> dict[str, int]:
        """The shape of bodies and files."""
        return {"timestamp": self.timestamp, "counter": self.counter}

    @classmethod
    def from_json(cls, value: object) -> DataVersion:
        """Read it; a missing one is the zero version. JsonError for another shape."""
        if value is None:
            return cls()
        if not isinstance(value, dict):
            raise JsonError(f"dataVersion is {value!r}, not an object")
        return cls(_whole(value.get("timestamp", 0)), _whole(value.get("counter", 0)))


class TopicEntry(Struct, frozen=True):
    """One topic of a registration."""

    name: str
    read_queues: int
    write_queues: int
    perm: int
    sys_flag: int = 0
    order: bool = False

    def to_json(self) -> dict[str, Any]:
        """The shape of TopicConfig."""
        return {
            "order": self.order,
            "perm": self.perm,
            "readQueueNums": self.read_queues,
            "topicFilterType": "SINGLE_TAG",
            "topicName": self.name,
            "topicSysFlag": self.sys_flag,
            "writeQueueNums": self.write_queues,
        }


class Registration(Struct, frozen=True):
    """The body of code 103."""

    version: DataVersion
    topics: Mapping[str, TopicEntry]
    filter_servers: tuple[str, ...] = ()


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise JsonError(f"{value!r} is no whole number")
    try:
        return int(value)
    except ValueError as error:
        raise JsonError(f"{value!r} is no whole number") from error


def encode_body(registration: Registration) -> bytes:
    """Write the JSON body; the broker calls it."""
    table = {name: entry.to_json() for name, entry in registration.topics.items()}
    wrapper = {"dataVersion": registration.version.to_json(), "topicConfigTable": table}
    return dumps({"filterServerList": list(registration.filter_servers), "topicConfigSerializeWrapper": wrapper})


def decode_body(body: bytes, *, version: int, compressed: bool) -> Registration:
    """Read the body of a sender of this MQVersion; JsonError when it cannot be read."""
    if compressed:
        return _inflate(body)
    if not body:
        return Registration(DataVersion(), {})
    value = loads_loose(body)
    if not isinstance(value, dict):
        raise JsonError(f"a registration is a JSON {type(value).__name__}, not an object")
    wrapper = value.get("topicConfigSerializeWrapper", {}) if version >= VERSION_REGISTER_BODY else value
    if not isinstance(wrapper, dict) or not isinstance(wrapper.get("topicConfigTable", {}), dict):
        raise JsonError("a registration has no topic table")
    topics = {name: _entry(name, config) for name, config in wrapper.get("topicConfigTable", {}).items()}
    servers = member_list(value, "filterServerList")
    return Registration(
        DataVersion.from_json(wrapper.get("dataVersion")), topics, tuple(str(server) for server in servers)
    )


def _entry(name: str, config: object) -> TopicEntry:
    if not isinstance(config, dict):
        raise JsonError(f"topic {name!r} is {config!r}, not an object")
    return TopicEntry(
        name,
        _whole(config.get("readQueueNums", 16)),
        _whole(config.get("writeQueueNums", 16)),
        _whole(config.get("perm", 6)),
        _whole(config.get("topicSysFlag", 0)),
        config.get("order") is True,
    )


def _inflate(body: bytes) -> Registration:
    try:
        data = zlib.decompressobj().decompress(body, REGISTER_BODY_BYTES_MAX)
        part, at = _part(data, 0)
        version = DataVersion.from_json(loads_loose(part))
        (count,) = _INT.unpack_from(data, at)
        at += _INT.size
        topics: dict[str, TopicEntry] = {}
        for _ in range(count):
            part, at = _part(data, at)
            name, read, write, perm, *_ = part.decode().split(" ")
            topics[name] = TopicEntry(name, _whole(read), _whole(write), _whole(perm))
        part, at = _part(data, at)
        servers = loads_loose(part)
    except (zlib.error, struct.error, ValueError) as error:
        raise JsonError(f"a compressed registration of {len(body)} B: {error}") from error
    if not isinstance(servers, list):
        raise JsonError("the filter servers of a compressed registration are no list")
    return Registration(version, topics, tuple(str(server) for server in servers))


def _part(data: bytes, at: int) -> tuple[bytes, int]:
    (length,) = _INT.unpack_from(data, at)
    at += _INT.size
    if length < 0 or at + length > len(data):
        raise JsonError(f"a part of {length} B at {at} of {len(data)} B")
    return data[at : at + length], at + length
