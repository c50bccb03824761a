"""Addresses inside remoting frames: found and replaced, every other byte left as it came. Pure.

A route names a broker by one address for everybody; each peer must see its own proxy there. The text is replaced where
it stands: nothing is decoded and encoded again, so loose JSON, unknown fields and key order survive.
Which address replaces which is `topology`'s business.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from typing import Final

from mqcheck.errors import FrameError
from mqcheck.rocketmq.codes import FRAME_BYTES_MAX

JSON_HEADER: Final = 0
BINARY_HEADER: Final = 1

_QUOTED_ADDRESS: Final = re.compile(rb'"([^"\\\x00-\x20]{1,255}:\d{1,5})"')
_BROKER_NAME: Final = re.compile(rb'("brokerName"\s*:\s*)("(?:[^"\\]|\\.)*")')
_WORD: Final = struct.Struct(">I")
_REMARK_AT: Final = 13
"""Binary header: code 2, language 1, version 2, opaque 4, flag 4 stand before the remark's length."""


class FrameCutter:
    """Cuts a byte stream into whole frames, lengths included; after the first bad length it only passes bytes on."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.broken = False
        """True once the stream cannot be cut any more."""

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes, get the whole frames there are; what is left once `broken` is to be taken with `rest`."""
        self._buffer += data
        frames: list[bytes] = []
        at = 0
        while not self.broken and len(self._buffer) - at >= 4:
            length = int.from_bytes(self._buffer[at : at + 4], "big", signed=True)
            if not 4 <= length <= FRAME_BYTES_MAX - 4:
                self.broken = True
                break
            if len(self._buffer) - at - 4 < length:
                break
            frames.append(bytes(self._buffer[at : at + 4 + length]))
            at += 4 + length
        del self._buffer[:at]
        return frames

    def rest(self) -> bytes:
        """What is there and no whole frame, taken out: the stream has ended, or is broken."""
        left = bytes(self._buffer)
        self._buffer.clear()
        return left


def addresses(frame: bytes, *, body: bool) -> frozenset[str]:
    """Every ``host:port`` that stands as a whole text in the header (and the body). Raises FrameError."""
    kind, header, content = _split(frame)
    if kind == BINARY_HEADER:
        found = {value for _, value in _binary_fields(header)[1] if _looks_like_address(value)}
    else:
        found = set(_QUOTED_ADDRESS.findall(header))
    if body:
        found |= set(_QUOTED_ADDRESS.findall(content))
    return frozenset(address.decode("utf-8", "replace") for address in found)


def rewrite(frame: bytes, replacements: Mapping[str, str], *, body: bool) -> bytes:
    """The frame with each address replaced, lengths put right; the very same object when there is nothing to replace.

    Raises FrameError for a frame whose parts do not fit into it.
    """
    if not replacements:
        return frame
    kind, header, content = _split(frame)
    wanted = {old.encode(): new.encode() for old, new in replacements.items()}
    changed = _rewrite_binary(header, wanted) if kind == BINARY_HEADER else _rewrite_text(header, wanted)
    changed_body = _rewrite_text(content, wanted) if body else content
    if changed == header and changed_body == content:
        return frame
    size = 4 + len(changed) + len(changed_body)
    return b"".join((_WORD.pack(size), _WORD.pack(kind << 24 | len(changed)), changed, changed_body))


def rename(frame: bytes, names: Mapping[str, str]) -> bytes:
    """The frame with brokers called otherwise in its body: each value of a key ``brokerName`` that stands in `names`.

    The very same object when there is nothing to rename. Raises FrameError as `rewrite` does.
    """
    kind, header, content = _split(frame)
    wanted = {json.dumps(old).encode(): json.dumps(new).encode() for old, new in names.items()}
    changed = _BROKER_NAME.sub(lambda match: match[1] + wanted.get(match[2], match[2]), content)
    if changed == content:
        return frame
    size = 4 + len(header) + len(changed)
    return b"".join((_WORD.pack(size), _WORD.pack(kind << 24 | len(header)), header, changed))


def _split(frame: bytes) -> tuple[int, bytes, bytes]:
    if len(frame) < 8:
        raise FrameError(f"a frame of {len(frame)} bytes has no header length: 8 bytes stand before the header")
    word = int.from_bytes(frame[4:8], "big")
    kind, size = word >> 24, word & 0xFFFFFF
    if kind not in (JSON_HEADER, BINARY_HEADER):
        raise FrameError(f"serialize type {kind} is neither 0 (JSON) nor 1 (binary)")
    if size > len(frame) - 8:
        raise FrameError(f"header length {size} is beyond the frame's {len(frame)} bytes")
    return kind, frame[8 : 8 + size], frame[8 + size :]


def _rewrite_text(text: bytes, wanted: Mapping[bytes, bytes]) -> bytes:
    def replace(match: re.Match[bytes]) -> bytes:
        new = wanted.get(match[1])
        return match[0] if new is None else b'"' + new + b'"'

    return _QUOTED_ADDRESS.sub(replace, text)


def _rewrite_binary(header: bytes, wanted: Mapping[bytes, bytes]) -> bytes:
    at, pairs = _binary_fields(header)
    if not any(value in wanted for _, value in pairs):
        return header
    parts = []
    for key, value in pairs:
        new = wanted.get(value, value)
        parts += [struct.pack(">H", len(key)), key, _WORD.pack(len(new)), new]
    fields = b"".join(parts)
    return header[:at] + _WORD.pack(len(fields)) + fields


def _binary_fields(header: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Where the fields' total length stands, and the fields in order."""
    at = _REMARK_AT
    at += 4 + _length(header, at, 4)
    end = at + 4 + _length(header, at, 4)
    if end != len(header):
        raise FrameError(f"binary header of {len(header)} bytes: its fields end at {end}")
    fields_at, at = at, at + 4
    pairs = []
    while at < end:
        key_size = _length(header, at, 2)
        key, at = header[at + 2 : at + 2 + key_size], at + 2 + key_size
        value_size = _length(header, at, 4)
        value, at = header[at + 4 : at + 4 + value_size], at + 4 + value_size
        pairs.append((key, value))
    if at != end:
        raise FrameError(f"binary header: its last field ends at {at}, the fields at {end}")
    return fields_at, pairs


def _length(header: bytes, at: int, width: int) -> int:
    if at + width > len(header):
        raise FrameError(f"binary header of {len(header)} bytes ends before a length at {at}")
    value = int.from_bytes(header[at : at + width], "big")
    if at + width + value > len(header):
        raise FrameError(f"binary header: length {value} at {at} is beyond its {len(header)} bytes")
    return value


def _looks_like_address(value: bytes) -> bool:
    return _QUOTED_ADDRESS.fullmatch(b'"' + value + b'"') is not None
