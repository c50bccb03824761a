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


def test_a_life_shows_its_own_row_from_its_beginning_on(builder: ModuleType, tmp_path: Path) -> None:
    history = builder.Builder()
    history.span("sends", 0, 20, message=7, topic="T", mode="sync")
    history.entry("nodes", node="broker-a", role="broker", life=1, spawned=30, ended=80, how="crash", exit_code=253)
    connection = load_tables(history.write(tmp_path))
    (op,) = connection.execute("SELECT op FROM nodes").fetchall()
    (row,) = condense(connection, ("op",), [op])
    (line,) = row["life"]
    assert line.startswith("+30.0 ms nodes: process=kit node=broker-a role=broker life=1 ended=")
    assert line.endswith(f"how=crash exit_code=253 [op {op[0]}]")


def test_several_messages_and_operations_each_keep_their_own_life(builder: ModuleType, tmp_path: Path) -> None:
    history = builder.Builder()
    for message in (7, 8, 9):
        history.span("sends", 10 * message, 200, message=message, topic="T", mode="sync")
    for number in range(2):
        history.span("replies", 300 + number, 310, {"answers": number}, probe="p", node="broker-a")
    connection = load_tables(history.write(tmp_path))
    ops = [op for (op,) in connection.execute("SELECT op FROM replies ORDER BY answers").fetchall()]
    rows = [(9, None, 1), (None, ops[1], 2), (7, ops[0], 3), (7, ops[1], 4), (None, ops[0], 5), (None, None, 6)]
    kept = condense(connection, ("message", "op", "invoked"), rows)
    told = [[line.split(" ms ")[1] for line in row["life"]] for row in kept]
    sent = {message: [f"sends: kit sync to T [op {message - 6}]"] for message in (7, 8, 9)}
    shown = "replies: process=kit returned=5000310000000 outcome=ok probe=p node=broker-a oneway=False"
    reply = [[f"{shown} answers={number} strays=0 [op {op}]"] for number, op in enumerate(ops)]
    assert told == [sent[9], reply[1], sent[7], sent[7], reply[0], []]


def test_rows_are_counted_by_queue() -> None:
    rows = [("a", 0)] * 3 + [("b", 1)] * 5 + [("c", None), ("d", 0), ("e", 0), ("f", 0)]
    assert by_place(("broker", "queue"), rows) == "b/1: 5, a/0: 3, c/?: 1, d/0: 1, 2 places more"
    assert by_place(("broker",), [("a",)]) == "a: 1"
    assert by_place(("message",), [(1,)]) == ""
