"""Members of JSON bodies as typed values, as fastjson reads them; JsonError where one cannot be.

Holds the rules of reading alone: which members a body has is with its handler. A number may be written as a text, a
text as a number, and null is as good as nothing.
"""

from __future__ import annotations

import re
from typing import Any, Final

from reference_impl.errors import JsonError

_WHOLE: Final = re.compile(r"[+-]?\d{1,4000}")
_SHOWN_CHARS: Final = 80
"""Of a bad value in a message."""


def whole(text: str, bits: int) -> int | None:
    """The number of so many bits that a text is, as Java's parseInt and parseLong read it; None where it is none."""
    if not _WHOLE.fullmatch(text):
        return None
    number = int(text)
    return number if fits(number, bits) else None


def fits(number: int, bits: int) -> bool:
    """Whether a number has no more than so many bits, the sign among them."""
    return -1 << bits - 1 <= number < 1 << bits - 1


def object_of(value: object, what: str) -> dict[str, Any]:
    """``value`` itself, which is to be an object; JsonError otherwise."""
    if not isinstance(value, dict):
        raise JsonError(f"{what} is {_shown(value)}, not an object")
    return value


def member_text(shape: dict[str, Any], name: str, default: str | None = None) -> str:
    """A member that is a text, or a number or a boolean as one; without ``default`` it is required."""
    value = shape.get(name)
    if value is None:
        if default is None:
            raise JsonError(f"{name} is missing")
        return default
    if isinstance(value, (dict, list)):
        raise JsonError(f"{name} is {_shown(value)}, not a text")
    return str(value)


def member_whole(shape: dict[str, Any], name: str, default: int | None = None) -> int:
    """A member that is a whole number of 64 bits, or the text of one; without ``default`` it is required."""
    value = shape.get(name)
    if value is None or value == "":
        if default is None:
            raise JsonError(f"{name} is missing")
        return default
    if isinstance(value, int | str) and not isinstance(value, bool):
        number = whole(value, 64) if isinstance(value, str) else value
        if number is not None and fits(number, 64):
            return number
    raise JsonError(f"{name} is {_shown(value)}, not a number: give a whole one of 64 bits")


def member_flag(shape: dict[str, Any], name: str, default: bool) -> bool:
    """A member that is true or false, or a text or number that says so."""
    value = shape.get(name)
    if value is None:
        return default
    if isinstance(value, str):
        return value.lower() in ("true", "1")
    return bool(value)


def member_list(shape: dict[str, Any], name: str) -> list[Any]:
    """A member that is a list; a missing one is empty."""
    value = shape.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise JsonError(f"{name} is {_shown(value)}, not a list")
    return value


def member_wholes(shape: dict[str, Any], name: str) -> list[int]:
    """A member that is a list of whole numbers of 64 bits; a missing one is empty."""
    return [member_whole({name: entry}, name) for entry in member_list(shape, name)]


def member_objects(shape: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A member that is a list of objects; a missing one is empty."""
    return [object_of(entry, f"an entry of {name}") for entry in member_list(shape, name)]


def member_object(shape: dict[str, Any], name: str) -> dict[str, Any]:
    """A member that is an object; a missing one is empty."""
    value = shape.get(name)
    return {} if value is None else object_of(value, name)


def _shown(value: object) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    told = "null" if value is None else repr(value)
    return told if len(told) <= _SHOWN_CHARS else told[:_SHOWN_CHARS] + "…"
