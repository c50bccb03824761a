"""The catalogue of tables: one name, one type, everywhere."""

from __future__ import annotations

from mqcheck.history.tables import BIGINTS, BOOLEANS, DEFAULTS, FACTS, INTEGERS, TABLES, TIMES, column_type


def test_a_column_has_one_type() -> None:
    assert not BIGINTS & INTEGERS
    assert not BIGINTS & BOOLEANS
    assert not INTEGERS & BOOLEANS
    assert TIMES <= BIGINTS


def test_every_typed_column_is_used() -> None:
    used = {column for table in TABLES.values() for column in table.all_columns()}
    loader_own = {"lines", "wall_ns", "format", "number", "pid", "batch_size", "transactional", "value"}
    assert BIGINTS | INTEGERS | BOOLEANS | set(DEFAULTS) <= used | loader_own


def test_shapes_give_their_columns() -> None:
    assert TABLES["sends"].all_columns()[:5] == ("op", "process", "invoked", "returned", "outcome")
    assert TABLES["deliveries"].all_columns()[:3] == ("op", "process", "t")
    assert "outcome" in TABLES["sends"].stream_columns()
    assert "outcome" not in TABLES["faults"].stream_columns()
    assert all(len(set(table.all_columns())) == len(table.all_columns()) for table in TABLES.values())


def test_types() -> None:
    assert column_type("invoked") == "BIGINT"
    assert column_type("queue") == "INTEGER"
    assert column_type("granted") == "BOOLEAN"
    assert column_type("topic") == "VARCHAR"


def test_facts_have_names_of_their_own() -> None:
    assert not set(FACTS) & set(TABLES)
