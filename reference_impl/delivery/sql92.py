"""SQL92 filters: an expression over a message's properties, in the three-valued logic of RocketMQ 4.9.

``OR``, ``AND``, ``NOT``, ``= <> < <= > >=``, ``[NOT] BETWEEN``, ``[NOT] IN ('a', 'b')``, ``IS [NOT] NULL``,
parentheses, signs, texts in single quotes, whole and decimal numbers, TRUE, FALSE, NULL, names of properties,
comments. As in RocketMQ what follows a whole expression is ignored (``a LIKE 'x%'`` is read as ``a``), and NOT binds to
the one operand after it.

Values are texts; compared with a number they are read as a number of that kind (32 bits, 64 bits, or floating), and
a text that is none makes the whole expression fail, which does not deliver the message. A property that is missing
is NULL. The parser is made when the first expression comes. Source: rocketmq-filter 4.9.7 (SelectorParser,
ComparisonExpression, LogicExpression), checked against its answers in tests/reference_impl/delivery.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeGuard

from msgspec import Struct

from reference_impl.errors import ExpressionError

EXPRESSION_CHARS_MAX: Final = 16_384
"""Longest expression; ours."""
DEPTH_MAX: Final = 100
"""How deep operators may nest; ours."""
COMPILED_MAX: Final = 512
"""Compiled expressions that are remembered; ours."""

Value = str | int | float | bool | None
Properties = Mapping[str, str]
Evaluate = Callable[[Properties], Value]

_INT_MAX: Final = (1 << 31) - 1
_LONG_MAX: Final = (1 << 63) - 1
_WHOLE: Final = re.compile(r"[+-]?(?:(?![\U00010000-\U0010ffff])\d)+")
"""Java looks at UTF-16 units, so digits beyond the first 65,536 characters are none."""
_FLOATING: Final = re.compile(r"[+-]?(?:NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fFdD]?)")
_HEX_FLOATING: Final = re.compile(r"([+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+)[fFdD]?")
_TRIMMED: Final = "".join(map(chr, range(33)))
"""What Java's ``trim`` takes away."""

_GRAMMAR: Final = r"""
?start: disjunction
?disjunction: conjunction | conjunction (_OR conjunction)+ -> either
?conjunction: equality | equality (_AND equality)+ -> both
?equality: comparison
    | equality "=" comparison -> equal
    | equality "<>" comparison -> unequal
    | equality _IS _NULL -> is_null
    | equality _IS _NOT _NULL -> is_not_null
?comparison: unary
    | comparison ">" unary -> greater
    | comparison ">=" unary -> at_least
    | comparison "<" unary -> less
    | comparison "<=" unary -> at_most
    | comparison _BETWEEN unary _AND unary -> between
    | comparison _NOT _BETWEEN unary _AND unary -> not_between
    | comparison _IN "(" TEXT ("," TEXT)* ")" -> one_of
    | comparison _NOT _IN "(" TEXT ("," TEXT)* ")" -> none_of
?unary: "+" unary | "-" unary -> negative | _NOT unary -> negation | primary
?primary: TEXT -> text | WHOLE -> whole | DECIMAL -> decimal | _TRUE -> true | _FALSE -> false | _NULL -> null
    | NAME -> name | "(" disjunction ")"

_OR.2: /OR(?![A-Za-z0-9_$])/i
_AND.2: /AND(?![A-Za-z0-9_$])/i
_NOT.2: /NOT(?![A-Za-z0-9_$])/i
_IS.2: /IS(?![A-Za-z0-9_$])/i
_IN.2: /IN(?![A-Za-z0-9_$])/i
_BETWEEN.2: /BETWEEN(?![A-Za-z0-9_$])/i
_NULL.2: /NULL(?![A-Za-z0-9_$])/i
_TRUE.2: /TRUE(?![A-Za-z0-9_$])/i
_FALSE.2: /FALSE(?![A-Za-z0-9_$])/i
NAME: /(?!(?:OR|AND|NOT|IS|IN|BETWEEN|NULL|TRUE|FALSE)(?![A-Za-z0-9_$]))[A-Za-z_$][A-Za-z0-9_$]*/i
TEXT: /'(?:[^']|'')*'/
DECIMAL.1: /[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+/
WHOLE: /[1-9][0-9]*[lL]?|0/
COMMENT: /--[^\n\r]*[\n\r]|\/\*(?:[^*]|\*(?!\/))*\*\//
%ignore COMMENT
%ignore /[ \t\n\r\f]+/
"""


