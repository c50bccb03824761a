"""Header fields of a request as typed values, read as Java reads them; HeaderError where one cannot be.

Holds the rules of reading alone: which fields a code has is with its handler. All values travel as texts. A number is
what Integer.parseInt and Long.parseLong take: an optional sign and decimal digits, within 32 or 64 bits, with nothing
around them; Python's int takes more. Sources: RocketMQ RemotingCommand.decodeCommandCustomHeader, FastCodesHeader.

RocketMQ reads most headers field by field and leaves out what it cannot read (``*_or``); what it needs nonetheless
ends in an exception and in code 1. The headers of 310, 320, 325 and of pulls it reads as a whole, and refuses
(``int32`` and ``int64`` with a default).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reference_impl.errors import HeaderError
from reference_impl.shapes import whole

_SHOWN_CHARS: Final = 80
"""Of a bad value in a remark."""


def text(fields: Mapping[str, str], name: str) -> str:
    """A required text. HeaderError when it is missing."""
    value = fields.get(name)
    if value is None:
        raise missing(name)
    return value


def int32(fields: Mapping[str, str], name: str, default: int | None = None) -> int:
    """A number of 32 bits; without ``default`` it is required. HeaderError otherwise."""
    value = fields.get(name)
    if value is None:
        if default is None:
            raise missing(name)
        return default
    # Most numbers are short and plain.
    if len(value) < 10 and value.isdecimal():
        return int(value)
    return _whole(name, value, 32)


def int64(fields: Mapping[str, str], name: str, default: int | None = None) -> int:
    """A number of 64 bits; without ``default`` it is required. HeaderError otherwise."""
    value = fields.get(name)
    if value is None:
        if default is None:
            raise missing(name)
        return default
    if len(value) < 19 and value.isdecimal():
        return int(value)
    return _whole(name, value, 64)


def int32_or(fields: Mapping[str, str], name: str, default: int) -> int:
    """A number of 32 bits; one that is missing or cannot be read is ``default``."""
    try:
        return int32(fields, name, default)
    except HeaderError:
        return default


def int64_or(fields: Mapping[str, str], name: str, default: int) -> int:
    """A number of 64 bits; one that is missing or cannot be read is ``default``."""
    try:
        return int64(fields, name, default)
    except HeaderError:
        return default


def flag(fields: Mapping[str, str], name: str) -> bool:
    """A field that is true or false; missing = false, and so is everything but ``true``, as in Java."""
    return fields.get(name, "").lower() == "true"


def missing(name: str) -> HeaderError:
    """What is to be said of a required field that is not there; RocketMQ's words."""
    return HeaderError(f"the custom field <{name}> is null")


def _whole(name: str, value: str, bits: int) -> int:
    number = whole(value, bits)
    if number is not None:
        return number
    shown = value if len(value) <= _SHOWN_CHARS else value[:_SHOWN_CHARS] + "…"
    raise HeaderError(f"the custom field <{name}> is {shown!r}, not a number: give a whole one of {bits} bits")
