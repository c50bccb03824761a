"""Messages and stored records: the bytes of the commit log, which are also the bytes of a pull answer.

Holds layouts alone: no files, no queues. Sources: MessageDecoder, MessageExtEncoder, CommitLog of RocketMQ 4.9.

A stored record, big-endian; hosts take 16 + 4 bytes instead of 4 + 4 where the sysFlag bit says IPv6::

    total size 4 | magic 4 | body crc 4 | queue id 4 | flag 4 | queue offset 8 | physical offset 8 | sysFlag 4
    born time ms 8 | born host 4+4 | store time ms 8 | store host 4+4 | reconsume times 4 | prepared offset 8
    body length 4 | body | topic length 1 (2 with the second magic) | topic | properties length 2 | properties
"""

from __future__ import annotations

import ipaddress
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reference_impl.commands import (
    PROPERTIES_BYTES_MAX,
    SYS_BORN_HOST_V6,
    SYS_STORE_HOST_V6,
    SYS_TRANSACTION_PREPARED,
)
from reference_impl.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Mapping

Host = tuple[str, int]
"""An IP address (or, in a simulation, a node's name) and a port."""

MAGIC_V1: Final = 0xDAA320A7
MAGIC_V2: Final = 0xDAA320AB
"""A topic of more than 127 bytes; written by 5.x alone, read here."""
MAGIC_BLANK: Final = 0xCBD43194
"""Fills the end of a commit log file that the next record does not fit into."""
BLANK_BYTES_MIN: Final = 8
"""A blank's size and magic; what follows them is zero."""

NAME_VALUE_SEPARATOR: Final = "\x01"
PROPERTY_SEPARATOR: Final = "\x02"

_CRC_MASK: Final = 0x7FFFFFFF
_HEAD: Final = struct.Struct(">iIIiiqqiq")
_TAIL: Final = struct.Struct(">iqi")
_PLAIN: Final = struct.Struct(">iIIiiqqiq4siq4siiqi")
"""Everything before the body when both hosts are IPv4."""
_SIZE_MAGIC: Final = struct.Struct(">iI")
_PORT_TIME: Final = struct.Struct(">iq")
_INT: Final = struct.Struct(">i")
_SHORT: Final = struct.Struct(">h")
_BATCH_HEAD: Final = struct.Struct(">iIIii")
_HASH_MASK: Final = 0xFFFFFFFF


class Message(Struct, frozen=True, gc=False):
    """What is to be stored; made by the broker from a send, a send-back or a due delayed message."""

    topic: str
    queue_id: int
    body: bytes
    properties: dict[str, str]
    flag: int
    """The producer's own number; the broker never reads it."""
    sys_flag: int
    """Compression and transaction bits; the two address bits are set by ``encode_record``."""
    born_time_ms: int
    """The producer's clock."""
    born_host: Host
    reconsume_times: int = 0
    prepared_offset: int = 0
    """Commit log offset of the half message of a committed transaction."""

    @property
    def queued(self) -> bool:
        """Whether it gets a place in its queue, which bears on who can see it."""
        return is_queued(self.sys_flag)


class Record(Message, frozen=True, kw_only=True, gc=False):
    """A message as it stands in the commit log."""

    queue_offset: int
    physical_offset: int
    store_time_ms: int
    """The broker's clock."""
    store_host: Host
    crc: int
    size: int
    """Bytes of the whole record."""
    raw_properties: bytes = b""
    """The properties as stored: order and a trailing separator differ between versions."""
    magic: int = MAGIC_V1

    @property
    def offset_message_id(self) -> str:
        """The server's id of this record."""
        return offset_message_id(self.store_host, self.physical_offset)


class BatchItem(Struct, frozen=True):
    """One message of a batch body (code 320)."""

    flag: int
    body: bytes
    properties: dict[str, str]


