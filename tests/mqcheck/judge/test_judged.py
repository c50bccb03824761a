"""The judge's made-up histories: what is taken from the healthy run is what loading everything would give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest
from clauses import CASES
from histories.judged import changed_tables, facts_read, loaded

from mqcheck.history.loader import load
from mqcheck.history.tables import FACTS, TABLES
from mqcheck.specs import Specs

History = Any


def contents(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Of each table, how many rows it has and the sum of their hashes; of ``streams`` without the count of lines."""
    tables = {name: name for name in ("clock_error", *TABLES, *FACTS)}
    tables["streams"] = "(SELECT * EXCLUDE (lines) FROM streams)"
    query = "SELECT '{0}', (count(*), sum(hash(r))) FROM {1} r"
    return dict(connection.execute(" UNION ALL ".join(query.format(*each) for each in tables.items())).fetchall())


def check(history: History, folder: Path) -> None:
    """The short way and the long one give the same."""
    with loaded(history, folder / "short") as connection:
        short = contents(connection)
    connection = load(history.write(folder / "long"))
    assert short == contents(connection)
    connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES[::40], ids=lambda case: f"{case.guarantee}-{case.clause.replace(' ', '-')}")
def test_a_case_has_the_tables_of_its_history(builder: ModuleType, tmp_path: Path, case: Any) -> None:
    history = builder.healthy()
    for step in case.steps:
        step(history)
    check(history, tmp_path)


def another_process(history: History) -> None:
    """First in the order of processes, so that all streams have other numbers, and first of all to write."""
    history.entry("stalls", began=-10, ended=5).process = "a"


def another_broker(history: History) -> None:
    history.entry("nodes", node="x", role="broker", broker="broker-x", life=0, spawned=1)


def nothing_registered(history: History) -> None:
    history.remove("registrations")


def changed_in_type_alone(history: History) -> None:
    """True for 1: equal to Python, another line to the loader."""
    for table in ("replies", "attempts"):
        row = history.find(table)[0]
        row.set(code=row.get("code") == 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "changed"),
    [
        (lambda history: history.find("sends"), set()),
        (another_process, {"stalls"}),
        (another_broker, {"nodes", "routes"}),
        (nothing_registered, {"registrations", "routes"}),
        (lambda history: history.find("routes")[0].set(code=1), {"routes"}),
        (changed_in_type_alone, {"replies", "attempts"}),
    ],
    ids=["nothing", "process", "broker", "registrations", "route", "type"],
)
def test_only_changed_tables_are_loaded_again(
    builder: ModuleType, tmp_path: Path, step: Callable[[History], Any], changed: set[str]
) -> None:
    history = builder.healthy()
    step(history)
    assert changed_tables(history) == changed
    check(history, tmp_path)


def test_a_fact_that_was_not_asked_for_is_not_the_healthy_one(builder: ModuleType, tmp_path: Path) -> None:
    history = builder.healthy()
    history.remove("sends")
    with loaded(history, tmp_path, ["selected"]) as connection:
        assert connection.execute("SELECT count(*) FROM selected").fetchall() == [(0,)]
        assert connection.execute("SELECT count(message) FROM handled").fetchall() != [(0,)]
        with pytest.raises(duckdb.BinderException):
            connection.execute("SELECT count(message) FROM sent")


def test_the_facts_of_a_guarantee_are_those_its_queries_read_through_others_too(specs: Specs) -> None:
    assert facts_read(specs.get("con-no-skip")) >= {"prefix_done", "got_at", "handled"}
