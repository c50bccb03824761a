"""Sees that a query, or an EXISTS in it, can bring nothing: no row of a table passes a filter that is put to it.

Most of a small history's judging is planning queries, and a scenario leaves many tables empty or without a kind of row
(a fault, a reset, a delayed message). Asking for all filters at once costs one short query per table, saves most of
the planning, and changes no answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, product
from typing import Any, Final

import duckdb
from sqlglot import exp

from mqcheck.errors import SpecsError
from mqcheck.history.helpers import expand, expanded_tree, write
from mqcheck.history.tables import FACTS, TABLES
from mqcheck.specs import Guarantee

Filter = tuple[str, str]
"""A table and a condition in SQL on its columns alone; an empty condition is passed by every row."""

Ways = frozenset[frozenset[Filter]]
"""Each member is enough: if none of its filters is passed by any row, the query brings nothing."""

_NAMES: Final = frozenset((*TABLES, *FACTS))
_NEVER: Final[Ways] = frozenset()
_WAYS_MAX: Final = 64
"""Ways kept for one query; ours: unions of unions multiply them, and the first ones do."""


@lru_cache(maxsize=2048)
def ways(query: str, tolerance_ms: int = 0, *, number: bool = False) -> Ways:
    """How a guarantee's query (helpers not yet expanded) may surely bring no row; with ``number``: count nothing."""
    return _query_ways(expanded_tree(query, tolerance_ms), {}, number=number)


@lru_cache(maxsize=2048)
def _subqueries(query: str, tolerance_ms: int) -> tuple[tuple[str, Ways], ...]:
    """Every EXISTS of an expanded query, as it is written there, outer ones before those inside them."""
    tree = expanded_tree(query, tolerance_ms)
    unknown: dict[str, Ways] = {cte.alias_or_name: _NEVER for cte in tree.find_all(exp.CTE)}
    return tuple(
        (write(each), found)
        for each in tree.find_all(exp.Exists)
        if (found := _query_ways(each.this, unknown, inner=True))
    )


def narrowed(query: str, tolerance_ms: int, absent: frozenset[Filter]) -> str:
    """The expanded query with FALSE for each EXISTS that surely finds nothing, given what ``unmatched`` found."""
    text = expand(query, tolerance_ms)
    for written, found in _subqueries(query, tolerance_ms):
        if brings_nothing(found, absent):
            text = text.replace(written, "FALSE")
    return text


def all_ways(guarantee: Guarantee) -> Iterator[Ways]:
    """Those of each of its queries and of what they hold; one that cannot be read has none, and fails when asked."""
    for text in (guarantee.exercised, guarantee.violations, guarantee.seen, guarantee.inconclusive):
        if text:
            with contextlib.suppress(SpecsError):
                yield ways(text, guarantee.tolerance_ms, number=text is guarantee.exercised)
                yield from (found for _, found in _subqueries(text, guarantee.tolerance_ms))


def unmatched(connection: duckdb.DuckDBPyConnection, queries: Iterable[Ways]) -> frozenset[Filter]:
    """The filters in ``queries`` that no row of their table passes; one that cannot be asked alone counts as passed."""
    wanted: dict[str, set[str]] = {}
    for table, condition in chain.from_iterable(chain.from_iterable(queries)):
        wanted.setdefault(table, set()).add(condition)
    if not wanted:
        return frozenset()
    tables = " UNION ALL ".join(f"SELECT '{table}' WHERE NOT EXISTS (SELECT 1 FROM {table})" for table in wanted)
    empty = {row[0] for row in connection.execute(tables).fetchall()}
    found = {(table, condition) for table in empty for condition in wanted[table]}
    for table in wanted.keys() - empty:
        found |= {(table, condition) for condition in _unpassed(connection, table, sorted(wanted[table] - {""}))}
    return frozenset(found)


def brings_nothing(query: Ways, absent: frozenset[Filter]) -> bool:
    """True when the query surely returns no row, given what ``unmatched`` found; False: it has to be run to know."""
    return any(way <= absent for way in query)