def is_queued(sys_flag: int) -> bool:
    """Whether a message with these bits has a place in its queue. Prepared and rolled back ones (of before RocketMQ
    4.3, when half messages were kept so) have a queue offset of 0 and are in the commit log alone.
    """
    return not sys_flag & SYS_TRANSACTION_PREPARED


def body_crc(body: bytes) -> int:
    """Checksum of a stored body, or of a registration body: CRC-32 without its top bit [UtilAll.crc32]."""
    return zlib.crc32(body) & _CRC_MASK


@lru_cache(maxsize=1024)
def pack_host(host: str) -> bytes:
    """Give the 4 or 16 bytes of an address.

    A name that is no address (a simulated node) becomes an address of 240.0.0.0/4, which no real host has.
    """
    try:
        return ipaddress.ip_address(host).packed
    except ValueError:
        return ((zlib.crc32(host.encode()) & 0x0FFFFFFF) | 0xF0000000).to_bytes(4, "big")


@lru_cache(maxsize=1024)
def _topic_bytes(topic: str) -> bytes:
    return topic.encode("utf-8", "replace")


@lru_cache(maxsize=1024)
def _unpack_host(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))


def record_size(message: Message, properties: bytes, store_host: Host) -> int:
    """Bytes that ``encode_record`` will make of ``message`` whose encoded properties are ``properties``."""
    hosts = len(pack_host(message.born_host[0])) + len(pack_host(store_host[0]))
    topic = len(message.topic.encode("utf-8", "replace"))
    return 82 + hosts + (1 if topic < 128 else 2) + len(message.body) + topic + len(properties)


def encode_record(
    message: Message,
    *,
    queue_offset: int,
    physical_offset: int,
    store_time_ms: int,
    store_host: Host,
    properties: bytes | None = None,
) -> bytes:
    """Make a stored record; the store calls it.

    ``properties`` replaces the encoding of ``message.properties`` where the exact bytes matter.
    Raises RecordError when topic or properties are longer than their length fields can say.
    """
    packed = encode_properties(message.properties).encode("utf-8", "replace") if properties is None else properties
    topic = _topic_bytes(message.topic)
    if len(packed) > PROPERTIES_BYTES_MAX:
        raise RecordError(f"properties of {len(packed)} B; at most {PROPERTIES_BYTES_MAX} B fit a record: send fewer")
    if len(topic) > PROPERTIES_BYTES_MAX:
        raise RecordError(f"topic of {len(topic)} B; at most {PROPERTIES_BYTES_MAX} B fit a record")
    born, store = pack_host(message.born_host[0]), pack_host(store_host[0])
    sys_flag = message.sys_flag & ~(SYS_BORN_HOST_V6 | SYS_STORE_HOST_V6)
    magic, topic_length = (MAGIC_V1, bytes((len(topic),))) if len(topic) < 128 else (MAGIC_V2, _SHORT.pack(len(topic)))
    body, crc = message.body, body_crc(message.body)
    size = 82 + len(born) + len(store) + len(topic_length) + len(body) + len(topic) + len(packed)
    if len(born) == 4 and len(store) == 4:
        head = _PLAIN.pack(
            size, magic, crc, message.queue_id, message.flag, queue_offset, physical_offset, sys_flag,
            message.born_time_ms, born, message.born_host[1], store_time_ms, store, store_host[1],
            message.reconsume_times, message.prepared_offset, len(body),
        )  # fmt: skip
        return b"".join((head, body, topic_length, topic, _SHORT.pack(len(packed)), packed))
    sys_flag |= (SYS_BORN_HOST_V6 if len(born) == 16 else 0) | (SYS_STORE_HOST_V6 if len(store) == 16 else 0)
    head = _HEAD.pack(
        size, magic, crc, message.queue_id, message.flag, queue_offset, physical_offset, sys_flag, message.born_time_ms,
    )  # fmt: skip
    middle = born + _PORT_TIME.pack(message.born_host[1], store_time_ms) + store + _INT.pack(store_host[1])
    tail = _TAIL.pack(message.reconsume_times, message.prepared_offset, len(body))
    return b"".join((head, middle, tail, body, topic_length, topic, _SHORT.pack(len(packed)), packed))


