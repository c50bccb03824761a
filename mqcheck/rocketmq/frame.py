"""Remoting frames: bytes to commands and back, in both header encodings. Pure: no sockets, no clock.

Layout (big-endian; RemotingCommand, RocketMQSerializable)::

    length          4  bytes that follow
    serialize type  1  0 = JSON header, 1 = binary header
    header length   3
    header          n
    body            the rest

    binary header: code 2 (signed), language 1, version 2, opaque 4, flag 4, remark length 4, remark,
                   fields length 4, fields: (key length 2, key, value length 4, value)*
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

import msgspec

from mqcheck.errors import FrameError
from mqcheck.rocketmq.codes import CLIENT_VERSION, FLAG_ONEWAY, FLAG_RESPONSE, FRAME_BYTES_MAX, LANGUAGES
from mqcheck.rocketmq.loose_json import parse_loose

_HEAD: Final = struct.Struct(">II")
_BINARY_FIXED: Final = struct.Struct(">hBhii")
_INT: Final = struct.Struct(">i")
_SHORT: Final = struct.Struct(">h")
_FIELD_KEY_BYTES_MAX: Final = 32_767
"""A binary field's key length is a signed short."""


class Serialize(IntEnum):
    """How a header is written; each frame names its own."""

    JSON = 0
    ROCKETMQ = 1


@dataclass(frozen=True, slots=True)
class Command:
    """A request or a response."""

    code: int
    """Request code, or response code in a response."""
    opaque: int = 0
    """Correlation id: chosen by the requester, echoed by the answer."""
    flag: int = 0
    """Bit 0 response, bit 1 one-way."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """The custom header (extFields); every value is text."""
    body: bytes = b""
    remark: str | None = None
    language: str = "PYTHON"
    version: int = CLIENT_VERSION
    serialize: Serialize = Serialize.JSON

    @property
    def is_response(self) -> bool:
        """True for an answer."""
        return bool(self.flag & FLAG_RESPONSE)

    @property
    def is_oneway(self) -> bool:
        """True for a request nobody answers."""
        return bool(self.flag & FLAG_ONEWAY)


class _JsonHeader(msgspec.Struct, rename={"fields": "extFields"}, omit_defaults=True):
    """The JSON header's members; unknown ones are ignored."""

    code: int
    language: str | int = "JAVA"
    version: int = 0
    opaque: int = 0
    flag: int = 0
    remark: str | None = None
    fields: dict[str, Any] | None = None


_encode_json: Final = msgspec.json.Encoder().encode
_decode_header: Final = msgspec.json.Decoder(_JsonHeader).decode


def encode(command: Command) -> bytes:
    """The whole frame. Raises FrameError when it would be larger than a peer accepts."""
    header = _binary_header(command) if command.serialize is Serialize.ROCKETMQ else _json_header(command)
    length = 4 + len(header) + len(command.body)
    if length + 4 > FRAME_BYTES_MAX or len(header) >= 1 << 24:
        raise FrameError(f"a frame of {length + 4} bytes is larger than {FRAME_BYTES_MAX}: send less at once")
    return b"".join((_HEAD.pack(length, command.serialize << 24 | len(header)), header, command.body))


def decode(payload: bytes) -> Command:
    """The command in a frame without its length field. Raises FrameError."""
    if len(payload) < 4:
        raise FrameError(f"a frame of {len(payload)} bytes has no header length (4 bytes)")
    word = int.from_bytes(payload[:4], "big")
    kind, size = word >> 24, word & 0xFFFFFF
    if size > len(payload) - 4:
        raise FrameError(f"header length {size} is beyond the frame's {len(payload) - 4} bytes")
    header, body = payload[4 : 4 + size], payload[4 + size :]
    if kind == Serialize.JSON:
        return _from_json(header, body)
    if kind == Serialize.ROCKETMQ:
        return _from_binary(header, body)
    raise FrameError(f"serialize type {kind} is neither 0 (JSON) nor 1 (binary)")


