"""Frames of the remoting protocol: one command with header and body, in JSON or in RocketMQ's binary header.

Holds bytes alone: no sockets, no meaning of any code. Sources: RemotingCommand, RocketMQSerializable, NettyDecoder.

A frame, big-endian::

    length 4 (of what follows) | serialize type 1 | header length 3 | header | body

The binary header::

    code 2 (signed) | language 1 | version 2 | opaque 4 | flag 4 | remark length 4 | remark | fields length 4 | fields
    fields: repeated name length 2 | name | value length 4 | value
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct, field

from reference_impl.commands import FRAME_BYTES_MAX, VERSION_CURRENT
from reference_impl.errors import FrameError, JsonError
from reference_impl.loose_json import loads_loose as loads_loose

FLAG_RESPONSE: Final = 1
FLAG_ONEWAY: Final = 2

LANGUAGES: Final = (
    "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP",
    "OMS", "RUST", "NODE_JS",
)  # fmt: skip
"""LanguageCode: the position is the byte of the binary header."""

HEADER_BYTES_MAX: Final = 0xFFFFFF
"""The header length has 24 bits."""

_INT_MIN: Final = -(1 << 31)
_INT_MAX: Final = (1 << 31) - 1
_LENGTHS: Final = struct.Struct(">iI")
_BINARY: Final = struct.Struct(">hBhiii")
_INT: Final = struct.Struct(">i")
_SHORT: Final = struct.Struct(">h")
_UNSIGNED: Final = struct.Struct(">I")


class Serialize(IntEnum):
    """How a frame's header is written; every frame says it itself, nothing is negotiated."""

    JSON = 0
    ROCKETMQ = 1


class Command(Struct, frozen=True, gc=False):
    """A request or a response."""

    code: int
    """What is asked (RequestCode), or how it went (ResponseCode)."""
    opaque: int = 0
    """The requester's number; a response carries it back."""
    flag: int = 0
    """Bit 0: response; bit 1: one-way."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """The header of this code, flattened to texts (extFields)."""
    body: bytes = b""
    remark: str | None = None
    language: str = "PYTHON"
    version: int = VERSION_CURRENT
    """The sender's MQVersion ordinal; it gates some answers."""
    serialize: Serialize = Serialize.JSON

    @property
    def is_response(self) -> bool:
        """Whether this answers a request of the receiver."""
        return bool(self.flag & FLAG_RESPONSE)

    @property
    def is_oneway(self) -> bool:
        """Whether the sender wants no answer, whatever happens."""
        return bool(self.flag & FLAG_ONEWAY)

    def reply(
        self, code: int, fields: Mapping[str, str] | None = None, body: bytes = b"", remark: str | None = None
    ) -> Command:
        """Make the answer to this request, with its opaque and in its serialization, as 4.9.7 does."""
        return Command(
            code=int(code), opaque=self.opaque, flag=FLAG_RESPONSE, fields=fields or {}, body=body, remark=remark,
            serialize=self.serialize,
        )  # fmt: skip


_Int32 = Annotated[int, Meta(ge=_INT_MIN, le=_INT_MAX)]


class _JsonHeader(Struct, gc=False):
    code: _Int32
    language: str | None = None
    version: _Int32 = 0
    opaque: _Int32 = 0
    flag: _Int32 = 0
    remark: str | None = None
    extFields: dict[str, str] | None = None  # noqa: N815 - the wire's name


_JSON_DECODER: Final = msgspec.json.Decoder(_JsonHeader)


def encode(command: Command) -> bytes:
    """Write a frame; the shell and the tests call it. FrameError when it would be longer than FRAME_BYTES_MAX."""
    header = _encode_json(command) if command.serialize == Serialize.JSON else _encode_binary(command)
    length = 4 + len(header) + len(command.body)
    if length + 4 > FRAME_BYTES_MAX or len(header) > HEADER_BYTES_MAX:
        raise FrameError(f"a frame of {length + 4} B; at most {FRAME_BYTES_MAX} B are read: send less")
    return b"".join((_LENGTHS.pack(length, command.serialize << 24 | len(header)), header, command.body))


def _encode_json(command: Command) -> bytes:
    header: dict[str, Any] = {"code": command.code}
    if command.fields:
        header["extFields"] = command.fields
    header["flag"] = command.flag
    header["language"] = command.language
    header["opaque"] = command.opaque
    if command.remark is not None:
        header["remark"] = command.remark
    header["serializeTypeCurrentRPC"] = "JSON"
    header["version"] = command.version
    return msgspec.json.encode(header)


def _short(value: int) -> int:
    """Cut to a signed short as Java does: the POP codes above 200000 lose their upper bits."""
    return ((value + 0x8000) & 0xFFFF) - 0x8000


def _encode_binary(command: Command) -> bytes:
    language = LANGUAGES.index(command.language) if command.language in LANGUAGES else LANGUAGES.index("OTHER")
    remark = (command.remark or "").encode("utf-8", "replace")
    pairs: list[bytes] = []
    for name, value in command.fields.items():
        key, text = name.encode("utf-8", "replace"), value.encode("utf-8", "replace")
        pairs += (_SHORT.pack(len(key)), key, _INT.pack(len(text)), text)
    packed = b"".join(pairs)
    head = _BINARY.pack(
        _short(command.code), language, _short(command.version), command.opaque, command.flag, len(remark)
    )
    return b"".join((head, remark, _INT.pack(len(packed)), packed))


