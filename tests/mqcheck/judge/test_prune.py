"""Queries for whose filters a history has no row are skipped, and only where they surely bring nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from mqcheck.history.helpers import expand
from mqcheck.history.loader import load
from mqcheck.judge.prune import all_ways, brings_nothing, narrowed, unmatched, ways
from mqcheck.specs import Specs


@pytest.fixture(scope="module")
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """Locks is empty; sends holds an acknowledged sync send of message 7, faults a kill."""
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE TABLE locks (op BIGINT, topic VARCHAR, granted BOOLEAN)")
    connection.execute("CREATE TABLE replies (op BIGINT)")
    connection.execute("CREATE TABLE sends (op BIGINT, message BIGINT, mode VARCHAR, tag VARCHAR, code INTEGER)")
    connection.execute("INSERT INTO sends VALUES (1, 7, 'sync', NULL, 0)")
    connection.execute("CREATE TABLE faults (op BIGINT, kind VARCHAR, t BIGINT)")
    connection.execute("INSERT INTO faults VALUES (1, 'kill', 5)")
    yield connection
    connection.close()


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
    return narrowed(query, 0, unmatched(connection, wanted) | {("faults", "(mode = 'sync')")})


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
        (text, guarantee.tolerance_ms, text == guarantee.exercised)
        for guarantee in specs
        for text in (guarantee.exercised, guarantee.violations, guarantee.seen, guarantee.inconclusive)
        if text
    ]
    asked = [ways(text, tolerance_ms, number=number) for text, tolerance_ms, number in questions]
    absent = unmatched(connection, chain.from_iterable(map(all_ways, specs)))
    assert ("sends", "(mode = 'sync')") not in absent
    assert "locks" in {table for table, _ in absent}
    skipped_count = narrowed_count = 0
    for (text, tolerance_ms, number), way in zip(questions, asked, strict=True):
        if brings_nothing(way, absent):
            skipped_count += 1
            rows = connection.execute(expand(text, tolerance_ms)).fetchall()
            assert not rows or (number and not rows[0][0]), text
        elif (short := narrowed(text, tolerance_ms, absent)) != expand(text, tolerance_ms):
            narrowed_count += 1
            assert set(connection.execute(short).fetchall()) == set(
                connection.execute(expand(text, tolerance_ms)).fetchall()
            )
    assert skipped_count > len(specs)
    assert narrowed_count