def encode_blank(size: int) -> bytes:
    """Make the record that fills the last ``size`` bytes of a commit log file; fewer than 8 bytes stay zero."""
    if size < BLANK_BYTES_MIN:
        return bytes(size)
    return _SIZE_MAGIC.pack(size, MAGIC_BLANK) + bytes(size - BLANK_BYTES_MIN)


def peek_record(buffer: bytes | memoryview, at: int = 0) -> tuple[int, int]:
    """Size and magic of what begins at ``at``; ``(0, 0)`` when fewer than 8 bytes are left."""
    if len(buffer) - at < BLANK_BYTES_MIN:
        return 0, 0
    size, magic = _SIZE_MAGIC.unpack_from(buffer, at)
    return int(size), int(magic)


def decode_record(buffer: bytes | memoryview, at: int = 0, check_crc: bool = True) -> Record:
    """Read the record that begins at ``at``; recovery, pulls and tests call it.

    Raises RecordError when it is cut short, when its lengths disagree, when its magic is another one (a blank too), or,
    with ``check_crc``, when the body is not the one that was stored.
    """
    size, magic = peek_record(buffer, at)
    if magic not in (MAGIC_V1, MAGIC_V2):
        raise RecordError(f"no record at {at}: magic {magic:#x}")
    if size < 0 or at + size > len(buffer):
        raise RecordError(f"record at {at} says {size} B, {len(buffer) - at} B are there")
    try:
        return _decode(bytes(buffer[at : at + size]), magic, check_crc)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise RecordError(f"record at {at}: {error}") from error


def _decode(data: bytes, magic: int, check_crc: bool) -> Record:
    size, _, crc, queue_id, flag, queue_offset, physical_offset, sys_flag, born_time_ms = _HEAD.unpack_from(data, 0)
    at = _HEAD.size
    width = 16 if sys_flag & SYS_BORN_HOST_V6 else 4
    born = data[at : at + width]
    at += width
    born_port, store_time_ms = _PORT_TIME.unpack_from(data, at)
    at += _PORT_TIME.size
    width = 16 if sys_flag & SYS_STORE_HOST_V6 else 4
    store = data[at : at + width]
    at += width
    (store_port,) = _INT.unpack_from(data, at)
    at += _INT.size
    reconsume_times, prepared_offset, body_length = _TAIL.unpack_from(data, at)
    at += _TAIL.size
    if body_length < 0 or at + body_length > size:
        raise RecordError(f"body of {body_length} B in a record of {size} B")
    body = data[at : at + body_length]
    at += body_length
    if check_crc and body_crc(body) != crc:
        raise RecordError(f"body checksum is {body_crc(body)}, the record says {crc}")
    topic_length, at = (data[at], at + 1) if magic == MAGIC_V1 else (_SHORT.unpack_from(data, at)[0], at + 2)
    topic = data[at : at + topic_length].decode()
    at += topic_length
    (properties_length,) = _SHORT.unpack_from(data, at)
    at += _SHORT.size
    if topic_length < 0 or properties_length < 0 or at + properties_length != size:
        raise RecordError(f"record of {size} B ends at {at + properties_length}")
    raw = data[at:size]
    return Record(
        topic=topic, queue_id=queue_id, body=body, properties=decode_properties(raw), flag=flag, sys_flag=sys_flag,
        born_time_ms=born_time_ms, born_host=(_unpack_host(born), born_port), reconsume_times=reconsume_times,
        prepared_offset=prepared_offset, queue_offset=queue_offset, physical_offset=physical_offset,
        store_time_ms=store_time_ms, store_host=(_unpack_host(store), store_port), crc=crc, size=size,
        raw_properties=raw, magic=magic,
    )  # fmt: skip


