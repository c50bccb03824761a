"""Tables of the judge's database: made from Python's rows, or empty for what was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import duckdb

from mqcheck.history.tables import Table, column_type


def create_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]
) -> None:
    """Make table ``name`` with ``columns`` (SQL type by name) and fill it with ``rows``, each in the columns' order.

    The rows go in as one text: DuckDB looks for pandas at each single value it is given, in vain where there is none,
    and that takes longer than all the rest. Called by the loader and by ``facts``.
    """
    connection.execute(f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in columns.items())})")
    objects = [dict(zip(columns, row, strict=True)) for row in rows]
    if objects:
        shape = json.dumps([dict(columns)])
        text = f"INSERT INTO {name} SELECT unnest(from_json(?, '{shape}'), recursive := true)"
        connection.execute(text, [json.dumps(objects)])


def create_recorded(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Make a recorded table without rows. Called by the loader and by ``parquet``."""
    columns = ", ".join(f"{column} {column_type(column)}" for column in table.all_columns())
    connection.execute(f"CREATE TABLE {table.name} ({columns})")
