"""Stored records, properties, batches and message ids: bytes to values and back. Pure: no sockets, no clock.

A stored record, as PULL returns them back to back (big-endian; MessageDecoder, MessageExtEncoder)::

    total size           4      reconsume times          4
    magic                4      prepared offset          8   (of the half message)
    body crc             4      body length              4
    queue id             4      body                     n
    flag                 4      topic length             1   (2 with the second magic)
    queue offset         8      topic                    n
    physical offset      8      properties length        2
    sys flag             4      properties               n
    born time            8
    born host            8 | 20 (IPv6 by sys flag 0x10), port in the last 4
    store time           8
    store host           8 | 20 (IPv6 by sys flag 0x20)

A member of a batch body::

    total size 4 · magic 4 (0) · crc 4 (0) · flag 4 · body length 4 · body · properties length 2 · properties
"""

from __future__ import annotations

import ipaddress
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mqcheck.errors import FrameError
from mqcheck.rocketmq.codes import (
    COMPRESSION_UNNAMED,
    COMPRESSION_ZLIB,
    PROPERTIES_BYTES_MAX,
    SYSFLAG_BORN_HOST_V6,
    SYSFLAG_COMPRESSED,
    SYSFLAG_COMPRESSION_MASK,
    SYSFLAG_STORE_HOST_V6,
)

MAGIC_V1: Final = 0xDAA320A7
"""Records with a one-byte topic length."""
MAGIC_V2: Final = 0xDAA320AB
"""Records with a two-byte topic length (5.x, long topics)."""

INFLATED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Largest body a compressed record may unfold to; ours, 16 times the largest plain body."""

_HEAD: Final = struct.Struct(">IIIIIqqIq")
_TAIL: Final = struct.Struct(">iqI")
_LONG: Final = struct.Struct(">q")
_PORT: Final = struct.Struct(">I")
_BATCH_HEAD: Final = struct.Struct(">IIIII")
_SHORT: Final = struct.Struct(">H")

_NAME_VALUE: Final = "\x01"
_PROPERTY: Final = "\x02"

Host = tuple[str, int]
"""An IP address and a port."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as a broker stores it and PULL returns it."""

    topic: str
    queue_id: int
    queue_offset: int
    physical_offset: int
    """Bytes from the start of the commit log."""
    body: bytes
    """As stored: compressed when the sys flag says so; ``content`` unfolds it."""
    properties: Mapping[str, str]
    raw_properties: bytes
    """The property text as stored, order and separators kept."""
    flag: int
    """The user's own number."""
    sys_flag: int
    born_time_ms: int
    """Producer's clock."""
    born_host: Host
    store_time_ms: int
    """Broker's clock."""
    store_host: Host
    body_crc: int
    reconsume_times: int
    prepared_offset: int
    magic: int = MAGIC_V1

    @property
    def crc_ok(self) -> bool:
        """True when the stored CRC is the body's (guarantee dur-crc-valid)."""
        return self.body_crc == body_crc(self.body)


def body_crc(body: bytes) -> int:
    """CRC-32 of a stored body, without the sign bit (UtilAll.crc32)."""
    return zlib.crc32(body) & 0x7FFFFFFF


def content(record: StoredRecord) -> bytes:
    """The body as the producer gave it. Raises FrameError for a compression the kit does not know."""
    if not record.sys_flag & SYSFLAG_COMPRESSED:
        return record.body
    kind = record.sys_flag & SYSFLAG_COMPRESSION_MASK
    if kind not in (COMPRESSION_ZLIB, COMPRESSION_UNNAMED):
        raise FrameError(f"compression type {kind:#x} is not zlib ({COMPRESSION_ZLIB:#x}): the kit reads no other")
    unfold = zlib.decompressobj()
    try:
        body = unfold.decompress(record.body, INFLATED_BYTES_MAX)
    except zlib.error as error:
        raise FrameError(f"compressed body of {len(record.body)} bytes does not unfold: {error}") from error
    if not unfold.eof:
        raise FrameError(f"compressed body is cut short or unfolds beyond {INFLATED_BYTES_MAX} bytes")
    return body


