"""Queries for whose filters a history has no row are skipped, and only where they surely bring nothing."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from mqcheck.history.loader import load
from mqcheck.judge.prune import brings_nothing, narrowed, unmatched
from mqcheck.judge.queries import Asked, exercised, inconclusive, ready, violations
from mqcheck.judge.ways import ways
from mqcheck.specs import Specs

NARROWED = {
    "SELECT s.op FROM sends s WHERE NOT EXISTS (SELECT 1 FROM locks l WHERE l.op = s.op)": "NOT FALSE",
    "SELECT s.op FROM sends s WHERE EXISTS (SELECT 1 FROM faults f WHERE f.op = s.op AND f.kind = 'pause')": "FALSE",
    "SELECT s.op FROM sends s WHERE NOT EXISTS (SELECT 1 FROM faults f WHERE f.kind = 'kill' "
    "AND EXISTS (SELECT 1 FROM locks l WHERE l.op = f.op))": "AND FALSE",
    "SELECT s.op FROM sends s WHERE NOT EXISTS (SELECT 1 FROM faults f WHERE f.kind = 'pause' "
    "AND EXISTS (SELECT 1 FROM sends l WHERE l.op = f.op))": "NOT FALSE",
    "WITH a AS (SELECT s.op FROM sends s WHERE EXISTS (SELECT 1 FROM locks l)) SELECT a.op FROM a": "FALSE",
}
"""Queries, and what is written in the place of an EXISTS that finds nothing."""

AS_THEY_ARE = (
    "SELECT s.op FROM sends s WHERE EXISTS (SELECT 1 FROM faults f WHERE f.op = s.op)",
    "SELECT s.op FROM sends s WHERE EXISTS (SELECT 1 FROM faults f WHERE mode = 'sync')",
    "SELECT s.op FROM sends s WHERE EXISTS (SELECT count(*) FROM locks l)",
    "WITH locks AS (SELECT s.op FROM sends s) SELECT f.op FROM faults f WHERE EXISTS (SELECT 1 FROM locks l)",
    "WITH sends AS (SELECT f.op, 'async' AS mode FROM faults f) "
    "SELECT f.op FROM faults f WHERE EXISTS (SELECT 1 FROM sends s WHERE s.mode = 'async')",
)
"""Queries that bring a row because of an EXISTS that could be taken for empty."""


def narrow(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    filters = {(table, "") for table in ("locks", "replies", "sends", "faults")}
    filters |= {("sends", "(mode = 'async')"), ("faults", "(kind = 'pause')")}
    wanted = [frozenset([frozenset([each])]) for each in filters]
    # The last is what a column of the outer query would be taken for, were it not left out.
    return narrowed(ready(Asked(query, 0)), unmatched(connection, wanted) | {("faults", "(mode = 'sync')")})


@pytest.mark.parametrize("query", NARROWED)
def test_an_exists_that_finds_nothing_is_false(tables: duckdb.DuckDBPyConnection, query: str) -> None:
    text = narrow(tables, query)
    assert NARROWED[query] in text
    assert tables.execute(text).fetchall() == tables.execute(query).fetchall()


@pytest.mark.parametrize("query", AS_THEY_ARE)
def test_an_exists_that_may_find_something_stays(tables: duckdb.DuckDBPyConnection, query: str) -> None:
    text = narrow(tables, query)
    assert "FALSE" not in text
    assert tables.execute(text).fetchall() == tables.execute(query).fetchall() != []


def test_a_filter_that_fails_alone_counts_as_passed(tables: duckdb.DuckDBPyConnection) -> None:
    guarded = ways("SELECT s.op FROM sends s WHERE CAST(s.mode AS BIGINT) = 1")
    assert unmatched(tables, [guarded]) == frozenset()


def test_skipping_never_changes_an_answer(builder: ModuleType, specs: Specs, tmp_path: Path) -> None:
    history = builder.Builder()
    history.span("sends", 10, 20, message=7, topic="T", mode="sync")
    history.point("deliveries", 30, message=7, consumer_group="g", member="m", topic="T")
    history.write(tmp_path)
    connection = load(tmp_path)
    questions = [
        asked
        for guarantee in specs
        for asked in (exercised(guarantee), violations(guarantee), inconclusive(guarantee))
        if asked.text
    ]
    absent = unmatched(connection, chain.from_iterable(ready(asked).all_ways() for asked in questions))
    assert ("sends", "(mode = 'sync')") not in absent
    assert "locks" in {table for table, _ in absent}
    skipped_count = narrowed_count = 0
    for asked in questions:
        query = ready(asked)
        if brings_nothing(query.ways, absent):
            skipped_count += 1
            rows = connection.execute(query.text).fetchall()
            assert not rows or (asked.number and not rows[0][0]), query.text
        elif (short := narrowed(query, absent)) != query.text:
            narrowed_count += 1
            assert set(connection.execute(short).fetchall()) == set(connection.execute(query.text).fetchall())
    assert skipped_count > len(specs)
    assert narrowed_count
