"""The lines and the table that people read."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from mqcheck.live.state import Running, RunState
from mqcheck.live.words import NAMED_MAX, ROWS_MAX, clock, faults, status_line, table, verdict_lines


def running(count: int) -> RunState:
    state = RunState({f"scenario-{number}": 20.0 for number in range(count)}, at_once=6)
    for number in range(count):
        name = f"scenario-{number}"
        state.fold({"event": "scenario", "scenario": name, "attempt": 0}, 0.0)
        fault = {"fault": 1, "kind": "kill", "on": "[broker-a]", "state": "active"}
        state.fold({"event": "fault", "scenario": name, "attempt": 0, **fault}, 1.0)
        rates = {"operations_per_s": 1000.0, "send_p50_ms": 2.25, "send_p99_ms": 31.4}
        state.fold({"event": "rates", "scenario": name, "attempt": 0, **rates}, 3.0)
    return state


def drawn(state: RunState, note: str = "") -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False, markup=False, emoji=False)
    console.print(table(state, 4.0, note))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def verdicts(**changes: Any) -> dict[str, Any]:
    each = [
        {"guarantee": "a", "verdict": "held", "evidence": 0, "reason": ""},
        {"guarantee": "b", "verdict": "violated", "evidence": 3, "reason": ""},
        {"guarantee": "c", "verdict": "inconclusive", "evidence": 0, "reason": "too little happened"},
    ]
    event = {"scenario": "steady", "attempt": 0, "seconds": 3.21, "harness_error": None, "verdicts": each}
    return {**event, **changes}


def test_verdicts_are_counted_and_what_is_not_held_is_named() -> None:
    assert list(verdict_lines(verdicts())) == [
        ("mqcheck: steady: 1 violated, 1 inconclusive, 1 held (3.2 s)", "red"),
        ("  violated mqcheck::steady::b: 3 row(s) of evidence", ""),
        ("  inconclusive mqcheck::steady::c: too little happened", ""),
    ]
    told, colour = next(verdict_lines(verdicts(attempt=1, harness_error="no disk", verdicts=[])))
    assert told == "mqcheck: steady (rerun 1): nothing aimed at (3.2 s); harness error: no disk"
    assert colour == ""


def test_a_status_line_says_how_far_the_run_is() -> None:
    told = status_line(running(1), 4.0)
    assert told == (
        "mqcheck: 0:04, about 0:16 left; 0 of 1 scenarios done; 1,000 operations/s, send p99 up to 31 ms; "
        "running scenario-0 (starting, kill on [broker-a])"
    )
    assert status_line(running(NAMED_MAX + 2), 4.0).endswith("and 2 more")
    assert status_line(RunState({"a": 1.0}, 1), 0.0).endswith("0 operations/s; running nothing yet")


def test_a_table_has_a_row_for_each_scenario_and_keeps_to_the_screen() -> None:
    lines = drawn(running(2), note="interrupted").splitlines()
    assert lines[1].startswith("0:04, about 0:16 left; 0 of 2 scenarios done; 2,000 operations/s")
    assert lines[3].split() == ["scenario-0", "starting", "4", "1000", "2.2", "31", "kill", "on", "[broker-a]"]
    assert lines[-1] == "interrupted"
    many = drawn(running(ROWS_MAX + 3))
    assert "… and 3 more" in many
    assert len(many.splitlines()) == ROWS_MAX + 4


def test_equal_faults_are_counted() -> None:
    one = Running("steady", 0, 0.0, faults={1: "kill on a", 2: "kill on a", 3: "pause on b"})
    assert faults(one) == "2 × kill on a, pause on b"
    one.faults = {number: f"kill on {number}" for number in range(NAMED_MAX + 1)}
    assert faults(one).endswith(", …")


def test_a_clock_has_minutes() -> None:
    assert clock(75.9) == "1:15"