class Expression(Struct, frozen=True):
    """A compiled expression."""

    text: str
    evaluate: Evaluate
    """Its value for a message's properties. Raises ValueError, TypeError where RocketMQ's evaluation fails."""

    def accepts(self, properties: Properties) -> bool:
        """Whether a message with these properties is wanted: only when the value is TRUE."""
        try:
            return self.evaluate(properties) is True
        except (ValueError, TypeError):
            return False


class _Node(Struct, frozen=True):
    """A part of an expression with what the checks need to know of it."""

    evaluate: Evaluate
    boolean: bool = False
    """An operator whose value is TRUE, FALSE or NULL."""
    constant: tuple[Value] | None = None
    """The value of a literal."""
    name: str | None = None
    """The property that is read."""
    depth: int = 1


class _Builder:
    """Makes nodes of what the parser has read, refusing what RocketMQ refuses. One method for each form."""

    def text(self, parts: list[Any]) -> _Node:
        return self._constant(parts[0][1:-1].replace("''", "'"))

    def whole(self, parts: list[Any]) -> _Node:
        value = int(parts[0].rstrip("lL"))
        if value > _LONG_MAX:
            raise ExpressionError(f"the number {value} does not fit 64 bits")
        return self._constant(value)

    def decimal(self, parts: list[Any]) -> _Node:
        value = float(parts[0])
        if math.isinf(value) or value == 0:
            # RocketMQ takes Double.MIN_VALUE, which is positive, for the least number there is.
            raise ExpressionError(f"the number {parts[0]} is zero or too large; write 0 for zero")
        return self._constant(value)

    def true(self, _: list[Any]) -> _Node:
        return self._constant(True)

    def false(self, _: list[Any]) -> _Node:
        return self._constant(False)

    def null(self, _: list[Any]) -> _Node:
        return self._constant(None)

    def name(self, parts: list[Any]) -> _Node:
        name = str(parts[0])
        return _Node(lambda properties: properties.get(name), name=name)

    def either(self, parts: list[Any]) -> _Node:
        return self._logical(parts, decisive=True)

    def both(self, parts: list[Any]) -> _Node:
        return self._logical(parts, decisive=False)

    def negation(self, parts: list[Any]) -> _Node:
        inner = _as_boolean(parts[0]).evaluate
        return self._operator(lambda properties: _negated(inner(properties)), parts)

    def equal(self, parts: list[Any]) -> _Node:
        if any(part.constant == (None,) for part in parts):
            raise ExpressionError("NULL is compared by IS NULL and IS NOT NULL alone")
        if _is_boolean(parts[0]) and parts[1].constant is not None and not _is_boolean(parts[1]):
            raise ExpressionError("TRUE and FALSE are compared with neither numbers nor texts")
        left, right = parts[0].evaluate, parts[1].evaluate
        return self._operator(lambda properties: _equal(left(properties), right(properties)), parts)

    def unequal(self, parts: list[Any]) -> _Node:
        return self.negation([self.equal(parts)])

    def greater(self, parts: list[Any]) -> _Node:
        return self._ordering(parts, lambda order: order > 0)

    def at_least(self, parts: list[Any]) -> _Node:
        return self._ordering(parts, lambda order: order >= 0)

    def less(self, parts: list[Any]) -> _Node:
        return self._ordering(parts, lambda order: order < 0)

    def at_most(self, parts: list[Any]) -> _Node:
        return self._ordering(parts, lambda order: order <= 0)

    def between(self, parts: list[Any]) -> _Node:
        value, low, high = parts
        self._check_range(low, high)
        return self.both([self.at_least([value, low]), self.at_most([value, high])])

    def not_between(self, parts: list[Any]) -> _Node:
        value, low, high = parts
        return self.either([self.less([value, low]), self.greater([value, high])])

    def one_of(self, parts: list[Any]) -> _Node:
        value, *texts = parts
        if value.name is None:
            raise ExpressionError("IN asks about a property: write its name on the left")
        name = value.name
        wanted = frozenset(text[1:-1].replace("''", "'") for text in texts)
        return self._operator(lambda properties: properties[name] in wanted if name in properties else None, [value])

    def none_of(self, parts: list[Any]) -> _Node:
        return self.negation([self.one_of(parts)])

    def is_null(self, parts: list[Any]) -> _Node:
        inner = parts[0].evaluate
        return self._operator(lambda properties: inner(properties) is None, parts)

    def is_not_null(self, parts: list[Any]) -> _Node:
        return self.negation([self.is_null(parts)])

    def negative(self, parts: list[Any]) -> _Node:
        inner = parts[0]

        def evaluate(properties: Properties) -> Value:
            value = inner.evaluate(properties)
            return -value if _is_number(value) else None

        return _Node(evaluate, depth=inner.depth + 1)

    def _logical(self, parts: list[Any], decisive: bool) -> _Node:
        """OR or AND of any number of operands: one decisive value decides, else NULL prevails."""
        operands = [_as_boolean(part).evaluate for part in parts]

        def evaluate(properties: Properties) -> Value:
            unknown = False
            for operand in operands:
                value = operand(properties)
                if value is decisive:
                    return decisive
                unknown |= value is None
            return None if unknown else not decisive

        return self._operator(evaluate, parts)

    def _ordering(self, parts: list[Any], holds: Callable[[int], bool]) -> _Node:
        for part in parts:
            if part.boolean or (part.constant is not None and not _is_number(part.constant[0])):
                raise ExpressionError("<, <=, > and >= compare numbers and properties")
        left, right = parts[0].evaluate, parts[1].evaluate

        def evaluate(properties: Properties) -> Value:
            first = left(properties)
            if first is None:
                return None  # the other side is not evaluated, and cannot fail
            second = right(properties)
            if second is None:
                return None
            if isinstance(first, str) and isinstance(second, str):
                # Two texts are ordered as numbers.
                first, second = _number(first, 0.0), _number(second, 0.0)
            order = _compare(first, second)
            return order is not None and holds(order)

        return self._operator(evaluate, parts)

    @staticmethod
    def _check_range(low: _Node, high: _Node) -> None:
        if low.constant is None or high.constant is None:
            return
        first, second = low.constant[0], high.constant[0]
        if _is_number(first) and _is_number(second) and first > second:
            raise ExpressionError(f"BETWEEN {first} AND {second}: write the lower one first")

    @staticmethod
    def _operator(evaluate: Evaluate, parts: list[Any]) -> _Node:
        depth = 1 + max(part.depth for part in parts)
        if depth > DEPTH_MAX:
            raise ExpressionError(f"operators nest deeper than {DEPTH_MAX}")
        return _Node(evaluate, boolean=True, depth=depth)

    @staticmethod
    def _constant(value: Value) -> _Node:
        return _Node(lambda _: value, constant=(value,))


