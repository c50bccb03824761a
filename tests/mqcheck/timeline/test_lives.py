"""Lives of messages: everything recorded about them, and who is chosen."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from mqcheck.timeline import lives as module
from mqcheck.timeline.lives import lives
from mqcheck.timeline.span import Span


def told(found: dict[str, Any], message: int) -> list[tuple[Any, ...]]:
    words = found["words"]
    events = found["messages"][str(message)]["events"]
    return [(event[0], *(words[number] if number >= 0 else "" for number in event[2:6])) for event in events]


def test_a_life_from_send_to_commit_and_final_reading(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    found, _ = lives(history, span, [11], [])
    assert told(found, 11) == [
        (20.0, "send", "producer-1", "orders", "ok"),
        (20.1, "attempt", "number 0", "broker-a/0", "ok"),
        (25.0, "delivered", "billing billing-1@7", "orders broker-a/0@0", "ok"),
        (25.2, "result", "billing billing-1@7", "", "success"),
        (51.0, "committed", "billing", "orders broker-a/0", "ok"),
        (184.0, "read back", "reading final", "broker-a orders/0@0", "ok"),
    ]
    assert found["messages"]["11"]["head"]["keys"] == "k11"
    assert found["evidence"] == [11]


def test_an_acknowledged_message_that_is_not_read_back_is_missing(
    history: duckdb.DuckDBPyConnection, span: Span
) -> None:
    found, _ = lives(history, span, [12, 13], [])
    assert told(found, 12)[-1] == (185.0, "read back", "reading final", "broker-a orders/0", "missing")
    assert "committed" not in {event[1] for event in told(found, 12)}
    assert [event[1:] for event in told(found, 13)] == [
        ("send", "producer-1", "orders", "unknown"),
        ("attempt", "number 0", "broker-a/?", "unknown"),
    ]


def test_a_queue_that_was_not_read_to_its_end_misses_nothing(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    history.execute("UPDATE readings SET complete = FALSE")
    found, _ = lives(history, span, [12], [])
    assert "missing" not in {event[4] for event in told(found, 12)}


def test_what_comes_again_says_so(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    found, _ = lives(history, span, [14], [])
    assert [event[4] for event in told(found, 14) if event[1] == "delivered"] == ["ok", "again"]
    assert [event[4] for event in told(found, 14) if event[1] == "result"] == ["later", "success"]


def test_an_operation_leads_to_its_message(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    ((delivery,),) = history.execute("SELECT op FROM deliveries WHERE message = 15").fetchall()
    ((result,),) = history.execute(f"SELECT op FROM results WHERE delivery = {delivery}").fetchall()
    found, _ = lives(history, span, [], [result])
    assert found["operations"] == {str(result): 15}
    assert found["evidence"] == [15]


def test_evidence_comes_before_a_sample_and_the_rest_is_counted(
    history: duckdb.DuckDBPyConnection, span: Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE_MAX", 4)
    found, left_out = lives(history, span, [11], [])
    assert len(found["messages"]) == 5
    assert {"11", "12", "16", "14"} <= set(found["messages"])
    assert left_out == {"lives of messages": 1}


def test_an_endless_life_is_cut_in_the_middle(
    history: duckdb.DuckDBPyConnection, span: Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVENTS_MAX", 4)
    found, _ = lives(history, span, [14], [])
    assert [event[1] for event in told(found, 14)] == ["send", "attempt", "result", "read back"]
    assert found["messages"]["14"]["cut"] == 3