def _unpassed(connection: duckdb.DuckDBPyConnection, table: str, conditions: list[str]) -> list[str]:
    if not conditions:
        return []
    asked = ", ".join(f"bool_or({condition})" for condition in conditions)
    try:
        row = connection.execute(f"SELECT {asked} FROM {table}").fetchone()
    except duckdb.Error:
        return []  # e.g. a cast that another condition of the query guards
    return [condition for condition, passed in zip(conditions, row or (), strict=True) if not passed]


def _query_ways(node: Any, names: Mapping[str, Ways], *, number: bool = False, inner: bool = False) -> Ways:
    """``inner``: within another query, so that a column without its table's alias may be that query's."""
    if isinstance(node, (exp.Subquery, exp.Paren)):
        return _query_ways(node.this, names, inner=inner)
    for cte in getattr(node, "ctes", ()):
        names = {**names, cte.alias_or_name: _query_ways(cte.this, names, inner=inner)}
    if isinstance(node, exp.Union):
        both = product(_query_ways(node.left, names, inner=inner), _query_ways(node.right, names, inner=inner))
        return frozenset([left | right for left, right in both][:_WAYS_MAX])
    if not isinstance(node, exp.Select):
        return _NEVER
    if _speaks_of_nothing(node) and not (number and _is_count(node)):
        return _NEVER
    relations = list(_needed(node))
    conditions = _conjuncts(node.args.get("where"))
    for join in node.args.get("joins") or ():
        if _is_inner(join):
            conditions += _conjuncts(join.args.get("on"))
    single = not inner and len(relations) == 1 and not node.args.get("joins")
    found = chain.from_iterable(_relation_ways(relation, conditions, names, single=single) for relation in relations)
    return frozenset(list(found)[:_WAYS_MAX])


def _speaks_of_nothing(select: Any) -> bool:
    """True when a row may come of no rows: an aggregate over everything."""
    if select.args.get("group"):
        return False
    return bool(select.args.get("having")) or any(item.find(exp.AggFunc) for item in select.expressions)


def _is_count(select: Any) -> bool:
    """True for one plain aggregate, which is zero or NULL where nothing is."""
    return len(select.expressions) == 1 and isinstance(select.expressions[0].unalias(), exp.AggFunc)


def _needed(select: Any) -> Iterator[Any]:
    """The relations that must bring a row: an inner, cross or semi join with nothing leaves nothing, others may."""
    joins = select.args.get("joins") or ()
    source = select.args.get("from_") or select.args.get("from")
    if any(join.side in ("RIGHT", "FULL") for join in joins):
        return
    if source is not None:
        yield source.this
    for join in joins:
        if _is_inner(join):
            yield join.this


def _is_inner(join: Any) -> bool:
    return not join.side and join.kind in ("", "INNER", "CROSS", "SEMI")


def _relation_ways(relation: Any, conditions: list[Any], names: Mapping[str, Ways], *, single: bool) -> Ways:
    if isinstance(relation, exp.Subquery):
        return _query_ways(relation.this, names)
    if not isinstance(relation, exp.Table):
        return _NEVER
    if relation.name in names:
        return names[relation.name]
    if relation.name not in _NAMES:
        return _NEVER
    own = [text for condition in conditions if (text := _own_text(condition, relation.alias_or_name, single=single))]
    return frozenset([frozenset([(relation.name, " AND ".join(own))])])


def _own_text(condition: Any, alias: str, *, single: bool) -> str:
    """The condition as SQL without the alias, when it speaks of this relation's columns alone; else empty."""
    if condition.find(exp.Query, exp.Exists, exp.Window, exp.AggFunc):
        return ""
    columns = list(condition.find_all(exp.Column))
    if not columns or not all(column.table == alias or (single and not column.table) for column in columns):
        return ""
    text = condition.copy()
    for column in text.find_all(exp.Column):
        column.set("table", None)
    return f"({write(text)})"


def _conjuncts(clause: Any) -> list[Any]:
    """The conditions that must all be true, of a WHERE, an ON or a part of them."""
    if clause is None:
        return []
    if isinstance(clause, (exp.Where, exp.Paren)):
        return _conjuncts(clause.this)
    if isinstance(clause, exp.And):
        return [*_conjuncts(clause.left), *_conjuncts(clause.right)]
    return [clause]
