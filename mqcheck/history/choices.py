"""Which messages a group's expressions choose, and which they surely do not: the facts that are more than a statement.

A group that changes its expression is owed what all of them select, and never gets what none of them does.
"""

from __future__ import annotations

from typing import Final

import duckdb
import msgspec

from mqcheck.history.rows import create_table
from mqcheck.history.tags import selects

CHOSEN: Final = {"selected": True, "rejected": False}
"""Fact → what every expression of the group says of the message."""

_KINDS: Final = "SELECT DISTINCT topic, tag, {properties} FROM sends"
_RULES: Final = "SELECT DISTINCT consumer_group, topic, expression_type, expression FROM subscriptions"
_FACT: Final = """
CREATE TABLE {fact} AS
SELECT r.consumer_group, s.message FROM sends s
JOIN chosen r ON r.topic = s.topic AND coalesce(r.tag, chr(1)) = coalesce(s.tag, chr(1))
    AND (r.properties IS NULL OR r.properties = coalesce(s.properties, '{{}}'))
"""
"""Messages of one kind, by topic and tag, and where properties decide by them too, are chosen alike."""

_Kind = tuple[str, str | None, str | None]


def make_choice(connection: duckdb.DuckDBPyConnection, fact: str) -> None:
    """Make ``selected`` or ``rejected`` of the tables ``sends`` and ``subscriptions``. Called once each per history."""
    wanted = CHOSEN[fact]
    rules: dict[tuple[str, str], list[tuple[str | None, str | None]]] = {}
    for group, topic, kind, expression in connection.execute(_RULES).fetchall():
        rules.setdefault((group, topic), []).append((kind, expression))
    by_properties = {topic for (_, topic), said in rules.items() if any(kind == "SQL92" for kind, _ in said)}
    kinds = {by: _kinds(connection, by) for by in (False, True)}
    chosen = [
        (group, *kind)
        for (group, topic), said in rules.items()
        for kind in kinds[topic in by_properties].get(topic, ())
        if all(_says(rule, kind) is wanted for rule in said)
    ]
    columns = dict.fromkeys(("consumer_group", "topic", "tag", "properties"), "VARCHAR")
    create_table(connection, "chosen", columns, chosen)
    connection.execute(_FACT.format(fact=fact))
    connection.execute("DROP TABLE chosen")


def _kinds(connection: duckdb.DuckDBPyConnection, by_properties: bool) -> dict[str, list[_Kind]]:
    """Topic → its kinds of messages; without properties (NULL) where no expression reads them."""
    properties = "coalesce(properties, '{}')" if by_properties else "CAST(NULL AS VARCHAR)"
    found: dict[str, list[_Kind]] = {}
    for topic, tag, text in connection.execute(_KINDS.format(properties=properties)).fetchall():
        found.setdefault(topic, []).append((topic, tag, text))
    return found


def _says(rule: tuple[str | None, str | None], kind: _Kind) -> bool | None:
    _, tag, text = kind
    return selects(*rule, tag, None if text is None else msgspec.json.decode(text, type=dict[str, str]))
