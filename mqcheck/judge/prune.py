"""Sees that a query, or an EXISTS in it, can bring nothing: no row of a table passes a filter that is put to it.

Most of a small history's judging is planning queries, and a scenario leaves many tables empty or without a kind of row
(a fault, a reset, a delayed message). Asking for all filters at once costs one short query per table, saves most of
the planning, and changes no answer. Which filters a query has is read off its syntax tree by `ways`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import duckdb

Filter = tuple[str, str]
"""A table and a condition in SQL on its columns alone; an empty condition is passed by every row."""

Ways = frozenset[frozenset[Filter]]
"""Each member is enough: if none of its filters is passed by any row, the query brings nothing."""


@dataclass(frozen=True, slots=True)
class Query:
    """One of a guarantee's queries, ready to be put to a history."""

    text: str
    """SQL with every helper expanded."""
    ways: Ways
    """How it may surely bring nothing."""
    within: tuple[tuple[str, Ways], ...] = ()
    """Each EXISTS in it that may surely find nothing, as written in ``text``, and how."""

    def all_ways(self) -> tuple[Ways, ...]:
        """Its own, and those of what it holds."""
        return (self.ways, *(found for _, found in self.within))


def narrowed(query: Query, absent: frozenset[Filter]) -> str:
    """Its SQL with FALSE for each EXISTS that surely finds nothing, given what ``unmatched`` found."""
    text = query.text
    for written, found in query.within:
        if brings_nothing(found, absent):
            text = text.replace(written, "FALSE")
    return text


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
