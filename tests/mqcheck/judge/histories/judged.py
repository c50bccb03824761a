"""What the judge says of a made-up history."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path

import duckdb
from sqlglot import exp

from histories.healthy import Healthy, healthy
from histories.rows import Builder, Row
from mqcheck.history.choices import CHOSEN
from mqcheck.history.facts import STATEMENTS, make_facts
from mqcheck.history.helpers import expanded_tree
from mqcheck.history.loader import load, load_tables
from mqcheck.history.tables import FACTS
from mqcheck.judge.engine import judge_tables
from mqcheck.judge.plan_file import read_plan
from mqcheck.judge.verdicts import Verdict
from mqcheck.specs import Guarantee, Specs

FACT_QUERIES = {name: statement.partition(" AS\n")[2] for name, statement in STATEMENTS.items()}
FACT_QUERIES |= dict.fromkeys(CHOSEN, "SELECT 1 FROM sends, subscriptions")
"""What each fact is derived from; of those that are more than a statement, only their tables."""
ROUTES_OF = {"nodes", "registrations", "routes"}
"""The loader makes rows of ``routes`` of these."""


def judged(history: Builder, specs: Specs, folder: Path, guarantee: str) -> Verdict:
    """The verdict of one guarantee that is aimed at, over a history written to a folder and loaded from there."""
    one = specs.get(guarantee)
    history.aims = [guarantee]
    with loaded(history, folder, facts_read(one)) as connection:
        (verdict,) = judge_tables(connection, read_plan(folder), Specs((one,), specs.folders))
    return verdict


@contextmanager
def loaded(history: Builder, folder: Path, facts: Collection[str] = FACTS) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables and facts of a history that differs little from the healthy run.

    Only the tables that differ are written, loaded and derived from, into a database of the history's own; a name that
    is not found there is looked up in the database of the healthy run. Of ``streams``, ``lines`` is what was written.
    """
    changed = changed_tables(history)
    history.write(folder, changed)
    connection = _healthy_database().cursor()
    connection.execute("ATTACH ':memory:' AS own")
    connection.execute("SET search_path = 'own,memory'")
    try:
        load_tables(folder, connection, changed)
        differing = [fact for fact in FACTS if changed & reads(FACT_QUERIES[fact])]
        make_facts(connection, [fact for fact in differing if fact in facts])
        for fact in differing:
            if fact not in facts:  # hides the healthy run's: a query that reads it fails
                connection.execute(f"CREATE TABLE {fact} (not_made BOOLEAN)")
        yield connection
    finally:
        connection.close()
        _healthy_database().execute("DETACH own")


def changed_tables(history: Builder) -> set[str]:
    """The recorded tables that are not as in the healthy run."""
    healthy_rows = _healthy_history().rows
    changed = {table for table, rows in history.rows.items() if not _alike(rows, healthy_rows[table])}
    return changed | {"routes"} if changed & ROUTES_OF else changed


def _alike(rows: list[Row], others: list[Row]) -> bool:
    """Rows that say the same, most of them because they are the same objects."""
    pairs = zip(rows, others, strict=False)
    return len(rows) == len(others) and all(one is two or one.content() == two.content() for one, two in pairs)


def facts_read(guarantee: Guarantee) -> frozenset[str]:
    """The facts that a guarantee's queries read, themselves or through facts."""
    texts = (f"SELECT {guarantee.applies}", guarantee.exercised, guarantee.violations, guarantee.inconclusive)
    texts += (guarantee.seen, guarantee.figures)
    return frozenset(FACTS).intersection(chain.from_iterable(reads(text) for text in texts if text))


@cache
def reads(query: str) -> frozenset[str]:
    """The recorded tables and the facts that a query reads, itself or through facts."""
    found = {table.name for table in expanded_tree(query).find_all(exp.Table)}
    return frozenset(found).union(*(reads(FACT_QUERIES[name]) for name in found if name in FACT_QUERIES))


@cache
def _healthy_history() -> Healthy:
    return healthy()


@cache
def _healthy_database() -> duckdb.DuckDBPyConnection:
    """The tables and facts of the healthy run, kept by this process with room for another database beside it."""
    with tempfile.TemporaryDirectory() as folder:
        return load(_healthy_history().write(Path(folder)))
