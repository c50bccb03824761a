"""The expansion of judging helpers: in the tree, with parentheses, until none is left."""

from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqcheck.errors import SpecsError
from mqcheck.history.helpers import DIALECT, HELPERS, expand, expanded_tree
from mqcheck.specs import load_specs

TABLES = """
CREATE TABLE config (node VARCHAR, key VARCHAR, setting VARCHAR);
INSERT INTO config VALUES ('a', 'x_ms', '3000'), ('b', 'x_ms', '5000'), ('*', 'all_ms', '7'), ('a', 'mode', 'SYNC');
CREATE TABLE stalls (process VARCHAR, began BIGINT, ended BIGINT, part VARCHAR);
INSERT INTO stalls VALUES ('kit', 100, 300, NULL), ('kit', 900, 1000, NULL), ('c', 200, 250000200, NULL);
INSERT INTO stalls VALUES ('kit', -3000000, -1000000, 'toxiproxy 2');
CREATE TABLE clock_error (error_ns BIGINT);
INSERT INTO clock_error VALUES (5);
CREATE TABLE phases (name VARCHAR, began BIGINT, ended BIGINT);
INSERT INTO phases VALUES ('load', 0, 10), ('recover', 10, 70);
CREATE TABLE faults
    (kind VARCHAR, node VARCHAR, link VARCHAR, began BIGINT, active BIGINT, healing BIGINT, healed BIGINT,
     confirmed BOOLEAN);
INSERT INTO faults VALUES ('kill', 'a', NULL, 10, 20, 30, 40, TRUE), ('down', NULL, 'p->a', 50, 60, NULL, NULL, TRUE),
    ('pause', 'a', NULL, 10, 20, 30, 40, FALSE);
CREATE TABLE spans (op BIGINT, invoked BIGINT, returned BIGINT);
INSERT INTO spans VALUES (1, 10, 20), (2, 21, 30), (3, 15, NULL);
"""


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect(":memory:")
    made.execute(TABLES)
    return made


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("ms(2500)", 2_500_000_000),
        ("ms(cfg('x_ms') - 1)", 4_999_000_000),
        ("2 * ms(1 + 1)", 4_000_000),
        ("cfg_of('a', 'x_ms')", 3000),
        ("cfg_of('a', 'all_ms')", 7),
        ("cfg_of('c', 'x_ms')", None),
        ("cfg_text('a', 'mode')", "SYNC"),
        ("cfg('mode')", None),
        ("slack(150, 180)", 35),
        ("slack(2, 3)", 5),
        ("slack(0, 1000)", 200 + 100 + 800 + 5),
        ("worst_stall(0, 1000)", "c 250 ms"),
        ("worst_stall(0, 50)", None),
        ("worst_stall(-2500000, -1500000)", "toxiproxy 2 2 ms"),
        ("tolerance()", 1_500_000_000),
        ("phase_end('recover')", 70),
        ("within_fault('kill', 15)", True),
        ("surely_in_fault('kill', 15)", False),
        ("surely_in_fault('kill', 'a', 25)", True),
        ("surely_in_fault('kill', 'b', 25)", False),
        ("within_fault('down', 'p->a', 5000)", True),
        ("within_fault('pause', 'a', 25)", True),
        ("surely_in_fault('pause', 'a', 25)", False),
        ("surely_in_fault('down', 'p->a', 5000)", None),
        ("surely_before(5, 6)", True),
        ("surely_before(6, 6)", False),
    ],
)
def test_a_helper_means_what_is_documented(
    connection: duckdb.DuckDBPyConnection, expression: str, value: object
) -> None:
    row = connection.execute(expand(f"SELECT {expression}", 1_500)).fetchone()
    assert row is not None
    assert (row[0] or None if value is None else row[0]) == value


def test_operations_compare_by_their_intervals(connection: duckdb.DuckDBPyConnection) -> None:
    before = "SELECT a.op, b.op FROM spans a JOIN spans b ON surely_before(a, b) ORDER BY a.op, b.op"
    assert connection.execute(expand(before)).fetchall() == [(1, 2)]
    overlap = "SELECT a.op, b.op FROM spans a JOIN spans b ON a.op < b.op AND may_overlap(a, b) ORDER BY a.op, b.op"
    assert connection.execute(expand(overlap)).fetchall() == [(1, 3), (2, 3)]


def test_an_alias_of_an_enclosing_query_is_in_scope(connection: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT a.op FROM spans a WHERE EXISTS (SELECT 1 FROM spans b WHERE surely_before(a, b))"
    assert connection.execute(expand(query)).fetchall() == [(1,)]


@pytest.mark.parametrize(
    "text", ["ms()", "ms(1, 2)", "slack(1)", "tolerance(1)", "within_fault('x')", "surely_before(a)"]
)
def test_a_wrong_number_of_arguments_is_told(text: str) -> None:
    with pytest.raises(SpecsError, match=r"takes .* arguments, not \d; specs/README.md lists the helpers"):
        expand(f"SELECT {text}")


def test_a_query_that_cannot_be_read_is_told() -> None:
    with pytest.raises(SpecsError, match="not a query that can be read"):
        expand("SELECT (1")


NUMBERS = st.integers(min_value=-1000, max_value=1000)


@st.composite
def nested(draw: st.DrawFn, depth: int = 0) -> tuple[str, int]:
    """An expression of nested helpers and its value in exact arithmetic."""
    number = draw(NUMBERS)
    if depth >= 4 or draw(st.booleans()):
        return (f"{number}" if number >= 0 else f"(-{-number})"), number
    inner, value = draw(nested(depth + 1))
    shape = draw(st.sampled_from(["ms", "minus", "tolerance", "slack"]))
    if shape == "ms" and abs(value) < 10**9:
        return f"ms({inner} - {abs(number)})", (value - abs(number)) * 1_000_000
    if shape == "tolerance":
        return f"({inner} + tolerance())", value + 1_500_000_000
    if shape == "slack":
        return f"({inner} + slack({10**12}, {10**12 + 1}))", value + 5
    return f"({inner} - {abs(number)})", value - abs(number)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=nested())
def test_nesting_never_changes_the_arithmetic(connection: duckdb.DuckDBPyConnection, case: tuple[str, int]) -> None:
    expression, value = case
    expanded = expand(f"SELECT CAST({expression} AS HUGEINT)", 1_500)
    assert not re.search(rf"\b({'|'.join(HELPERS)})\s*\(", expanded)
    assert connection.execute(expanded).fetchone() == (value,)


def test_writing_a_query_leaves_its_tree_as_it_was() -> None:
    for guarantee in load_specs():
        for query in filter(None, (guarantee.exercised, guarantee.violations, guarantee.inconclusive, guarantee.seen)):
            tree = expanded_tree(query, guarantee.tolerance_ms)
            before = repr(tree)
            assert expand(query, guarantee.tolerance_ms) == tree.sql(dialect=DIALECT)
            assert repr(tree) == before, guarantee.id
