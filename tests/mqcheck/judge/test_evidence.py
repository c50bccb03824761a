"""Evidence is condensed: the first rows by time, counts by queue, the lines of history concerned."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from mqcheck.history.loader import load_tables
from mqcheck.judge.evidence import LIFE_LINES_MAX, by_place, condense
from mqcheck.judge.verdicts import EVIDENCE_ROWS_MAX


@pytest.fixture
def folder(builder: ModuleType, tmp_path: Path) -> Path:
    """One message delivered often, one raw request."""
    history = builder.Builder()
    history.span("sends", 10, 20, message=7, topic="T", mode="sync")
    for number in range(40):
        history.point("deliveries", 30 + number, message=7, consumer_group="g", member="m", topic="T")
    history.span("replies", 90, 95, {"answers": 2}, probe="p", node="broker-a")
    folder: Path = history.write(tmp_path)
    return folder


def test_the_first_rows_by_time_are_kept(folder: Path) -> None:
    connection = load_tables(folder)
    rows = [(number, 1000 - number) for number in range(20)]
    kept = condense(connection, ("place", "invoked"), [*rows, (99, None)])
    assert [row["invoked"] for row in kept] == [1000 - number for number in range(19, 19 - EVIDENCE_ROWS_MAX, -1)]
    assert all(row["life"] == [] for row in kept)


def test_the_life_of_a_message_is_told_in_order_and_cut_in_the_middle(folder: Path) -> None:
    connection = load_tables(folder)
    (row,) = condense(connection, ("message",), [(7,)])
    lines = row["life"]
    assert len(lines) == LIFE_LINES_MAX + 1
    assert "sends: kit sync to T" in lines[0]
    assert lines[LIFE_LINES_MAX // 2] == f"({41 - LIFE_LINES_MAX} lines more)"
    assert "deliveries: g m from T" in lines[-1]


def test_an_operation_shows_its_own_row(folder: Path) -> None:
    connection = load_tables(folder)
    (op,) = connection.execute("SELECT op FROM replies").fetchall()
    (row,) = condense(connection, ("op",), [op])
    (line,) = row["life"]
    assert "replies: process=kit" in line
    assert "answers=2" in line


def test_rows_are_counted_by_queue() -> None:
    rows = [("a", 0)] * 3 + [("b", 1)] * 5 + [("c", None), ("d", 0), ("e", 0), ("f", 0)]
    assert by_place(("broker", "queue"), rows) == "b/1: 5, a/0: 3, c/?: 1, d/0: 1, 2 places more"
    assert by_place(("broker",), [("a",)]) == "a: 1"
    assert by_place(("message",), [(1,)]) == ""