def _as_boolean(node: _Node) -> _Node:
    """An operand of a logical operator: a value that is neither TRUE, FALSE nor NULL counts as FALSE."""
    if node.boolean:
        return node
    if node.constant is not None:
        if node.constant[0] is None or isinstance(node.constant[0], bool):
            return node
        raise ExpressionError(f"{node.constant[0]!r} is neither true nor false")
    if node.name is None:
        raise ExpressionError("a value with a sign is neither true nor false")
    inner = node.evaluate

    def evaluate(properties: Properties) -> Value:
        value = inner(properties)
        return None if value is None else value is True

    return _Node(evaluate, boolean=True, depth=node.depth)


def _is_boolean(node: _Node) -> bool:
    """Whether it is TRUE or FALSE, written out."""
    return node.constant is not None and isinstance(node.constant[0], bool)


def _negated(value: Value) -> Value:
    return None if value is None else not value


def _is_number(value: Value) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(left: Value, right: Value) -> Value:
    if left is None and right is None:
        return True
    if left is None:
        return None
    if right is None:
        return False
    return _compare(left, right) == 0


def _compare(left: Value, right: Value) -> int | None:
    """Java's compareTo after RocketMQ's conversions; None where the two kinds cannot be compared.

    Raises ValueError where a text is no number of the wanted kind, TypeError where RocketMQ fails on a cast.
    """
    if isinstance(left, bool):
        if isinstance(right, str):
            raise TypeError("RocketMQ cannot compare TRUE or FALSE on the left with a text")
        return _order(left, right) if isinstance(right, bool) else None
    if isinstance(left, str):
        if isinstance(right, str):
            return _order(left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass"))
        if isinstance(right, bool):
            return _order(left.lower() == "true", right)
        return _compare_numbers(_number(left, right), right)
    if isinstance(right, bool):
        return None
    return _compare_numbers(left, _number(right, left) if isinstance(right, str) else right)


def _number(text: str, like: Value) -> int | float:
    """A text as a number of the other side's kind: 32 bits, 64 bits or floating."""
    if isinstance(like, float):
        bare = text.strip(_TRIMMED)
        if hexadecimal := _HEX_FLOATING.fullmatch(bare):
            return _from_hex(hexadecimal[1])
        if not _FLOATING.fullmatch(bare):
            raise ValueError(f"{text!r} is no floating number")
        return float(bare.rstrip("fFdD") if bare[-1:] not in "yN" else bare)
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no whole number")
    value, most = int(text), _LONG_MAX
    if isinstance(like, int) and -_INT_MAX <= like <= _INT_MAX:
        # -2147483648 is not among them: Java negates 2147483648, which has 64 bits, and keeps those.
        most = _INT_MAX
    if not -most - 1 <= value <= most:
        raise ValueError(f"{text!r} does not fit")
    return value


def _from_hex(text: str) -> float:
    """As Java reads it: what is too large is infinite."""
    try:
        return float.fromhex(text)
    except OverflowError:
        return -math.inf if text.startswith("-") else math.inf


def _compare_numbers(left: Any, right: Any) -> int:
    if isinstance(left, float) or isinstance(right, float):
        return _order(_double_key(float(left)), _double_key(float(right)))
    return _order(left, right)


def _double_key(value: float) -> tuple[bool, float, bool]:
    """Java orders NaN after everything and -0.0 before 0.0."""
    if math.isnan(value):
        return True, 0.0, False
    return False, value, math.copysign(1.0, value) > 0


def _order(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


@lru_cache(maxsize=COMPILED_MAX)
def compile_expression(text: str) -> Expression:
    """Read an expression; ExpressionError says what is wrong with it. The result is remembered."""
    if len(text) > EXPRESSION_CHARS_MAX:
        raise ExpressionError(f"an expression of {len(text)} characters; at most {EXPRESSION_CHARS_MAX} are read")
    from lark.exceptions import LarkError, UnexpectedToken, VisitError

    parser = _parser()
    reading = parser.parse_interactive(text)
    try:
        try:
            for _ in reading.iter_parse():
                pass
        except UnexpectedToken:
            if "$END" not in reading.accepts():
                raise
        node = _as_boolean(reading.feed_eof())
    except VisitError as error:
        raise ExpressionError(f"the expression {text!r}: {error.orig_exc}") from error
    except LarkError as error:
        raise ExpressionError(f"the expression {text!r} cannot be read: {error}") from error
    return Expression(text, node.evaluate)


@lru_cache(maxsize=1)
def _parser() -> Any:
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", transformer=_Builder(), maybe_placeholders=False)
