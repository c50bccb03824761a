"""Tables from Python's rows."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqcheck.history.rows import create_table

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ROWS = st.lists(st.tuples(st.none() | TEXT, st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.booleans()))


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


@given(ROWS)
def test_what_goes_in_comes_out(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[str | None, int | None, bool | None]]
) -> None:
    create_table(connection, "made", {"name": "VARCHAR", "number": "BIGINT", "known": "BOOLEAN"}, rows)
    assert connection.execute("SELECT * FROM made ORDER BY rowid").fetchall() == rows
    connection.execute("DROP TABLE made")
