"""Synthetic histories for the judge's tests."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import duckdb
import histories
import pytest

from mqcheck.specs import Specs, load_specs


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    """The package that builds synthetic histories."""
    return histories


@pytest.fixture(scope="session")
def specs() -> Specs:
    """The project's own guarantees."""
    return load_specs()


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
