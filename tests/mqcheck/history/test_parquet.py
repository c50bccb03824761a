"""Tables as Parquet: the same when they are read again, also by a version that knows more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqcheck.errors import HistoryError
from mqcheck.history.loader import load, load_tables
from mqcheck.history.parquet import CONTENTS, write_parquet

LINES: tuple[dict[str, Any], ...] = (
    {"e": "streams", "t": 1, "format": 1, "run": "r", "process": "kit", "number": 0, "life": 0, "boot": "b"},
    {"e": "sends", "w": "b", "t": 10, "op": 1, "message": 5, "topic": "t"},
    {"e": "attempts", "w": "b", "t": 11, "op": 2, "message": 5, "attempt": 0},
    {"e": "attempts", "w": "e", "t": 12, "op": 2, "outcome": "ok"},
    {"e": "sends", "w": "e", "t": 13, "op": 1, "outcome": "ok"},
)

SENT = "SELECT message, fate, invoked, returned, tag, delay_level FROM sent"
EXPECTED = [(5, "acked", 10, 13, None, 0)]


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of a history of which only the tables are left, after some statements."""

    def made(*statements: str) -> Path:
        (tmp_path / "events").mkdir()
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in LINES)
        (tmp_path / "events" / "kit.0.jsonl").write_text(text, encoding="utf-8")
        connection = load_tables(tmp_path)
        for statement in statements:
            connection.execute(statement)
        write_parquet(connection, tmp_path)
        connection.close()
        (tmp_path / "events" / "kit.0.jsonl").unlink()
        return tmp_path

    return made


def sent(folder: Path) -> list[tuple[Any, ...]]:
    connection = load(folder)
    try:
        return connection.execute(SENT).fetchall()
    finally:
        connection.close()


def test_tables_and_facts_are_the_same(stored: Callable[..., Path]) -> None:
    assert sent(stored()) == EXPECTED


def test_a_column_that_an_older_version_did_not_store_has_its_usual_value(stored: Callable[..., Path]) -> None:
    folder = stored("ALTER TABLE sends DROP COLUMN tag", "ALTER TABLE sends DROP COLUMN delay_level")
    assert sent(folder) == EXPECTED


def test_a_table_that_an_older_version_did_not_have_is_empty(stored: Callable[..., Path]) -> None:
    folder = stored()
    path = folder / "tables" / CONTENTS
    contents = json.loads(path.read_text(encoding="utf-8"))
    del contents["rows"]["locks"]
    path.write_text(json.dumps(contents), encoding="utf-8")
    (folder / "tables" / "locks.parquet").unlink()
    assert sent(folder) == EXPECTED


def test_rows_that_were_not_counted_are_taken_as_they_are(stored: Callable[..., Path]) -> None:
    folder = stored()
    (folder / "tables" / CONTENTS).unlink()
    assert sent(folder) == EXPECTED


@pytest.mark.parametrize("counted", [True, False])
def test_a_table_that_is_missing_is_told(stored: Callable[..., Path], counted: bool) -> None:
    folder = stored()
    if not counted:
        (folder / "tables" / CONTENTS).unlink()
    (folder / "tables" / "sends.parquet").unlink()
    with pytest.raises(HistoryError, match=r"sends\.parquet is missing"):
        load(folder)


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [("{", r"contents\.json: "), ('{"rows": 3}', r"contents\.json: "), ('{"rows": {"sends": 7}}', "1 rows, not the 7")],
)
def test_contents_that_do_not_fit_are_told(stored: Callable[..., Path], contents: str, complaint: str) -> None:
    folder = stored()
    (folder / "tables" / CONTENTS).write_text(contents, encoding="utf-8")
    with pytest.raises(HistoryError, match=complaint):
        load(folder)
