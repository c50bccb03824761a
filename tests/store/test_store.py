"""Histories of earlier days are judged as they were: what held holds, what was violated is, and nothing else is."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import duckdb
import pytest
from entries import COMMITTED, ENTRIES, PATHS, accept, differences, noted, pack, unpack, verdicts_of

from mqcheck.history.loader import load_tables
from mqcheck.history.tables import TABLES
from mqcheck.judge.queries import cache_folder, warm_up
from mqcheck.specs import Specs, load_specs

STORED = sorted(COMMITTED.glob("*.zip"))
BYTES_MAX = 3_000_000
"""All of them together: they are in git for ever."""
BY_NAME = {entry.name: entry for entry in ENTRIES}


@functools.cache
def specs() -> Specs:
    found = load_specs()
    warm_up(found, cache_folder(os.environ))
    return found


def test_a_dozen_is_stored_of_every_kind_and_no_more_than_git_should_hold() -> None:
    names = {path.stem for path in STORED}
    kinds = {("sabotage" if e.sabotage else "odd" if e.odd else "healthy") for e in ENTRIES if e.name in names}
    assert len(names) >= 12
    assert kinds == {"healthy", "sabotage", "odd"}
    assert sum(path.stat().st_size for path in STORED) < BYTES_MAX


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_history_is_judged_as_it_was(path: Path, tmp_path: Path) -> None:
    folder = unpack(path, tmp_path)
    recorded = noted(folder)
    changed = differences(recorded, verdicts_of(folder, specs()))
    assert changed == [], "where today is right: python tests/store/record.py --accept --into tests/store/histories"
    entry = BY_NAME.get(path.stem)
    if entry is not None and entry.sabotage:
        caught = [each.id for each in specs() if entry.sabotage in each.sabotage]
        assert [recorded[guarantee] for guarantee in caught] == ["violated"]
    elif entry is not None:
        assert "violated" not in recorded.values()


@pytest.mark.parametrize("path", STORED[:1], ids=lambda path: path.stem)
def test_nothing_says_where_it_was_recorded(path: Path, tmp_path: Path) -> None:
    folder = unpack(path, tmp_path / "folder")
    connection = load_tables(folder)
    assert places_in(connection) == []
    assert "/tmp/" not in (folder / "plan.json").read_text(encoding="utf-8")
    assert connection.execute("SELECT DISTINCT boot FROM streams").fetchall() == [("boot",)]
    connection.close()


def places_in(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Texts with a path."""
    found = []
    for table in TABLES:
        columns = [name for name, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall() if kind == "VARCHAR"]
        for column in columns:
            query = f"SELECT {column} FROM {table} WHERE regexp_matches({column}, ?)"
            found += [text for (text,) in connection.execute(query, [PATHS]).fetchall()]
    return found


def test_a_history_that_is_accepted_as_it_is_does_not_change(tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    pack(unpack(STORED[0], tmp_path / "folder"), again, specs())
    before = again.read_bytes()
    assert accept(again, specs()) == []
    assert again.read_bytes() == before


def test_differences() -> None:
    recorded = {"a": "held", "b": "violated", "c": "not exercised", "d": "inconclusive", "e": "held"}
    assert differences(recorded, recorded) == []
    assert differences(recorded, {**recorded, "c": "held", "d": "not exercised", "f": "held"}) == []
    today = {"a": "violated", "b": "held", "c": "violated", "d": "inconclusive", "f": "violated"}
    assert differences(recorded, today) == [
        "a: was held, is violated",
        "b: was violated, is held",
        "e: was held, is no guarantee any more",
        "c: was not exercised, is violated",
        "f: was no guarantee, is violated",
    ]
