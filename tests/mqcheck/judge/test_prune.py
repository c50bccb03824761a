"""Queries over empty tables are skipped only where they surely bring nothing."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from mqcheck.history.helpers import expand
from mqcheck.history.loader import load
from mqcheck.judge.prune import brings_nothing, empty_tables
from mqcheck.specs import Specs

EMPTY = frozenset({"locks", "replies"})


@pytest.mark.parametrize(
    ("query", "nothing"),
    [
        ("SELECT l.op FROM locks l", True),
        ("SELECT s.op FROM sends s JOIN locks l ON l.op = s.op", True),
        ("SELECT s.op FROM sends s LEFT JOIN locks l ON l.op = s.op", False),
        ("SELECT s.op FROM sends s ANTI JOIN locks l ON l.op = s.op", False),
        ("SELECT s.op FROM sends s SEMI JOIN locks l ON l.op = s.op", True),
        ("SELECT s.op FROM sends s WHERE NOT EXISTS (SELECT 1 FROM locks l)", False),
        ("SELECT l.op FROM locks l UNION ALL SELECT r.op FROM replies r", True),
        ("SELECT l.op FROM locks l UNION ALL SELECT s.op FROM sends s", False),
        ("WITH a AS (SELECT l.op FROM locks l) SELECT a.op FROM a", True),
        ("WITH locks AS (SELECT s.op FROM sends s) SELECT l.op FROM locks l", False),
        ("SELECT x.op FROM (SELECT l.op FROM locks l) x", True),
        ("SELECT count(*) AS n FROM locks l", False),
        ("SELECT x.n FROM (SELECT count(*) AS n FROM locks l) x", False),
        ("SELECT l.topic, count(*) FROM locks l GROUP BY l.topic", True),
        ("SELECT 1", False),
    ],
)
def test_only_what_surely_brings_nothing(query: str, nothing: bool) -> None:
    assert brings_nothing(query, EMPTY) is nothing


def test_a_count_of_nothing_is_nothing() -> None:
    assert brings_nothing("SELECT count(*) FROM locks l", EMPTY, number=True)
    assert not brings_nothing("SELECT (SELECT count(*) FROM locks l) + 1", EMPTY, number=True)


def test_skipping_never_changes_an_answer(builder: ModuleType, specs: Specs, tmp_path: Path) -> None:
    history = builder.Builder()
    history.span("sends", 10, 20, message=7, topic="T", mode="sync")
    history.point("deliveries", 30, message=7, consumer_group="g", member="m", topic="T")
    history.write(tmp_path)
    connection = load(tmp_path)
    empty = empty_tables(connection)
    assert "locks" in empty
    assert "sends" not in empty
    skipped = 0
    for guarantee in specs:
        exercised = expand(guarantee.exercised, guarantee.tolerance_ms)
        if brings_nothing(exercised, empty, number=True):
            skipped += 1
            row = connection.execute(exercised).fetchone()
            assert row is not None
            assert not row[0], guarantee.id
        for text in (guarantee.violations, guarantee.seen, guarantee.inconclusive):
            if text and brings_nothing(query := expand(text, guarantee.tolerance_ms), empty):
                skipped += 1
                assert connection.execute(query).fetchall() == [], guarantee.id
    assert skipped > len(specs)
