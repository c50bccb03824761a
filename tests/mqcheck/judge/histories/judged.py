"""What the judge says of a made-up history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from histories.rows import Builder
from mqcheck.history.facts import STATEMENTS, make_facts
from mqcheck.history.helpers import DIALECT, expanded_tree
from mqcheck.history.loader import load_tables
from mqcheck.history.tables import FACTS, TABLES
from mqcheck.judge.engine import judge_tables
from mqcheck.judge.plan_file import read_plan
from mqcheck.judge.verdicts import Verdict
from mqcheck.specs import Guarantee, Specs

KEPT = {"config", "faults", "nodes", "phases", "stalls"}
"""Small tables that the judge itself asks."""
SELECTED = "SELECT 1 FROM sends, subscriptions"
"""What the one fact reads that is more than a statement."""


@cache
def read_by(guarantee: Guarantee) -> frozenset[str]:
    """The recorded tables and the facts that its queries read, themselves or through facts."""
    texts = (f"SELECT {guarantee.applies}", guarantee.exercised, guarantee.violations, guarantee.inconclusive)
    names: set[str] = set()
    for text in texts:
        if text:
            names |= {table.name for table in expanded_tree(text).find_all(exp.Table)}
    return _with_sources(frozenset(names)) | KEPT


@cache
def _with_sources(names: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    for name in names:
        if name in FACTS:
            trees = sqlglot.parse_one(STATEMENTS.get(name, SELECTED), dialect=DIALECT).find_all(exp.Table)
            found |= {name} | _with_sources(frozenset(tree.name for tree in trees if tree.name != name))
        elif name in TABLES:
            found.add(name)
    return frozenset(found)


def judged(history: Builder, specs: Specs, folder: Path, guarantee: str, *, whole: bool = False) -> Verdict:
    """The verdict of one guarantee that is aimed at, over a history written to a folder and loaded from there.

    Only what the guarantee's queries read is written and derived; ``whole``: everything, as evidence shows more.
    """
    one = specs.get(guarantee)
    read = read_by(one)
    history.aims = [guarantee]
    history.rows = [row for row in history.rows if whole or row.table in read]
    history.write(folder)
    with database() as connection:
        load_tables(folder, connection)
        make_facts(connection, [name for name in FACTS if name in read])
        (verdict,) = judge_tables(connection, read_plan(folder), Specs((one,), specs.folders))
    return verdict


@contextmanager
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database within one that this process keeps: to make one anew takes longer than most judging."""
    connection = _engine().cursor()
    connection.execute("ATTACH ':memory:' AS history")
    connection.execute("USE history")
    yield connection
    connection.execute("USE memory")
    connection.execute("DETACH history")
    connection.close()


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": 1, "preserve_insertion_order": False})