def encode_properties(properties: Mapping[str, str]) -> bytes:
    """Property text without a trailing separator, as the official client writes it."""
    return _PROPERTY.join(f"{name}{_NAME_VALUE}{value}" for name, value in properties.items()).encode()


def decode_properties(raw: bytes) -> dict[str, str]:
    """Pairs with exactly one separator and a value; the others vanish, as in MessageDecoder. Raises FrameError."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise FrameError(f"properties are not UTF-8: {error}: {raw[:80]!r}") from error
    pairs = (item.split(_NAME_VALUE) for item in text.split(_PROPERTY))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[1]}


def encode_record(record: StoredRecord) -> bytes:
    """The record's bytes; property text as in ``raw_properties``. Raises FrameError when a part is too long."""
    topic = record.topic.encode()
    if len(topic) > (127 if record.magic == MAGIC_V1 else PROPERTIES_BYTES_MAX):
        raise FrameError(f"topic of {len(topic)} bytes does not fit magic {record.magic:#x}")
    if len(record.raw_properties) > PROPERTIES_BYTES_MAX:
        raise FrameError(f"properties of {len(record.raw_properties)} bytes are longer than {PROPERTIES_BYTES_MAX}")
    born = _pack_host(record.born_host, bool(record.sys_flag & SYSFLAG_BORN_HOST_V6))
    store = _pack_host(record.store_host, bool(record.sys_flag & SYSFLAG_STORE_HOST_V6))
    topic_length = bytes([len(topic)]) if record.magic == MAGIC_V1 else _SHORT.pack(len(topic))
    tail = (
        born,
        _LONG.pack(record.store_time_ms),
        store,
        _TAIL.pack(record.reconsume_times, record.prepared_offset, len(record.body)),
        record.body,
        topic_length,
        topic,
        _SHORT.pack(len(record.raw_properties)),
        record.raw_properties,
    )
    size = _HEAD.size + sum(map(len, tail))
    head = _HEAD.pack(
        size,
        record.magic,
        record.body_crc,
        record.queue_id,
        record.flag & 0xFFFFFFFF,
        record.queue_offset,
        record.physical_offset,
        record.sys_flag,
        record.born_time_ms,
    )
    return b"".join((head, *tail))


