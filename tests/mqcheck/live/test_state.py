"""Folding events into what a display needs."""

from __future__ import annotations

from typing import Any

from mqcheck.live.state import RATE_SECONDS, RunState


def event(name: str, scenario: str = "steady", attempt: int = 0, **values: Any) -> dict[str, Any]:
    return {"event": name, "scenario": scenario, "attempt": attempt, **values}


def judged(scenario: str, seconds: float, *words: str, attempt: int = 0) -> dict[str, Any]:
    return event("verdicts", scenario, attempt, seconds=seconds, verdicts=[{"verdict": word} for word in words])


def state(*events: tuple[float, dict[str, Any]], expected: dict[str, float] | None = None) -> RunState:
    made = RunState(expected or {"steady": 10.0, "kill": 20.0}, at_once=2)
    for at_s, each in events:
        made.fold(each, at_s)
    return made


def test_a_scenario_runs_from_its_begin_to_its_verdicts() -> None:
    now = state(
        (1.0, event("scenario")),
        (2.0, event("phase", phase="load", state="began")),
        (3.0, event("phase", phase="load", state="ended")),
    )
    (one,) = now.running.values()
    assert (one.title(), one.began_s, one.phase) == ("steady", 1.0, "load")
    now.fold(event("phase", phase="final-read", state="ended"), 4.0)
    assert one.phase == "judging"
    now.fold(judged("steady", 4.0, "held", "violated"), 5.0)
    assert not now.running
    assert now.judged == {"steady"}
    assert now.verdicts == {"held": 1, "violated": 1}


def test_a_repetition_shows_and_counts_nothing_twice() -> None:
    now = state(
        (1.0, event("scenario")),
        (2.0, judged("steady", 1.0, "violated")),
        (3.0, event("scenario", attempt=1)),
    )
    assert [one.title() for one in now.running.values()] == ["steady (rerun 1)"]
    now.fold(judged("steady", 1.0, "violated", attempt=1), 4.0)
    assert now.verdicts == {"violated": 1}
    assert not now.running


def test_a_fault_is_active_until_it_is_healed() -> None:
    fault = {"fault": 7, "kind": "partition", "on": "producer-1->broker-a"}
    now = state((1.0, event("scenario")), (2.0, event("fault", **fault, state="injecting")))
    (one,) = now.running.values()
    assert one.faults == {7: "partition on producer-1->broker-a"}
    now.fold(event("fault", **fault, state="healing"), 3.0)
    assert one.faults
    now.fold(event("fault", **fault, state="healed"), 4.0)
    assert not one.faults


def test_a_rate_of_long_ago_is_none() -> None:
    rates = {"operations_per_s": 50.0, "send_p50_ms": 1.0, "send_p99_ms": 9.0}
    now = state(
        (1.0, event("scenario")),
        (1.0, event("scenario", "kill")),
        (2.0, event("rates", **rates)),
        (2.0, event("rates", "kill", **{**rates, "send_p99_ms": 31.0})),
    )
    assert now.operations_per_s(2.5) == 100.0
    assert now.send_p99_ms() == 31.0
    assert now.operations_per_s(2.5 + RATE_SECONDS) == 0.0


def test_an_event_of_a_scenario_that_is_over_changes_nothing() -> None:
    now = state((1.0, event("scenario")), (2.0, judged("steady", 1.0, "held")), (3.0, event("phase", phase="load")))
    assert not now.running


def test_time_left_is_that_of_the_longest_or_of_all_side_by_side() -> None:
    assert state().left_s(0.0) == 20.0
    assert state(expected={"a": 10.0, "b": 10.0, "c": 10.0}).left_s(0.0) == 15.0
    running = state((0.0, event("scenario")), (0.0, event("scenario", "kill")))
    assert running.left_s(15.0) == 5.0
    assert running.left_s(99.0) == 1.0
    # What was judged took twice its estimate: the others will too.
    running.fold(judged("steady", 20.0, "held"), 20.0)
    assert running.left_s(20.0) == 20.0
    running.fold(judged("kill", 40.0, "held"), 40.0)
    assert running.left_s(40.0) == 0.0