class FrameReader:
    """Cuts a byte stream into commands; holds at most one unfinished frame of FRAME_BYTES_MAX."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Command]:
        """Add bytes, get the commands they complete. Raises FrameError: close the connection then."""
        buffer = self._buffer
        buffer += data
        commands: list[Command] = []
        at = 0
        while len(buffer) - at >= 4:
            length = int.from_bytes(buffer[at : at + 4], "big", signed=True)
            if not 4 <= length <= FRAME_BYTES_MAX - 4:
                raise FrameError(f"frame length {length} is outside 4..{FRAME_BYTES_MAX - 4}")
            if len(buffer) - at - 4 < length:
                break
            commands.append(decode(bytes(buffer[at + 4 : at + 4 + length])))
            at += 4 + length
        if at:
            del buffer[:at]
        return commands

    @property
    def pending_bytes(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._buffer)


def _json_header(command: Command) -> bytes:
    header: dict[str, Any] = {
        "code": command.code,
        "flag": command.flag,
        "language": command.language,
        "opaque": command.opaque,
        "serializeTypeCurrentRPC": command.serialize.name,
        "version": command.version,
    }
    if command.fields:
        header["extFields"] = command.fields
    if command.remark is not None:
        header["remark"] = command.remark
    return _encode_json(header)


def _from_json(header: bytes, body: bytes) -> Command:
    try:
        read = _decode_header(header)
    except msgspec.MsgspecError as error:
        try:
            read = msgspec.convert(loads_loose(header), _JsonHeader)
        except (ValueError, msgspec.MsgspecError):
            raise FrameError(f"header is not a JSON object with a code: {error}: {header[:80]!r}") from error
    language = read.language if isinstance(read.language, str) else _language_name(read.language)
    return Command(
        code=read.code,
        opaque=read.opaque,
        flag=read.flag,
        fields={key: _text(value) for key, value in (read.fields or {}).items() if value is not None},
        body=body,
        remark=read.remark,
        language=language,
        version=read.version,
        serialize=Serialize.JSON,
    )


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _language_name(number: int) -> str:
    return LANGUAGES[number] if 0 <= number < len(LANGUAGES) else "OTHER"


def _binary_header(command: Command) -> bytes:
    language = LANGUAGES.index(command.language) if command.language in LANGUAGES else LANGUAGES.index("OTHER")
    remark = b"" if command.remark is None else command.remark.encode()
    fields = b"".join(_binary_field(key, value) for key, value in command.fields.items())
    code = (command.code + 0x8000) % 0x10000 - 0x8000
    return b"".join(
        (
            _BINARY_FIXED.pack(code, language, command.version, command.opaque, command.flag),
            _INT.pack(len(remark)),
            remark,
            _INT.pack(len(fields)),
            fields,
        )
    )


def _binary_field(key: str, value: str) -> bytes:
    key_bytes, value_bytes = key.encode(), value.encode()
    if len(key_bytes) > _FIELD_KEY_BYTES_MAX:
        raise FrameError(f"header field name of {len(key_bytes)} bytes is longer than {_FIELD_KEY_BYTES_MAX}")
    return b"".join((_SHORT.pack(len(key_bytes)), key_bytes, _INT.pack(len(value_bytes)), value_bytes))


def _from_binary(header: bytes, body: bytes) -> Command:
    try:
        code, language, version, opaque, flag = _BINARY_FIXED.unpack_from(header)
        at = _BINARY_FIXED.size
        remark, at = _take(header, at)
        fields, _ = _take(header, at)
        return Command(
            code=code,
            opaque=opaque,
            flag=flag,
            fields=_fields(fields),
            body=body,
            remark=remark.decode() if remark else None,
            language=_language_name(language),
            version=version,
            serialize=Serialize.ROCKETMQ,
        )
    except (struct.error, UnicodeDecodeError) as error:
        raise FrameError(f"binary header cut short or not UTF-8: {error}: {header[:80].hex()}") from error


def _take(data: bytes, at: int) -> tuple[bytes, int]:
    (size,) = _INT.unpack_from(data, at)
    start = at + _INT.size
    if size < 0 or start + size > len(data):
        raise FrameError(f"length {size} in a binary header is beyond its {len(data) - start} bytes")
    return data[start : start + size], start + size


def _fields(data: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    at = 0
    while at < len(data):
        (size,) = _SHORT.unpack_from(data, at)
        at += _SHORT.size
        if size < 0 or at + size > len(data):
            raise FrameError(f"field name length {size} in a binary header is beyond its {len(data) - at} bytes")
        key = data[at : at + size].decode()
        value, at = _take(data, at + size)
        fields[key] = value.decode()
    return fields


def loads_loose(data: bytes) -> Any:
    """JSON as RocketMQ's peers write it: object keys may be bare numbers or whole objects (``rocketmq.md`` §1.7).

    Keys that are not strings come back as their JSON text. Raises ValueError. Called for bodies of brokers and
    NameServers; strict JSON takes the fast way.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return parse_loose(data.decode())
