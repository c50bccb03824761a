"""A reader for the JSON dialect of fastjson: bare numbers, names and whole objects as keys. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

DEPTH_MAX: Final = 64
"""Deepest nesting read; ours, far above any body of the protocol."""

_STRINGS: Final = json.JSONDecoder()
_SPACE: Final = " \t\r\n"
_BARE_END: Final = ":,}] \t\r\n"
_WORDS: Final = {"true": True, "false": False, "null": None}


def parse_loose(text: str) -> Any:
    """The value in ``text``; keys that are no strings become their compact JSON text. Raises ValueError."""
    reader = _Reader(text)
    value = reader.value(0)
    if reader.skip() != "":
        raise ValueError(f"something follows the JSON value at {reader.at}: {text[reader.at : reader.at + 20]!r}")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self) -> str:
        """Skip white space; the character now at hand, "" at the end."""
        while self.at < len(self.text) and self.text[self.at] in _SPACE:
            self.at += 1
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise ValueError(f"JSON nested deeper than {DEPTH_MAX}")
        first = self.skip()
        if first == "{":
            return self._object(depth)
        if first == "[":
            return self._array(depth)
        if first == '"':
            text, self.at = _STRINGS.raw_decode(self.text, self.at)
            return text
        return self._bare()

    def _bare(self) -> Any:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in _BARE_END:
            self.at += 1
        word = self.text[start : self.at]
        if word in _WORDS:
            return _WORDS[word]
        try:
            return int(word)
        except ValueError:
            return float(word)

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        members: dict[str, Any] = {}
        if self.skip() == "}":
            self.at += 1
            return members
        while True:
            key = self.value(depth + 1)
            self._expect(":")
            members[key if isinstance(key, str) else json.dumps(key, separators=(",", ":"))] = self.value(depth + 1)
            if self._more("}"):
                continue
            return members

    def _array(self, depth: int) -> list[Any]:
        self.at += 1
        items: list[Any] = []
        if self.skip() == "]":
            self.at += 1
            return items
        while True:
            items.append(self.value(depth + 1))
            if self._more("]"):
                continue
            return items

    def _more(self, end: str) -> bool:
        found = self.skip()
        if found not in (",", end) or found == "":
            raise ValueError(f"expected ',' or {end!r} at {self.at}, found {found!r}")
        self.at += 1
        return found == ","

    def _expect(self, wanted: str) -> None:
        found = self.skip()
        if found != wanted:
            raise ValueError(f"expected {wanted!r} at {self.at}, found {found!r}")
        self.at += 1
