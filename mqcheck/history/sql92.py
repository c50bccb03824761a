"""The kit's own evaluator of SQL92 filters, of the part whose meaning nobody can doubt. Pure.

Comparisons of a property with a literal, ``[NOT] BETWEEN`` two numbers, ``[NOT] IN ('a', 'b')``, ``IS [NOT] NULL``,
``AND``, ``OR``, ``NOT`` and parentheses. Anything else, and a property that is not a number where one is compared,
is not decided, and then nobody is accused. Source: RocketMQ's SelectorParser; checked against its own answers.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Final

Properties = Mapping[str, str]
Truth = bool | None
"""True, false, or null."""
Test = Callable[[Properties], Truth]


class UndecidedError(Exception):
    """What the kit does not decide; never leaves this module."""


_TOKEN: Final = re.compile(
    r"[ \t\r\n]*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?(?:[1-9]\d*\.\d+|0|[1-9]\d*)(?![\w.]))"
    r"|(?P<name>[A-Za-z_$][\w$]*)"
    r"|(?P<sign><>|<=|>=|[=<>(),]))",
    re.ASCII,
)
_KEYWORDS: Final = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN", "IS", "NULL", "TRUE", "FALSE", "CONTAINS"})
_SIGNS: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WHOLE: Final = re.compile(r"-?\d{1,9}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?\d{1,9}(?:\.\d{1,6})?", re.ASCII)


def evaluate(expression: str, properties: Properties) -> bool | None:
    """Whether a filter selects a message with these properties; None where the kit does not decide it."""
    try:
        return _parsed(expression)(properties) is True
    except UndecidedError:
        return None


@lru_cache(maxsize=256)
def _parsed(expression: str) -> Test:
    try:
        parser = _Parser(_tokens(expression))
        test = parser.either()
        parser.expect("")
    except UndecidedError:
        return _undecided
    return test


def _undecided(properties: Properties) -> Truth:
    raise UndecidedError


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, at, text = [], 0, expression.strip(" \t\r\n")
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise UndecidedError
        kind, value = match.lastgroup, match[match.lastgroup]
        if kind == "name" and value.upper() in _KEYWORDS:
            kind, value = "keyword", value.upper()
        found.append((kind, value))
        at = match.end()
    return [*found, ("end", "")]


class _Parser:
    """From the weakest operator to the strongest."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def either(self) -> Test:
        """``a OR b``."""
        tests = [self._both()]
        while self._takes("OR"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda properties: _any(tests, properties)

    def expect(self, value: str) -> None:
        """The next token, and no other. Raises UndecidedError."""
        if not self._takes(value):
            raise UndecidedError

    def _both(self) -> Test:
        tests = [self._one()]
        while self._takes("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda properties: _all(tests, properties)

    def _one(self) -> Test:
        negated = self._takes("NOT")
        if negated or self._tokens[self._at][1] == "(":
            self.expect("(")  # RocketMQ's NOT without them takes the name alone
            test = self.either()
            self.expect(")")
            return _perhaps_not(negated, test)
        return self._comparison(self._take("name"))

    def _comparison(self, name: str) -> Test:
        if self._takes("IS"):
            negated = self._takes("NOT")
            self.expect("NULL")
            return lambda properties: (name in properties) is negated
        negated = self._takes("NOT")
        if self._takes("BETWEEN"):
            low = self._take("number")
            self.expect("AND")
            high = self._take("number")
            if Decimal(low) >= Decimal(high):
                raise UndecidedError
            inside = [_number(name, ">=", low), _number(name, "<=", high)]
            return _perhaps_not(negated, lambda properties: _all(inside, properties))
        if self._takes("IN"):
            texts = self._texts()
            return _perhaps_not(negated, lambda properties: properties[name] in texts if name in properties else None)
        if negated:
            raise UndecidedError
        return self._compared(name, self._take("sign"))

    def _compared(self, name: str, sign: str) -> Test:
        kind, value = self._tokens[self._at]
        self._at += 1
        if kind == "number" and sign in _SIGNS:
            return _number(name, sign, value)
        if kind == "text" and sign in ("=", "<>"):
            text, equal = _unquoted(value), sign == "="
            return lambda properties: (properties[name] == text) is equal if name in properties else None
        raise UndecidedError

    def _texts(self) -> frozenset[str]:
        self.expect("(")
        texts = {_unquoted(self._take("text"))}
        while self._takes(","):
            texts.add(_unquoted(self._take("text")))
        self.expect(")")
        return frozenset(texts)

    def _takes(self, value: str) -> bool:
        kind, found = self._tokens[self._at]
        if found != value or kind in ("name", "text", "number"):
            return False
        self._at += kind != "end"
        return True

    def _take(self, kind: str) -> str:
        found, value = self._tokens[self._at]
        if found != kind:
            raise UndecidedError
        self._at += 1
        return value


def _number(name: str, sign: str, literal: str) -> Test:
    """A property that does not look like the literal, whole or with a point, is not decided: RocketMQ fails there."""
    form = _DECIMAL if "." in literal else _WHOLE
    if not form.fullmatch(literal):
        raise UndecidedError
    compare, right = _SIGNS[sign], Decimal(literal)

    def test(properties: Properties) -> Truth:
        if name not in properties:
            return None
        if not form.fullmatch(properties[name]):
            raise UndecidedError
        return compare(Decimal(properties[name]), right)

    return test


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _perhaps_not(negated: bool, test: Test) -> Test:
    return (lambda properties: _not(test(properties))) if negated else test


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _any(tests: list[Test], properties: Properties) -> Truth:
    found = [test(properties) for test in tests]
    if True in found:
        return True
    return None if None in found else False


def _all(tests: list[Test], properties: Properties) -> Truth:
    found = [test(properties) for test in tests]
    if False in found:
        return False
    return None if None in found else True
