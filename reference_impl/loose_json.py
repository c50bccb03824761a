"""JSON as RocketMQ peers write it: strict first, then a tolerant reader for what fastjson 1 emits and accepts.

Tolerated: keys without quotes (numbers, names) and objects as keys, single quotes, trailing commas. A key that is an
object becomes its own compact JSON text. Holds no knowledge of any body. Writing is strict but for ``dumps_keyed``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from reference_impl.errors import JsonError

LOOSE_DEPTH_MAX: Final = 64
"""Nesting of a tolerated text; ours, real bodies have at most 6 levels."""

_SPACE: Final = re.compile(r"[ \t\r\n\f\b]*")
_BARE: Final = re.compile(r"[^\s,:{}\[\]\"']+")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_STRINGS: Final = {quote: re.compile(rf"[^\\{quote}]*") for quote in "\"'"}


def dumps(value: Any) -> bytes:
    """Write strict, compact JSON in UTF-8."""
    return msgspec.json.encode(value)


def dumps_keyed(pairs: Iterable[tuple[bytes, bytes]]) -> msgspec.Raw:
    """Write an object whose keys are JSON texts themselves, numbers or objects, as fastjson writes such maps.

    What comes out is no JSON; it can stand as a value inside of what ``dumps`` writes.
    """
    return msgspec.Raw(b"{" + b",".join(key + b":" + value for key, value in pairs) + b"}")


def loads_loose(data: bytes) -> Any:
    """Read a JSON text, tolerating fastjson's; JsonError when it is not even that."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass  # the tolerant reader decides
    reader = _Reader(data.decode("utf-8", "replace"))
    value = reader.value(0)
    reader.space()
    if reader.at != len(reader.text):
        raise reader.error("more text after the value")
    return value


class _Reader:
    """One pass over a text; ``at`` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, what: str) -> JsonError:
        return JsonError(f"{what} at character {self.at} of {self.text[:80]!r}")

    def space(self) -> str:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Any:
        if depth > LOOSE_DEPTH_MAX:
            raise self.error(f"more than {LOOSE_DEPTH_MAX} levels")
        first = self.space()
        if first == "{":
            return self.object(depth)
        if first == "[":
            return self.array(depth)
        if first in ('"', "'") and first:
            return self.string(first)
        return self.bare()

    def bare(self) -> Any:
        match = _BARE.match(self.text, self.at)
        if match is None:
            raise self.error("a value is missing")
        word = match.group()
        if word in _WORDS:
            value = _WORDS[word]
        elif number := _NUMBER.fullmatch(word):
            value = float(word) if number.group(1) or number.group(2) else int(word)
        else:
            raise self.error(f"{word[:40]!r} is no value")
        self.at = match.end()
        return value

    def key(self, depth: int) -> str:
        first = self.space()
        if first == "{":
            return json.dumps(self.value(depth + 1), separators=(",", ":"), ensure_ascii=False)
        if first in ('"', "'") and first:
            return self.string(first)
        match = _BARE.match(self.text, self.at)
        if match is None:
            raise self.error("a key is missing")
        self.at = match.end()
        return match.group()

    def object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        while (first := self.space()) != "}":
            if not first:
                raise self.error("an object does not end")
            name = self.key(depth)
            if self.space() != ":":
                raise self.error("a colon is missing")
            self.at += 1
            found[name] = self.value(depth + 1)
            self.separator("}")
        self.at += 1
        return found

    def array(self, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while (first := self.space()) != "]":
            if not first:
                raise self.error("an array does not end")
            found.append(self.value(depth + 1))
            self.separator("]")
        self.at += 1
        return found

    def separator(self, end: str) -> None:
        first = self.space()
        if first == ",":
            self.at += 1
        elif first != end:
            raise self.error(f"a comma or {end!r} is missing")

    def string(self, quote: str) -> str:
        self.at += 1
        parts: list[str] = []
        while True:
            match = _STRINGS[quote].match(self.text, self.at)
            if match:
                parts.append(match.group())
                self.at = match.end()
            mark = self.text[self.at : self.at + 1]
            self.at += 1
            if mark == quote:
                return "".join(parts).encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
            if not mark:
                raise self.error("a text does not end")
            parts.append(self.escape())

    def escape(self) -> str:
        mark = self.text[self.at : self.at + 1]
        self.at += 1
        if mark != "u":
            return _ESCAPES.get(mark, mark)
        digits = self.text[self.at : self.at + 4]
        if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
            raise self.error("four hex digits are missing")
        self.at += 4
        return chr(int(digits, 16))
