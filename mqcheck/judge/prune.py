"""Sees from its syntax that a query can bring nothing, because a table it must find rows in is empty.

Most of a small history's judging is planning queries; a scenario leaves many tables empty, so this saves much and
changes no answer.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import duckdb
import sqlglot
from sqlglot import exp

from mqcheck.history.helpers import DIALECT
from mqcheck.history.tables import FACTS, TABLES

_NAMES: Final = (*TABLES, *FACTS)


def empty_tables(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Names of the recorded and derived tables that hold no row."""
    query = " UNION ALL ".join(f"SELECT '{name}' WHERE NOT EXISTS (SELECT 1 FROM {name})" for name in _NAMES)
    return frozenset(row[0] for row in connection.execute(query).fetchall())


def brings_nothing(query: str, empty: frozenset[str], *, number: bool = False) -> bool:
    """True when an expanded query surely returns no row; with ``number``: when what it counts is surely nothing.

    False means that it has to be run to know.
    """
    return _nothing(_tree(query), empty, number=number)


@lru_cache(maxsize=2048)
def _tree(query: str) -> Any:
    return sqlglot.parse_one(query, dialect=DIALECT)


def _nothing(node: Any, empty: frozenset[str], *, number: bool = False) -> bool:
    if isinstance(node, (exp.Subquery, exp.Paren)):
        return _nothing(node.this, empty)
    for cte in getattr(node, "ctes", ()):
        alias = cte.alias_or_name
        empty = empty | {alias} if _nothing(cte.this, empty) else empty - {alias}
    if isinstance(node, exp.Union):
        return _nothing(node.left, empty) and _nothing(node.right, empty)
    if not isinstance(node, exp.Select):
        return False
    if not number and not node.args.get("group") and any(item.find(exp.AggFunc) for item in node.expressions):
        return False
    return _source_empty(node, empty) or _join_empty(node, empty)


def _source_empty(node: Any, empty: frozenset[str]) -> bool:
    source = node.args.get("from_") or node.args.get("from")
    return source is not None and _relation_empty(source.this, empty)


def _join_empty(node: Any, empty: frozenset[str]) -> bool:
    """An inner, cross or semi join with nothing leaves nothing; outer and anti joins do not."""
    return any(
        not join.side and join.kind in ("", "INNER", "CROSS", "SEMI") and _relation_empty(join.this, empty)
        for join in node.args.get("joins") or ()
    )


def _relation_empty(relation: Any, empty: frozenset[str]) -> bool:
    if isinstance(relation, exp.Table):
        return relation.name in empty
    return isinstance(relation, exp.Subquery) and _nothing(relation.this, empty)
