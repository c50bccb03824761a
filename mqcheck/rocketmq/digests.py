"""Digests by which the history compares messages (``history.md`` §1). Pure.

Each is the first 8 bytes of BLAKE2b as a signed integer. The sender and every reader use the same functions, so that a
change anywhere between them shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from mqcheck.rocketmq.codes import RESERVED_PROPERTIES


def digest(data: bytes) -> int:
    """BLAKE2b of ``data``, 64 bits, signed: of a body, or of a whole stored record."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big", signed=True)


def user_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """What belongs to the user: no reserved names, no values RocketMQ's encoding loses."""
    return {
        name: value
        for name, value in properties.items()
        if name not in RESERVED_PROPERTIES and value and not any(mark in name + value for mark in "\x01\x02")
    }


def noted(properties: Mapping[str, str]) -> str | None:
    """User properties as the history keeps them, for expressions that read them: a JSON object; None when empty."""
    return msgspec.json.encode(properties, order="sorted").decode() if properties else None


def props_digest(properties: Mapping[str, str], tag: str | None, keys: str | None, flag: int) -> int:
    """Digest of the sorted user properties, tag, keys (joined by a space, as on the wire) and flag."""
    parts: list[str] = []
    for name, value in sorted(user_properties(properties).items()):
        parts += (name, value)
    parts += (tag or "", keys or "", str(flag))
    return digest(b"".join(_framed(parts)))


def _framed(parts: Iterable[str]) -> Iterable[bytes]:
    for part in parts:
        data = part.encode()
        yield len(data).to_bytes(4, "big")
        yield data
