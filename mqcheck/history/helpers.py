"""Expands the judging helpers of queries in the syntax tree, so that they exist in every SQL engine.

Helpers: ``ms(x)``, ``cfg(key)``, ``cfg_of(node, key)``, ``cfg_text(node, key)``, ``surely_before(a, b)``,
``may_overlap(a, b)``, ``within_fault(kind[, target], t)``, ``surely_in_fault(kind[, target], t)``, ``slack(t0, t1)``,
``worst_stall(t0, t1)``, ``tolerance()``, ``phase_end(name)``.
Every argument is put in parentheses, and expansion repeats until no helper is left: text substitution gets
``ms(d - 1)`` and ``ms(cfg(k))`` silently wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import sqlglot
from sqlglot import exp

from mqcheck.errors import SpecsError

DIALECT: Final = "duckdb"
"""The dialect in which guarantees are written; a subset that also transpiles to cluster engines."""

ROUNDS_MAX: Final = 32
"""Deepest nesting of helpers; ours: more means that a helper expands into itself."""

_NEVER: Final = "CAST(9000000000000000000 AS BIGINT)"
_FAULT: Final = (
    "EXISTS (SELECT 1 FROM faults AS hf WHERE hf.kind = {kind}{target} AND {t} >= hf.{since} AND {t} <= {until})"
)


def _ms(x: str) -> str:
    return f"(CAST({x} AS BIGINT) * 1000000)"


def _cfg(key: str) -> str:
    return f"(SELECT max(TRY_CAST(hc.setting AS BIGINT)) FROM config AS hc WHERE hc.key = {key})"


def _cfg_of(node: str, key: str) -> str:
    return (
        "(SELECT max(TRY_CAST(hc.setting AS BIGINT)) FROM config AS hc "
        f"WHERE hc.key = {key} AND (hc.node = {node} OR hc.node = '*'))"
    )


def _cfg_text(node: str, key: str) -> str:
    return f"(SELECT max(hc.setting) FROM config AS hc WHERE hc.key = {key} AND (hc.node = {node} OR hc.node = '*'))"


def _slack(t0: str, t1: str) -> str:
    return (
        f"(coalesce((SELECT sum(least(hs.ended, {t1}) - greatest(hs.began, {t0})) FROM stalls AS hs "
        f"WHERE hs.ended > {t0} AND hs.began < {t1}), 0) + (SELECT max(he.error_ns) FROM clock_error AS he))"
    )


def _worst_stall(t0: str, t1: str) -> str:
    return (
        "(SELECT arg_max(coalesce(hs.part, hs.process) || ' ' || "
        "CAST((hs.ended - hs.began) // 1000000 AS VARCHAR) || ' ms', hs.ended - hs.began) "
        f"FROM stalls AS hs WHERE hs.ended > {t0} AND hs.began < {t1})"
    )


def _phase_end(name: str) -> str:
    return f"(SELECT max(hp.ended) FROM phases AS hp WHERE hp.name = {name})"


def _within_fault(kind: str, *rest: str) -> str:
    return _fault_text(kind, rest, "began", f"coalesce(hf.healed, {_NEVER})")


def _surely_in_fault(kind: str, *rest: str) -> str:
    return _fault_text(kind, rest, "active", "hf.healing AND hf.confirmed")


def _fault_text(kind: str, rest: tuple[str, ...], since: str, until: str) -> str:
    target = f" AND (hf.node = {rest[0]} OR hf.link = {rest[0]})" if len(rest) == 2 else ""
    return _FAULT.format(kind=kind, target=target, t=rest[-1], since=since, until=until)


_TEXTUAL: Final[dict[str, tuple[tuple[int, ...], Callable[..., str]]]] = {
    "ms": ((1,), _ms),
    "cfg": ((1,), _cfg),
    "cfg_of": ((2,), _cfg_of),
    "cfg_text": ((2,), _cfg_text),
    "slack": ((2,), _slack),
    "worst_stall": ((2,), _worst_stall),
    "phase_end": ((1,), _phase_end),
    "within_fault": ((2, 3), _within_fault),
    "surely_in_fault": ((2, 3), _surely_in_fault),
}
_PAIRS: Final = ("surely_before", "may_overlap")

HELPERS: Final = (*_TEXTUAL, *_PAIRS, "tolerance")
"""Names of all helpers."""


@lru_cache(maxsize=2048)
def expand(query: str, tolerance_ms: int = 0) -> str:
    """``query`` with every helper expanded, in DuckDB's dialect; raises SpecsError when it cannot be parsed."""
    return write(expanded_tree(query, tolerance_ms))


