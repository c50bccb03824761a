"""When the steady state was broken, out of journals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqcheck.chaos.steady import broken_times, evaluations, why_failed

Make = Callable[..., dict[str, Any]]


def test_a_steady_state_that_always_was_met_never_broke(journal: Make) -> None:
    made = journal((1, True), [(11, True), (12, True)], (13, True))
    assert broken_times(made) == []
    assert len(list(evaluations(made))) == 4


def test_each_time_lasts_from_the_first_asking_that_saw_it_to_the_next_that_did_not(journal: Make) -> None:
    during = [(10.5, True), (11, False), (11.5, False), (12, True), (12.5, False)]
    first, second = broken_times(journal((1, True), during, (13, True)))
    assert (first.after_s, first.lasted_s) == (1.0, 1.0)
    assert (first.probe, first.output) == ("sends-succeed", 0.25)
    assert first.began.startswith("2026-01-01T00:00:11")
    assert (second.after_s, second.lasted_s) == (2.5, 0.5)


def test_a_probe_that_failed_says_why(journal: Make) -> None:
    made = journal((1, True), [(11, False)], (13, True))
    made["steady_states"]["during"][0]["probes"][0] |= {"output": None, "exception": ["Traceback\n", "Oh: no group\n"]}
    assert broken_times(made)[0].output == "failed: Oh: no group"
    classes = "chaoslib.exceptions.ActivityFailed: mqcheck.errors.SettingsError: "
    assert why_failed({"exception": ["Traceback\n", f"{classes}no node: name one\n"]}) == "no node: name one"
    assert why_failed({"exception": ["KeyError: \n"]}) == "KeyError:"
    assert why_failed({"output": 3}) == ""


def test_one_that_is_not_whole_again_has_no_end(journal: Make) -> None:
    (found,) = broken_times(journal((1, True), [(11, False)], (13, False)))
    assert (found.ended, found.lasted_s) == (None, None)


def test_before_the_method_there_is_no_time_since_its_begin(journal: Make) -> None:
    (found,) = broken_times(journal((1, False), runs=()))
    assert found.after_s is None
    assert broken_times(journal()) == []
