"""Whole lives of the first messages, never more than fits, in the order of time."""

from __future__ import annotations

from typing import Any

import histories
import pytest

from mqcheck.repro.choose import OPERATIONS_MAX, chosen_operations, timetable


def piece(message: int) -> dict[str, Any]:
    return {"message": message, "broker": "broker-a", "queue": 0, "topic": "T", "queue_offset": message}


def test_a_life_is_whole_and_shows_who_is_in_its_place(connection: Any) -> None:
    shown = chosen_operations(connection, [piece(0), piece(1)])
    assert [each.table for each in shown] == ["sends", "attempts", "sends", "attempts", "readings", "final_log"]
    assert [each.at_ms for each in shown] == [0, 0, 1, 1, 80, 80]
    told = [each.told() for each in shown]
    assert told[0].startswith("p sends (sync) message 0 to T, unique key K0")
    assert "SEND_OK, at offset 0, after 1.0 ms" in told[1]
    assert told[4].startswith("final reading of T broker-a/0, whole")
    assert "finds message 77 in T broker-a/0 offset 0" in told[5]


def test_no_more_than_fits(connection: Any) -> None:
    assert {each.row.get("message") for each in chosen_operations(connection, [piece(0), piece(2), piece(1)])} == {
        *(0, 77, None)
    }
    alone = chosen_operations(connection, [piece(2)])
    assert len(alone) == OPERATIONS_MAX
    assert (alone[0].table, alone[-1].table) == ("sends", "readings")


def test_an_operation_of_no_message_is_shown_by_itself(connection: Any) -> None:
    (op,) = connection.execute("SELECT op FROM readings").fetchone()
    (shown,) = chosen_operations(connection, [{"op": op, "expected": "x"}])
    assert (shown.table, shown.at) == ("readings", histories.ns(90))
    assert chosen_operations(connection, [{"count": 3}]) == []


def test_the_timetable_counts_from_the_first_operation(connection: Any) -> None:
    node, fault = timetable(connection, histories.ns(10))
    assert (node["table"], node["at_ms"], node["ready_ms"], node["ended_ms"]) == ("nodes", -9, -8, 51)
    assert (fault["kind"], fault["began_ms"], fault["healed_ms"]) == ("power-cut", 50, 60)
    assert fault["effect"] == {"dropped": 5}
    with pytest.raises(KeyError):
        fault["began"]
