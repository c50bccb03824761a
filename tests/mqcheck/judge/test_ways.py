"""A query's syntax tree tells which filters decide that it brings nothing, and only where it surely does."""

from __future__ import annotations

import duckdb
import pytest

from mqcheck.judge.prune import brings_nothing, unmatched
from mqcheck.judge.ways import ways

NOTHING = (
    "SELECT l.op FROM locks l",
    "SELECT s.op FROM sends s JOIN locks l ON l.op = s.op",
    "SELECT s.op FROM sends s SEMI JOIN locks l ON l.op = s.op",
    "SELECT l.op FROM locks l UNION ALL SELECT r.op FROM replies r",
    "WITH a AS (SELECT l.op FROM locks l) SELECT a.op FROM a",
    "SELECT x.op FROM (SELECT l.op FROM locks l) x",
    "SELECT l.topic, count(*) FROM locks l GROUP BY l.topic",
    "SELECT s.op FROM sends s WHERE s.mode = 'async'",
    "SELECT op FROM sends WHERE mode = 'async' AND message > 3",
    "SELECT s.op FROM sends s WHERE s.tag = 'x'",
    "SELECT s.op FROM faults f JOIN sends s ON s.op = f.op AND s.mode = 'oneway'",
    "SELECT s.op FROM faults f JOIN sends s ON s.op = f.op WHERE f.kind IN ('pause', 'down')",
    "SELECT s.op FROM sends s LEFT JOIN faults f ON f.op = s.op WHERE s.mode = 'async'",
    "WITH a AS (SELECT f.t FROM faults f WHERE f.kind = 'pause') SELECT s.op FROM sends s JOIN a ON s.op > a.t",
    "SELECT f.kind, count(*) FROM faults f WHERE f.kind = 'pause' GROUP BY f.kind",
)
"""Queries that bring nothing, as their syntax and the filters without rows show."""

UNSURE = (
    "SELECT s.op FROM sends s LEFT JOIN locks l ON l.op = s.op",
    "SELECT s.op FROM sends s ANTI JOIN locks l ON l.op = s.op",
    "SELECT s.op FROM sends s WHERE NOT EXISTS (SELECT 1 FROM locks l)",
    "SELECT l.op FROM locks l UNION ALL SELECT s.op FROM sends s",
    "WITH locks AS (SELECT s.op FROM sends s) SELECT l.op FROM locks l",
    "WITH sends AS (SELECT f.op, 'async' AS mode FROM faults f) SELECT s.op FROM sends s WHERE s.mode = 'async'",
    "SELECT count(*) AS n FROM locks l",
    "SELECT 1 FROM locks l HAVING count(*) = 0",
    "SELECT x.n FROM (SELECT count(*) AS n FROM locks l) x",
    "SELECT f.op FROM faults f LEFT JOIN sends s ON s.op = f.op AND s.mode = 'async'",
    "SELECT f.op FROM sends s RIGHT JOIN faults f ON f.op = s.op AND s.mode = 'async'",
    "SELECT f.op FROM faults f LEFT JOIN sends s ON s.op = f.t WHERE s.op IS NULL",
    "SELECT s.op FROM sends s WHERE s.mode = 'sync' OR s.tag = 'x'",
    "SELECT s.op FROM sends s WHERE s.mode = 'async' OR EXISTS (SELECT 1 FROM faults f WHERE f.kind = 'kill')",
    "SELECT f.op FROM faults f JOIN sends s ON s.op = f.op WHERE f.t = s.op + 4",
    "SELECT 1",
)
"""Queries that have to be run: all but the first of them bring rows, or might."""


def skipped(connection: duckdb.DuckDBPyConnection, query: str, *, number: bool = False) -> bool:
    found = ways(query, number=number)
    return brings_nothing(found, unmatched(connection, [found]))


@pytest.mark.parametrize("query", NOTHING)
def test_a_query_whose_filter_no_row_passes_is_skipped(tables: duckdb.DuckDBPyConnection, query: str) -> None:
    assert tables.execute(query).fetchall() == []
    assert skipped(tables, query)


@pytest.mark.parametrize("query", UNSURE)
def test_any_other_query_is_run(tables: duckdb.DuckDBPyConnection, query: str) -> None:
    assert tables.execute(query).fetchall() != []
    assert not skipped(tables, query)


def test_a_count_of_nothing_is_nothing(tables: duckdb.DuckDBPyConnection) -> None:
    assert skipped(tables, "SELECT count(*) FROM locks l", number=True)
    assert skipped(tables, "SELECT count(*) FROM sends s WHERE s.mode = 'async'", number=True)
    assert not skipped(tables, "SELECT count(*) FROM sends s", number=True)
    assert not skipped(tables, "SELECT 3 - count(*) FROM locks l", number=True)
    assert not skipped(tables, "SELECT (SELECT count(*) FROM locks l) + 1", number=True)
