"""Rows of evidence: times since the start, and links to the life of a message."""

from __future__ import annotations

from typing import Any

from mqcheck.report.evidence import Drawn, first_link, table_of

START = 175_000_000_000
LIVES = {"304": {"head": {}, "events": []}}
DRAWN = Drawn(7, {"start_ns": START, "length_ms": 5000.0, "messages": LIVES, "operations": {"400": 304}})


def verdict(*rows: dict[str, Any], reason: str = "") -> dict[str, Any]:
    return {"evidence": list(rows), "reason": reason}


def test_times_are_ms_since_the_start_and_ids_stay_numbers() -> None:
    row = {"message": 304, "acked_at": START + 1_500_000, "queue_offset": START + 5, "after_ns": 2_500_000, "node": "b"}
    table = table_of(verdict({**row, "life": ["a", "b"]}), [DRAWN])
    assert table.columns == ("message", "acked_at", "queue_offset", "after_ns", "node")
    assert table.rows[0].cells == (304, "+1.5 ms", START + 5, "2.5 ms", "b")
    assert table.rows[0].life == "a\nb"


def test_a_message_leads_to_its_life_also_by_its_operation() -> None:
    table = table_of(verdict({"message": 304}, {"message": None, "op": 400}, {"op": 999}), [DRAWN])
    assert [row.link for row in table.rows] == ["#scenario-7/message-304", "#scenario-7/message-304", ""]


def test_what_is_about_no_message_leads_to_its_moment() -> None:
    table = table_of(verdict({"op": 1, "asked": START + 2_000_000_000, "broker": "b"}), [DRAWN])
    assert (table.rows[0].link, table.rows[0].link_text) == ("#scenario-7/at-2000", "that moment")


def test_evidence_of_a_repetition_leads_to_the_repetition() -> None:
    again = Drawn(8, DRAWN.timeline)
    told = verdict({"message": 304}, reason="2 rows of evidence; not in the first run, but in repetition 1")
    assert first_link(told, [DRAWN, again]) == "#scenario-8/message-304"
    assert first_link(told, [DRAWN]) == ""
    assert first_link(verdict({"message": 304}), [DRAWN, again]) == "#scenario-7/message-304"


def test_without_a_timeline_there_are_rows_and_no_links() -> None:
    for runs in ([], [Drawn(3, {})]):
        table = table_of(verdict({"message": 304, "acked_at": START}), runs, with_life=False)
        assert table.rows[0].cells == (304, START)
        assert (table.rows[0].link, table.rows[0].life) == ("", "")
