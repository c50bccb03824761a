"""What a journal says in the end, and the exit status that follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from mqcheck import exits
from mqcheck.chaos.ending import failed_activities, reason_of, settle, status, untested
from mqcheck.chaos.steady import broken_times
from mqcheck.errors import FaultError

Make = Callable[..., dict[str, Any]]


def ended(made: dict[str, Any], *failures: str, throughout: bool = False, harness_error: str | None = None) -> int:
    """The exit status of a journal whose promises failed like this."""
    made["mqcheck"] = {
        "failed": list(failed_activities(made)),
        "failures": list(failures),
        "harness_error": harness_error,
        "steady_state": {"broken": [asdict(each) for each in broken_times(made)]},
    }
    settle(made, throughout=throughout)
    return status(made)


def test_an_experiment_in_which_all_went_well_is_completed(journal: Make) -> None:
    made = journal((1, True), [(11, True)], (12, True), rollbacks=[("heal", "succeeded")])
    assert ended(made) == exits.HELD
    assert (made["status"], made["deviated"]) == ("completed", False)


def test_a_failed_rollback_fails_the_experiment(journal: Make) -> None:
    made = journal((1, True), after=(12, True), rollbacks=[("heal", "succeeded"), ("mend", "failed")])
    assert ended(made) == exits.VIOLATED
    assert made["status"] == "failed"
    assert made["mqcheck"]["failed"] == ["rollback 'mend': it broke"]


def test_a_failed_activity_fails_it_too(journal: Make) -> None:
    made = journal(runs=[("wait", "failed")])
    assert ended(made) == exits.VIOLATED
    assert made["status"] == "failed"


def test_a_steady_state_that_was_not_met_before_the_method_fails_it(journal: Make) -> None:
    made = journal((1, False), runs=())
    assert ended(made) == exits.VIOLATED
    assert made["status"] == "failed"
    assert "not met before the method" in made["mqcheck"]["failed"][0]


def test_a_steady_state_that_broke_in_between_is_a_deviation_only_where_that_is_wanted(journal: Make) -> None:
    during = [(11, False), (11.5, True)]
    assert ended(journal((1, True), during, (12, True))) == exits.HELD
    made = journal((1, True), during, (12, True))
    assert ended(made, throughout=True) == exits.VIOLATED
    assert made["deviated"]


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        (("violated", "inconclusive"), exits.VIOLATED),
        (("inconclusive",), exits.INCONCLUSIVE),
        ((exits.HARNESS, "inconclusive"), exits.HARNESS_ERROR),
        ((exits.OTHER_FAILURE,), exits.VIOLATED),
    ],
)
def test_promises_decide_as_in_the_suite(journal: Make, failures: tuple[str, ...], expected: int) -> None:
    made = journal()
    assert ended(made, *failures) == expected
    assert made["deviated"] == (expected == exits.VIOLATED)


def test_an_interruption_and_a_broken_kit_have_statuses_of_their_own(journal: Make) -> None:
    assert ended(journal(status="interrupted")) == exits.INTERRUPTED
    assert ended(journal(), harness_error="the cluster fell over") == exits.HARNESS_ERROR
    assert status(journal(status="failed")) == exits.VIOLATED


def test_what_went_wrong_after_the_kit_broke_down_says_nothing_of_the_broker() -> None:
    own = {"fell": True, "harness_error": "a proxy died", "failed": ["activity 'wait': not up"], "failures": []}
    assert status({"status": "failed", "deviated": True, "mqcheck": own}) == exits.HARNESS_ERROR
    assert status({"status": "failed", "deviated": True, "mqcheck": {**own, "fell": False}}) == exits.VIOLATED
    assert status({"status": "failed", "mqcheck": {**own, "failures": ["violated"]}}) == exits.VIOLATED


def test_what_a_target_cannot_show_is_listed(journal: Make) -> None:
    made = journal(mqcheck={"guarantees": [{"guarantee": "a", "verdict": "not applicable"}]})
    assert untested(made) == ["a"]
    assert reason_of(FaultError("it does not heal")) == "it does not heal"
    assert reason_of(KeyError("x")) == "KeyError: 'x'"