def _decode_json(header: bytes, body: bytes) -> Command:
    try:
        parsed = _JSON_DECODER.decode(header)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        parsed = _decode_loose(header)
    return Command(
        parsed.code, parsed.opaque, parsed.flag, parsed.extFields or {}, body, parsed.remark, parsed.language or "JAVA",
        parsed.version,
    )  # fmt: skip


def _decode_loose(header: bytes) -> _JsonHeader:
    """A header that is loosely written, or whose members have other types than Java's peers give them."""
    try:
        parsed = loads_loose(header)
    except JsonError as error:
        raise FrameError(f"header is no JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise FrameError(f"header is a JSON {type(parsed).__name__}, not an object")
    fields = parsed.get("extFields") or {}
    if not isinstance(fields, dict):
        raise FrameError("extFields is not an object")
    remark, language = parsed.get("remark"), parsed.get("language")
    try:
        numbers = [int(parsed.get(name, 0)) for name in ("code", "version", "opaque", "flag")]
    except (TypeError, ValueError, OverflowError) as error:
        raise FrameError(f"header number: {error}") from error
    for number in numbers:
        if not _INT_MIN <= number <= _INT_MAX:
            raise FrameError(f"header number {number} does not fit 32 bits")
    return _JsonHeader(
        numbers[0], None if language is None else str(language), numbers[1], numbers[2], numbers[3],
        None if remark is None else str(remark),
        {str(name): _field_text(value) for name, value in fields.items() if value is not None},
    )  # fmt: skip


def _field_text(value: object) -> str:
    """A field that came as something else than a text, as Java's converter would read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | str) else msgspec.json.encode(value).decode()


def _decode_binary(header: bytes, body: bytes) -> Command:
    try:
        code, language, version, opaque, flag, remark_length = _BINARY.unpack_from(header, 0)
        remark, at = _take(header, _BINARY.size, remark_length)
        (fields_length,) = _INT.unpack_from(header, at)
        packed, _ = _take(header, at + 4, fields_length)
        fields: dict[str, str] = {}
        at = 0
        while at < len(packed):
            name, at = _take(packed, at + 2, _SHORT.unpack_from(packed, at)[0])
            value, at = _take(packed, at + 4, _INT.unpack_from(packed, at)[0])
            fields[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    except struct.error as error:
        raise FrameError(f"binary header of {len(header)} B: {error}") from error
    return Command(
        code, opaque, flag, fields, body, remark.decode("utf-8", "replace") if remark else None,
        LANGUAGES[language] if language < len(LANGUAGES) else "OTHER", version, Serialize.ROCKETMQ,
    )  # fmt: skip


def _take(data: bytes, at: int, length: int) -> tuple[bytes, int]:
    if length < 0 or at + length > len(data):
        raise FrameError(f"a part of {length} B at {at} in a header of {len(data)} B")
    return data[at : at + length], at + length


def decode(data: bytes) -> Command:
    """Read the inside of one frame (all after its length field); FrameError when it cannot be read."""
    return _decode_at(data, 0, len(data))


def _decode_at(data: bytes, begin: int, end: int) -> Command:
    if end - begin < 4:
        raise FrameError(f"a frame of {end - begin} B; 4 B and a header are the least")
    (mark,) = _UNSIGNED.unpack_from(data, begin)
    kind, split = mark >> 24, begin + 4 + (mark & HEADER_BYTES_MAX)
    if split > end:
        raise FrameError(f"a header of {split - begin - 4} B in a frame of {end - begin} B")
    header, body = data[begin + 4 : split], data[split:end]
    if kind == 0:
        return _decode_json(header, body)
    if kind == 1:
        return _decode_binary(header, body)
    raise FrameError(f"serialize type {kind}; 0 (JSON) and 1 (ROCKETMQ) exist")


class FrameReader:
    """Cuts the bytes of one connection into commands; keeps less than one frame (FRAME_BYTES_MAX)."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._wanted = 4

    @property
    def waiting_bytes(self) -> int:
        """Bytes of a frame that has not arrived whole."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Command]:
        """Take bytes in and give the commands that are whole now.

        FrameError: close the connection after serving the error's ``decoded``; the reader is of no use any more.
        """
        if self._rest:
            # Looked at again only when the frame is whole: pieces of a long one are not copied each time.
            self._rest += data
            if len(self._rest) < self._wanted:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        found: list[Command] = []
        try:
            begin = self._cut(data, found)
        except FrameError as error:
            error.decoded = tuple(found)
            raise
        if begin < len(data):
            self._rest += data[begin:]
        return found

    def _cut(self, data: bytes, found: list[Command]) -> int:
        """Decode the whole frames of ``data``; where the first that is not whole begins."""
        begin, size = 0, len(data)
        while size - begin >= 4:
            (length,) = _INT.unpack_from(data, begin)
            if length < 0 or length + 4 > FRAME_BYTES_MAX:
                raise FrameError(f"a frame of {length} B; at most {FRAME_BYTES_MAX - 4} B are read")
            end = begin + 4 + length
            if end > size:
                self._wanted = 4 + length
                return begin
            found.append(_decode_at(data, begin + 4, end))
            begin = end
        self._wanted = 4
        return begin