def decode_record(data: bytes) -> StoredRecord:
    """One record, exactly as long as ``data``. Raises FrameError."""
    try:
        return _decode_record(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise FrameError(f"record of {len(data)} bytes is cut short or damaged: {error}: {data[:40].hex()}") from error


def _decode_record(data: bytes) -> StoredRecord:
    size, magic, crc, queue, flag, queue_offset, physical, sys_flag, born_time = _HEAD.unpack_from(data)
    if size != len(data):
        raise FrameError(f"record says {size} bytes and has {len(data)}")
    if magic not in (MAGIC_V1, MAGIC_V2):
        raise FrameError(f"record magic {magic:#x} is neither {MAGIC_V1:#x} nor {MAGIC_V2:#x}")
    born_host, at = _unpack_host(data, _HEAD.size, bool(sys_flag & SYSFLAG_BORN_HOST_V6))
    (store_time,) = _LONG.unpack_from(data, at)
    store_host, at = _unpack_host(data, at + 8, bool(sys_flag & SYSFLAG_STORE_HOST_V6))
    reconsume, prepared, body_size = _TAIL.unpack_from(data, at)
    body, at = _slice(data, at + _TAIL.size, body_size)
    wide = magic == MAGIC_V2
    topic_size = _SHORT.unpack_from(data, at)[0] if wide else data[at]
    topic, at = _slice(data, at + (2 if wide else 1), topic_size)
    (properties_size,) = _SHORT.unpack_from(data, at)
    properties, at = _slice(data, at + 2, properties_size)
    if at != len(data):
        raise FrameError(f"record has {len(data) - at} bytes after its properties")
    return StoredRecord(
        topic=topic.decode(),
        queue_id=queue,
        queue_offset=queue_offset,
        physical_offset=physical,
        body=body,
        properties=decode_properties(properties),
        raw_properties=properties,
        flag=flag - (1 << 32) if flag >> 31 else flag,
        sys_flag=sys_flag,
        born_time_ms=born_time,
        born_host=born_host,
        store_time_ms=store_time,
        store_host=store_host,
        body_crc=crc,
        reconsume_times=reconsume,
        prepared_offset=prepared,
        magic=magic,
    )


def split_records(data: bytes) -> list[bytes]:
    """Cut a pull's body into records by their sizes; what cannot be cut is the last piece."""
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size < _HEAD.size or at + size > len(data):
            pieces.append(data[at:])
            break
        pieces.append(data[at : at + size])
        at += size
    return pieces


def decode_records(data: bytes) -> list[StoredRecord]:
    """All records of a pull's body. Raises FrameError for the first that is damaged."""
    return [decode_record(piece) for piece in split_records(data)]


@dataclass(frozen=True, slots=True)
class BatchMember:
    """One message of a SEND_BATCH_MESSAGE body."""

    body: bytes
    raw_properties: bytes
    flag: int = 0


def encode_batch(members: Iterable[BatchMember]) -> bytes:
    """The body of a SEND_BATCH_MESSAGE."""
    parts: list[bytes] = []
    for member in members:
        size = _BATCH_HEAD.size + len(member.body) + 2 + len(member.raw_properties)
        parts.append(_BATCH_HEAD.pack(size, 0, 0, member.flag & 0xFFFFFFFF, len(member.body)))
        parts.append(member.body)
        parts.append(_SHORT.pack(len(member.raw_properties)))
        parts.append(member.raw_properties)
    return b"".join(parts)


def decode_batch(data: bytes) -> list[BatchMember]:
    """The members of a batch body. Raises FrameError."""
    members: list[BatchMember] = []
    at = 0
    try:
        while at < len(data):
            _, _, _, flag, size = _BATCH_HEAD.unpack_from(data, at)
            body, at = _slice(data, at + _BATCH_HEAD.size, size)
            (size,) = _SHORT.unpack_from(data, at)
            properties, at = _slice(data, at + 2, size)
            members.append(BatchMember(body, properties, flag - (1 << 32) if flag >> 31 else flag))
    except struct.error as error:
        raise FrameError(f"batch body of {len(data)} bytes is cut short: {error}") from error
    return members


def offset_message_id(host: Host, physical_offset: int) -> str:
    """The server's message id: store host, port, commit log offset, in hex."""
    return (ipaddress.ip_address(host[0]).packed + _PORT.pack(host[1]) + _LONG.pack(physical_offset)).hex().upper()


def physical_offset(message_id: str | None) -> int | None:
    """The commit log offset that a server's message id names; None where it is none."""
    if message_id is None or len(message_id) not in (32, 56):
        return None
    try:
        return int(message_id[-16:], 16)
    except ValueError:
        return None


def java_hash(text: str) -> int:
    """Java's String.hashCode (the tagsCode of a tag): 32 bits, signed, over UTF-16 units."""
    value = 0
    units = text.encode("utf-16-be")
    for high, low in zip(units[::2], units[1::2], strict=True):
        value = (31 * value + (high << 8 | low)) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _pack_host(host: Host, v6: bool) -> bytes:
    address = ipaddress.IPv6Address(host[0]) if v6 else ipaddress.IPv4Address(host[0])
    return address.packed + _PORT.pack(host[1])


def _unpack_host(data: bytes, at: int, v6: bool) -> tuple[Host, int]:
    address, at = _slice(data, at, 16 if v6 else 4)
    (port,) = _PORT.unpack_from(data, at)
    return (str(ipaddress.ip_address(address)), port), at + 4


def _slice(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(data):
        raise FrameError(f"a part of {size} bytes at {at} is beyond the {len(data)} bytes there are")
    return data[at : at + size], at + size
