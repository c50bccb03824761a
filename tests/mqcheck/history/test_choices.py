"""Which messages a group's expressions choose, and which they surely do not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from mqcheck.history.choices import make_choice
from mqcheck.history.tables import TABLES, column_type

MESSAGES: tuple[tuple[int, str | None, str | None], ...] = (
    (1, "A", '{"price":"60"}'),
    (2, "B", '{"price":"40"}'),
    (3, None, None),
    (4, "A", '{"price":"many"}'),
)


def chosen(*rules: tuple[str, str], fact: str) -> set[int]:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    for name in ("sends", "subscriptions"):
        columns = ", ".join(f"{column} {column_type(column)}" for column in TABLES[name].all_columns())
        connection.execute(f"CREATE TABLE {name} ({columns})")
    for row in MESSAGES:
        connection.execute("INSERT INTO sends (message, topic, tag, properties) VALUES (?, 'T', ?, ?)", row)
    for rule in rules:
        insert = (
            "INSERT INTO subscriptions (consumer_group, topic, expression_type, expression) VALUES ('g', 'T', ?, ?)"
        )
        connection.execute(insert, rule)
    make_choice(connection, fact)
    found: list[Any] = connection.execute(f"SELECT message FROM {fact}").fetchall()
    assert len(found) == len(set(found))
    return {message for (message,) in found}


@pytest.mark.parametrize(
    ("rules", "selected", "rejected"),
    [
        ([("TAG", "*")], {1, 2, 3, 4}, set()),
        ([("TAG", "A")], {1, 4}, {2, 3}),
        ([("TAG", "A"), ("TAG", "A || B")], {1, 4}, {3}),
        ([("SQL92", "price > 50")], {1}, {2, 3}),
        ([("SQL92", "price > 50 OR TAGS = 'B'")], {1, 2}, {3}),
        ([("SQL92", "price LIKE 'x'")], set(), set()),
        ([("TAG", "A"), ("SQL92", "price > 50")], {1}, {2, 3}),
        ([], set(), set()),
    ],
)
def test_what_all_expressions_say_alike(rules: list[tuple[str, str]], selected: set[int], rejected: set[int]) -> None:
    assert chosen(*rules, fact="selected") == selected
    assert chosen(*rules, fact="rejected") == rejected
