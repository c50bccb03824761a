"""The index: where the messages with a key are. Kept in memory, 12 bytes per key, rebuilt from the log at start.

A message is known by each word of its KEYS and by its UNIQ_KEY, together with its topic. Two keys may share a hash:
whoever asks looks at the record. RocketMQ keeps index files of its own for this and dispatches to them later; here a
message can be found as soon as it is stored. Clauses: sto-query-key. Source: rocketmq IndexService, IndexFile.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct, field

from reference_impl.commands import PROPERTY_KEYS, PROPERTY_UNIQ_KEY

_KEYS: Final = f"{PROPERTY_KEYS}\x01".encode()
_UNIQ_KEY: Final = f"{PROPERTY_UNIQ_KEY}\x01".encode()
_END: Final = b"\x02"


def key_hash(topic: bytes, key: bytes) -> int:
    """The hash under which a key of a topic is entered, 32 bits."""
    return zlib.crc32(key, zlib.crc32(topic))


def hashes_of(topic: str, properties: Mapping[str, str]) -> list[int]:
    """The hashes of a message that is about to be stored."""
    name = topic.encode("utf-8", "replace")
    unique = properties.get(PROPERTY_UNIQ_KEY)
    found = [key_hash(name, unique.encode("utf-8", "replace"))] if unique else []
    keys = properties.get(PROPERTY_KEYS)
    if keys:
        found += [key_hash(name, key.encode("utf-8", "replace")) for key in keys.split()]
    return found


def stored_hashes_of(topic: bytes, properties: bytes) -> list[int]:
    """The hashes of a stored record, from its topic and its properties as they stand in it."""
    unique = _value(properties, _UNIQ_KEY)
    found = [key_hash(topic, unique)] if unique else []
    keys = _value(properties, _KEYS)
    if keys:
        found += [key_hash(topic, key.encode("utf-8", "replace")) for key in keys.decode("utf-8", "replace").split()]
    return found


def _value(properties: bytes, name: bytes) -> bytes:
    if properties.startswith(name):
        at = len(name)
    else:
        at = properties.find(_END + name)
        if at < 0:
            return b""
        at += 1 + len(name)
    end = properties.find(_END, at)
    return properties[at:] if end < 0 else properties[at:end]


class KeyIndex(Struct):
    """Hash and position of each key, in the order of the log."""

    hashes: array[int] = field(default_factory=lambda: array("I"))
    positions: array[int] = field(default_factory=lambda: array("q"))
    """Position in the commit log of the record with the key, bytes."""

    def add(self, hashes: Iterable[int], position: int) -> None:
        """Enter the keys of the record at ``position``; positions must not fall."""
        for one in hashes:
            self.hashes.append(one)
            self.positions.append(position)

    def find(self, topic: str, key: str) -> Iterator[int]:
        """Positions of records that may have the key, the latest first."""
        wanted = array("I", [key_hash(topic.encode("utf-8", "replace"), key.encode("utf-8", "replace"))]).tobytes()
        size = self.hashes.itemsize
        data = self.hashes.tobytes()
        at = data.rfind(wanted)
        while at >= 0:
            if at % size == 0:
                yield self.positions[at // size]
            at = data.rfind(wanted, 0, at + len(wanted) - 1)

    def forget_before(self, position: int) -> None:
        """Forget records that are gone from the log."""
        gone = bisect_left(self.positions, position)
        del self.hashes[:gone], self.positions[:gone]

    def clear(self) -> None:
        """Forget everything."""
        del self.hashes[:], self.positions[:]
