"""Walks over stored records and takes from each only what finding it again needs. Encoding and full decoding live
in ``message``.

A stored record, as far as it is read here (big-endian; v4 hosts 8 bytes, v6 hosts 20)::

    at  bytes  field
     0    4    size of the record, itself included
     4    4    magic: V1 (topic length in 1 byte), V2 (in 2 bytes) or BLANK (rest of a file, nothing but this and
     the size) 8    4    CRC-32 of the body, without its highest bit
    12    4    queue id
    20    8    queue offset
    28    8    physical offset: the record's own position in the commit log
    36    4    sysFlag: 0x10 v6 born host, 0x20 v6 store host
    48   8|20  born host
    +0    8    store time, ms
    +8   8|20  store host
    then       4 reconsume times, 8 prepared offset, 4+n body, 1|2+n topic, 2+n properties

Source: rocketmq MessageDecoder, MessageExtEncoder, CommitLog.checkMessageAndReturnSize.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from reference_impl.commands import SYS_BORN_HOST_V6, SYS_STORE_HOST_V6
from reference_impl.message import BLANK_BYTES_MIN, MAGIC_BLANK, MAGIC_V1, MAGIC_V2, is_queued, java_hash
from reference_impl.store.index import stored_hashes_of

HEAD_BYTES = 76
"""Enough of a record to reach its store time with either kind of born host."""

_HEAD = struct.Struct(">IIIi4xqqi")
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_BORN_HOST_AT = 48
_RECONSUME_AND_PREPARED_BYTES = 12
_TAGS_KEY = b"TAGS\x01"
_PROPERTY_END = b"\x02"

_HASHES_MAX = 4096
"""Tags whose hash is remembered during a scan; ours: more are computed again."""


class Scanned(NamedTuple):
    """Where a record is and which queue it belongs to."""

    topic: str
    queue_id: int
    queue_offset: int
    position: int
    """Physical offset, bytes."""
    size: int
    """Bytes in the commit log; for a BLANK the bytes to skip, and ``topic`` is empty."""
    tags_code: int
    key_hashes: tuple[int, ...] = ()
    """Of its keys, for the index."""
    queued: bool = True
    """Whether it has a place in its queue."""


class Scanner:
    """Reads records out of a buffer. Remembers topic names and tag hashes, which repeat."""

    def __init__(self) -> None:
        self._topics: dict[bytes, str] = {}
        self._hashes: dict[bytes, int] = {}

    def record_at(self, buffer: memoryview, at: int, position: int) -> Scanned | None:
        """The valid record at ``buffer[at]``, which is ``position`` of the commit log, or None if there is none.

        Valid: whole, of a known kind, with lengths that add up, a body that has its checksum, and its own position
        inside it (so that bytes left over from an earlier file are not taken for records). As in RocketMQ no checksum
        covers topic and properties; files grow without holes, so a crash cuts a record and does not blank its end.
        """
        room = len(buffer) - at
        if room < BLANK_BYTES_MIN:
            return None
        size, magic = struct.unpack_from(">II", buffer, at)
        if magic == MAGIC_BLANK:
            return Scanned("", 0, 0, position, size, 0) if BLANK_BYTES_MIN <= size <= room else None
        if magic not in (MAGIC_V1, MAGIC_V2) or not HEAD_BYTES <= size <= room:
            return None
        record = buffer[at : at + size]
        _, _, checksum, queue_id, queue_offset, own_position, sys_flag = _HEAD.unpack_from(record)
        if own_position != position or queue_offset < 0 or queue_id < 0:
            return None
        head = Scanned("", queue_id, queue_offset, position, size, 0, queued=is_queued(sys_flag))
        try:
            return self._variable_part(record, checksum, head, sys_flag)
        except (struct.error, IndexError, UnicodeDecodeError):
            return None

    def _variable_part(self, record: memoryview, checksum: int, head: Scanned, sys_flag: int) -> Scanned | None:
        at = _store_time_at(sys_flag) + 8 + _host_bytes(sys_flag, SYS_STORE_HOST_V6) + _RECONSUME_AND_PREPARED_BYTES
        (body_bytes,) = _INT.unpack_from(record, at)
        topic_at = at + 4 + body_bytes
        if body_bytes < 0 or topic_at >= head.size or zlib.crc32(record[at + 4 : topic_at]) & 0x7FFFFFFF != checksum:
            return None
        topic_bytes = record[topic_at]
        topic_at += 1
        if struct.unpack_from(">I", record, 4)[0] == MAGIC_V2:
            topic_bytes = topic_bytes << 8 | record[topic_at]
            topic_at += 1
        properties_at = topic_at + topic_bytes + 2
        (properties_bytes,) = struct.unpack_from(">H", record, properties_at - 2)
        if properties_at + properties_bytes != head.size:
            return None
        name, properties = bytes(record[topic_at : properties_at - 2]), bytes(record[properties_at:])
        hashes = tuple(stored_hashes_of(name, properties))
        return head._replace(topic=self._topic(name), tags_code=self._tags_code(properties), key_hashes=hashes)

    def _topic(self, name: bytes) -> str:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = name.decode()
        return topic

    def _tags_code(self, properties: bytes) -> int:
        at = 0 if properties.startswith(_TAGS_KEY) else properties.find(_PROPERTY_END + _TAGS_KEY) + 1
        if at == 0 and not properties.startswith(_TAGS_KEY):
            return 0
        start = at + len(_TAGS_KEY)
        end = properties.find(_PROPERTY_END, start)
        tags = properties[start:] if end < 0 else properties[start:end]
        code = self._hashes.get(tags)
        if code is None:
            if len(self._hashes) >= _HASHES_MAX:
                self._hashes.clear()
            code = self._hashes[tags] = java_hash(tags.decode())
        return code


def store_time(head: bytes) -> int:
    """Store time in ms of the record that begins with ``head`` (at least ``HEAD_BYTES``)."""
    (sys_flag,) = _INT.unpack_from(head, 36)
    time_ms: int = _LONG.unpack_from(head, _store_time_at(sys_flag))[0]
    return time_ms


def _store_time_at(sys_flag: int) -> int:
    return _BORN_HOST_AT + _host_bytes(sys_flag, SYS_BORN_HOST_V6)


def _host_bytes(sys_flag: int, v6_flag: int) -> int:
    return 20 if sys_flag & v6_flag else 8