def decode_properties(raw: bytes | str) -> dict[str, str]:
    """Read ``name 1 value 2 …``; a pair without a value or with two separators vanishes, as in 4.9 [MessageDecoder]."""
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    try:
        found = dict([pair.split(NAME_VALUE_SEPARATOR) for pair in text.split(PROPERTY_SEPARATOR)])
        if all(found.values()):
            return found
    except ValueError:
        pass  # pairs are missing or odd: one by one
    found = {}
    for pair in text.split(PROPERTY_SEPARATOR):
        name, separator, value = pair.partition(NAME_VALUE_SEPARATOR)
        value = value.rstrip(NAME_VALUE_SEPARATOR)
        if separator and value and NAME_VALUE_SEPARATOR not in value:
            found[name] = value
    return found


def encode_properties(properties: Mapping[str, str]) -> str:
    """Write ``name 1 value 2 …`` without a separator at the end, as 4.9.7 does."""
    return PROPERTY_SEPARATOR.join([f"{name}{NAME_VALUE_SEPARATOR}{value}" for name, value in properties.items()])


def decode_batch(body: bytes) -> list[BatchItem]:
    """Read a batch body: per message size, magic, crc (all three ignored), flag, body and properties with lengths.

    Raises RecordError when it is cut short or a length is negative.
    """
    items: list[BatchItem] = []
    at = 0
    try:
        while at < len(body):
            _, _, _, flag, body_length = _BATCH_HEAD.unpack_from(body, at)
            at += _BATCH_HEAD.size
            content = body[at : at + body_length]
            at += body_length
            (properties_length,) = _SHORT.unpack_from(body, at)
            at += _SHORT.size
            if body_length < 0 or properties_length < 0 or at + properties_length > len(body):
                raise RecordError(
                    f"batch of {len(body)} B: message {len(items)} says {body_length} B + {properties_length} B"
                )
            items.append(BatchItem(flag, content, decode_properties(body[at : at + properties_length])))
            at += properties_length
    except struct.error as error:
        raise RecordError(f"batch of {len(body)} B ends inside message {len(items)}: {error}") from error
    return items


def encode_batch(items: list[BatchItem]) -> bytes:
    """Write a batch body as producers do: size as it is, magic and crc 0 [MessageDecoder.encodeMessage]."""
    parts: list[bytes] = []
    for item in items:
        packed = encode_properties(item.properties).encode()
        size = _BATCH_HEAD.size + len(item.body) + _SHORT.size + len(packed)
        parts += (_BATCH_HEAD.pack(size, 0, 0, item.flag, len(item.body)), item.body, _SHORT.pack(len(packed)), packed)
    return b"".join(parts)


def offset_message_id(host: Host, physical_offset: int) -> str:
    """The server's id of a record: address, port and commit log offset in upper-case hex [createMessageId]."""
    return f"{_hex_host(host)}{physical_offset:016X}"


@lru_cache(maxsize=1024)
def _hex_host(host: Host) -> str:
    return (pack_host(host[0]) + _INT.pack(host[1])).hex().upper()


def decode_offset_message_id(text: str) -> tuple[Host, int]:
    """Split a server's id into store host and commit log offset; RecordError when it is none."""
    try:
        raw = bytes.fromhex(text)
        port, offset = struct.unpack(">iq", raw[-12:])
        return (_unpack_host(raw[:-12]), port), offset
    except (ValueError, struct.error) as error:
        raise RecordError(f"{text!r} is no offset message id: 32 or 56 hex digits are wanted") from error


def java_hash(text: str) -> int:
    """Java's ``String.hashCode``, signed 32 bit over UTF-16 units: the tagsCode of a tag."""
    value = 0
    encoded = text.encode("utf-16-be", "surrogatepass")
    for unit in struct.unpack(f">{len(encoded) // 2}H", encoded):
        value = (value * 31 + unit) & _HASH_MASK
    return value - (1 << 32) if value >= 1 << 31 else value
