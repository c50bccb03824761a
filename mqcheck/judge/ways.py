"""Reads off a query's syntax tree how it may surely bring no row: which tables' rows have to pass which filters.

Works on expanded queries and looks at no history; `prune` does, with what is found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, product
from typing import Any, Final

from sqlglot import exp

from mqcheck.history.helpers import expanded_tree, write
from mqcheck.history.tables import FACTS, TABLES
from mqcheck.judge.prune import Ways

_NAMES: Final = frozenset((*TABLES, *FACTS))
_NEVER: Final[Ways] = frozenset()
_WAYS_MAX: Final = 64
"""Ways kept for one query; ours: unions of unions multiply them, and the first ones do."""


def ways(query: str, tolerance_ms: int = 0, *, number: bool = False) -> Ways:
    """How a guarantee's query (helpers not yet expanded) may surely bring no row; with ``number``: count nothing.

    Raises SpecsError when it cannot be read. Called by `queries`.
    """
    return _query_ways(expanded_tree(query, tolerance_ms), {}, number=number)


def ways_within(query: str, tolerance_ms: int = 0) -> tuple[tuple[str, Ways], ...]:
    """Every EXISTS of a query that may surely find nothing, as it is written in the expanded query, outer ones before
    those inside them, and how. Raises SpecsError when the query cannot be read. Called by `queries`.
    """
    tree = expanded_tree(query, tolerance_ms)
    unknown: dict[str, Ways] = {cte.alias_or_name: _NEVER for cte in tree.find_all(exp.CTE)}
    return tuple(
        (write(each), found)
        for each in tree.find_all(exp.Exists)
        if (found := _query_ways(each.this, unknown, inner=True))
    )


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
