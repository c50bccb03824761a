"""The recorded tables as Parquet: a tenth of the events' size, and as good to judge from.

Only what was recorded is stored; the facts follow from it. See ``loader`` for events.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import duckdb

from mqcheck.errors import HistoryError
from mqcheck.history.rows import create_recorded
from mqcheck.history.tables import DEFAULTS, TABLES

CONTENTS: Final = "contents.json"
"""Rows by table, so that a part of the folder is not taken for the whole."""

OWN: Final = ("streams", "clock_error")
"""The loader's own tables."""


def write_parquet(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Store the tables as ``tables/<name>.parquet`` in a history folder. Called by the judge's child."""
    target = folder / "tables"
    target.mkdir(exist_ok=True)
    rows: dict[str, int] = {}
    for name in (*OWN, *TABLES):
        path = _quoted(target / f"{name}.parquet")
        copied = connection.execute(f"COPY {name} TO {path} (FORMAT parquet, COMPRESSION zstd)").fetchall()
        rows[name] = copied[0][0]
    (target / CONTENTS).write_text(json.dumps({"rows": rows}) + "\n", encoding="utf-8")


def load_parquet(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Fill an empty database from a ``tables`` folder. Raises HistoryError where a part of it is missing.

    A table that is younger than the history is empty, and a column has its usual value: nobody wrote them down.
    """
    rows = _contents(folder)
    for name in (*OWN, *TABLES):
        if name in TABLES:
            create_recorded(connection, TABLES[name])
        if rows is None or name in rows or name in OWN:
            _take(connection, name, folder / f"{name}.parquet", None if rows is None else rows.get(name))


def _contents(folder: Path) -> dict[str, int] | None:
    """Rows by table; None for a folder of the time before they were counted: every table must be there."""
    path = folder / CONTENTS
    if not path.exists():
        return None
    try:
        return {str(name): int(count) for name, count in json.loads(path.read_text(encoding="utf-8"))["rows"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HistoryError(f"{path}: {error!r}: copy the whole tables/ folder, or judge from events/") from error


def _take(connection: duckdb.DuckDBPyConnection, name: str, path: Path, rows: int | None) -> None:
    if not path.exists():
        raise HistoryError(f"{path} is missing: copy the whole tables/ folder, or judge from events/")
    source = f"read_parquet({_quoted(path)})"
    if name in TABLES:
        known = {column for column, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
        columns = TABLES[name].all_columns()
        values = ", ".join(column if column in known else DEFAULTS.get(column, "NULL") for column in columns)
        taken = connection.execute(f"INSERT INTO {name} SELECT {values} FROM {source}").fetchall()
    else:
        taken = connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {source}").fetchall()
    if rows not in (None, taken[0][0]):
        raise HistoryError(f"{path} has {taken[0][0]} rows, not the {rows} it was written with: copy it again")


def _quoted(path: Path) -> str:
    """As an SQL text."""
    return "'" + str(path).replace("'", "''") + "'"
