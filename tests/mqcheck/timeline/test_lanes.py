"""Bars: what lasted, from when to when."""

from __future__ import annotations

import duckdb
import pytest

from mqcheck.timeline import lanes as module
from mqcheck.timeline.lanes import lanes
from mqcheck.timeline.span import Span


def test_lives_of_nodes_with_how_they_ended(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    found, _ = lanes(history, span)
    assert [node["node"] for node in found["nodes"]] == ["nameserver-1", "broker-a"]
    first, second = found["nodes"][1]["lives"]
    assert first == [0, 2.0, 10.0, 100.0, 101.0, "kill"]
    assert second == [1, 150.0, 160.0, None, None, ""]


def test_faults_with_the_four_times_and_a_flat_effect(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    (fault,) = lanes(history, span)[0]["faults"]
    assert [fault[key] for key in ("began", "active", "healing", "healed")] == [100.0, 102.0, 150.0, 160.0]
    assert (fault["kind"], fault["on"], fault["confirmed"]) == ("kill", "broker-a", True)
    assert fault["effect"] == "unsynced_bytes 5, torn true"


def test_clients_connections_and_memberships(history: duckdb.DuckDBPyConnection, span: Span) -> None:
    found, left_out = lanes(history, span)
    assert ["producer-1", "broker-a", 8.0, 101.0, "peer"] in found["connections"]
    assert ["billing-1", "broker-a", 9.0, None, ""] in found["connections"]
    assert found["members"] == [["billing-1@7", "billing", 12.0, 190.0, True]]
    assert [step[3:] for step in found["steps"]] == [
        ["assigned", "assigned 2 queues: orders broker-a/0, orders broker-a/1"],
        ["closed", "closed"],
    ]
    assert found["phases"][1] == ["fault", 100.0, 200.0]
    assert found["stalls"] == [["kit", 40.0, 70.0]]
    assert left_out == {}


def test_what_is_too_much_is_counted(
    history: duckdb.DuckDBPyConnection, span: Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECTIONS_MAX", 1)
    monkeypatch.setattr(module, "STEPS_MAX", 1)
    found, left_out = lanes(history, span)
    assert left_out == {"connections": 1, "membership changes": 1}
    assert [row[0] for row in found["connections"]] == ["billing-1"]