@lru_cache(maxsize=2048)
def expanded_tree(query: str, tolerance_ms: int = 0) -> exp.Expression:
    """The syntax tree of ``query`` with every helper expanded, kept and therefore not to be changed; see `expand`."""
    try:
        tree: Any = sqlglot.parse_one(query, dialect=DIALECT)
    except sqlglot.errors.SqlglotError as error:
        raise SpecsError(f"not a query that can be read: {error}; the query: {query.strip()[:200]}") from error
    return expand_tree(tree, tolerance_ms)


def write(tree: exp.Expression) -> str:
    """A tree's SQL, without the copy that protects it from a change of dialect: the dialect stays, and copying
    takes four times as long as writing. Called by the judge too.
    """
    text: str = tree.sql(dialect=DIALECT, copy=False)
    return text


def expand_tree(tree: exp.Expression, tolerance_ms: int = 0) -> exp.Expression:
    """The syntax tree with every helper expanded, innermost ones in later rounds as well."""
    for _ in range(ROUNDS_MAX):
        calls = _calls(tree)
        if not calls:
            return tree
        for call in calls:
            replacement = _expansion(call, tolerance_ms)
            if call is tree:
                tree = replacement
            else:
                call.replace(replacement)
    raise SpecsError(f"helpers are nested deeper than {ROUNDS_MAX}: {write(tree)[:200]}")


def _calls(tree: exp.Expression) -> list[exp.Anonymous]:
    """Helper calls that contain no other helper call: inner ones first, so that an argument is expanded once."""
    found = [node for node in tree.find_all(exp.Anonymous) if node.name.lower() in HELPERS]
    return [
        node
        for node in found
        if not any(inner is not node and inner.name.lower() in HELPERS for inner in node.find_all(exp.Anonymous))
    ]


def _expansion(call: exp.Anonymous, tolerance_ms: int) -> exp.Expression:
    name = call.name.lower()
    arguments = list(call.expressions)
    if name in _PAIRS:
        _check_count(name, arguments, (2,))
        text = _pair(name, *(_interval(call, argument) for argument in arguments))
    elif name == "tolerance":
        _check_count(name, arguments, (0,))
        text = f"CAST({tolerance_ms * 1_000_000} AS BIGINT)"
    else:
        counts, make = _TEXTUAL[name]
        _check_count(name, arguments, counts)
        text = make(*(f"({write(argument)})" for argument in arguments))
    return exp.Paren(this=sqlglot.parse_one(text, dialect=DIALECT))


def _check_count(name: str, arguments: list[exp.Expression], counts: tuple[int, ...]) -> None:
    if len(arguments) not in counts:
        wanted = " or ".join(str(count) for count in counts)
        raise SpecsError(f"{name}() takes {wanted} arguments, not {len(arguments)}; specs/README.md lists the helpers")


def _pair(name: str, a: tuple[str, str], b: tuple[str, str]) -> str:
    before = "({0} IS NOT NULL AND {0} < {1})"
    if name == "surely_before":
        return before.format(a[1], b[0])
    return f"(NOT {before.format(a[1], b[0])} AND NOT {before.format(b[1], a[0])})"


def _interval(call: exp.Anonymous, argument: exp.Expression) -> tuple[str, str]:
    """Beginning and end of an argument: an operation's alias gives its two stamps, anything else is one moment."""
    if isinstance(argument, exp.Column) and not argument.table and argument.name in _aliases(call):
        alias = write(exp.to_identifier(argument.name))
        return f"{alias}.invoked", f"{alias}.returned"
    text = f"({write(argument)})"
    return text, text


def _aliases(call: exp.Expression) -> set[str]:
    """Names of the tables that are in scope at a call, those of enclosing queries included."""
    names: set[str] = set()
    node: Any = call
    while node is not None:
        if isinstance(node, exp.Select):
            sources = [node.args.get("from") or node.args.get("from_"), *(node.args.get("joins") or [])]
            names |= {source.this.alias_or_name for source in sources if source is not None}
        node = node.parent
    return names
