"""What is collected, and how pytest's own ways of choosing work on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mqcheck import exits
from mqcheck.collection import counts, describe, judgement
from mqcheck.judge.verdicts import Verdict
from mqcheck.plan import Pair
from mqcheck.report.outcomes import Outcome


def verdict(guarantee: str, told: str, **more: Any) -> Verdict:
    base: dict[str, Any] = {
        "guarantee": guarantee,
        "scenario": "kill",
        "aimed": True,
        "verdict": told,
        "exercised": 1,
        "enough": 1,
        "evidence_total": 0,
        "evidence": (),
        "reason": "",
        "judge_seconds": 0.0,
        "replay": "",
        "subject": "broker",
        "level": "MUST",
    }
    return Verdict(**{**base, **more})


def outcome(*verdicts: Verdict, trouble: str | None = None) -> Outcome:
    return Outcome("kill", 0, Path("history/kill"), 1.0, verdicts, trouble)


@pytest.mark.parametrize(
    ("told", "name", "fails"),
    [
        ("held", "held", False),
        ("not exercised", "not exercised", False),
        ("violated", "violated", True),
        ("inconclusive", "inconclusive", True),
        ("not applicable", "not applicable", True),
    ],
)
def test_a_verdict_becomes_pass_fail_or_skip(told: str, name: str, fails: bool) -> None:
    found, text = judgement(Pair("kill", "dur-one", "MUST"), outcome(verdict("dur-one", told)), strict=False)
    assert (found, bool(text)) == (name, fails)


def test_harness_errors_are_told_apart() -> None:
    broken = verdict("dur-one", "inconclusive", reason="harness error: no proxy")
    assert judgement(Pair("kill", "dur-one", "MUST"), outcome(broken), strict=False)[0] == exits.HARNESS
    assert judgement(Pair("kill", "dur-one", "MUST"), outcome(trouble="gone"), strict=False)[0] == exits.HARNESS


def test_should_fails_only_under_strict_and_may_never() -> None:
    assert [counts(level, strict=False) for level in ("MUST", "SHOULD", "MAY")] == [True, False, False]
    assert [counts(level, strict=True) for level in ("MUST", "SHOULD", "MAY")] == [True, True, False]


def test_everything_else_fails_on_what_was_not_aimed_at() -> None:
    pair = Pair("kill", "everything-else", "MUST")
    stray = verdict("sto-x", "violated", aimed=False)
    assert judgement(pair, outcome(verdict("dur-one", "violated")), strict=False) == ("held", "")
    found, text = judgement(pair, outcome(stray), strict=False)
    assert found == "violated"
    assert "sto-x" in text
    assert judgement(pair, outcome(verdict("sto-x", "violated", aimed=False, level="SHOULD")), strict=False)[1] == ""
    assert judgement(pair, outcome(trouble="no proxy"), strict=False)[0] == exits.HARNESS


def test_a_failure_says_what_why_and_how_to_repeat() -> None:
    told = verdict(
        "dur-one",
        "violated",
        title="Kept",
        reason="lost",
        evidence_total=9,
        evidence=({"message": 4, "life": ["x"]},),
        replay="pytest --mqcheck",
    )
    text = describe(told, Path("history/kill"))
    for part in ("dur-one violated in kill: Kept", "lost", "9 row(s)", "message=4", "history/kill", "pytest --mqcheck"):
        assert part in text
    assert "life" not in text


def test_the_suite_stands_alone_without_paths_and_beside_tests_with_paths(sandbox: Any) -> None:
    sandbox.write("test_own.py", "def test_own():\n    pass\n")
    alone = sandbox.pytest("--mqcheck", "--collect-only", "-q")
    assert "mqcheck::steady::dur-one" in alone.stdout
    assert "mqcheck::cut::everything-else" in alone.stdout
    assert "test_own" not in alone.stdout
    both = sandbox.pytest("--mqcheck", "--collect-only", "-q", "test_own.py")
    assert "test_own.py::test_own" in both.stdout
    assert "9 tests collected" in both.stdout
    assert not sandbox.log("opened")
    assert not (sandbox.folder / ".mqcheck").exists()
    without = sandbox.pytest("--collect-only", "-q")
    assert "mqcheck::" not in without.stdout


def test_a_printed_id_pasted_back_selects_that_item(sandbox: Any) -> None:
    done = sandbox.pytest("mqcheck::kill::dur-two", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mqcheck::kill::dur-two PASSED" in done.stdout
    assert "1 passed" in done.stdout
    assert [row["scenario"] for row in sandbox.log("began")] == ["kill"]
    whole = sandbox.pytest("mqcheck::kill", "--collect-only", "-q")
    assert "3 tests collected" in whole.stdout
    wrong = sandbox.pytest("mqcheck::kill::dur-tow")
    assert wrong.returncode == exits.USAGE
    assert "mqcheck::kill::dur-two" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "ran", "passed"),
    [
        (("-k", "kill"), ["kill"], 3),
        (("-k", "dur-two and not everything"), ["cut", "kill"], 2),
        (("--deselect", "mqcheck::steady", "--deselect", "mqcheck::cut"), ["kill"], 3),
        (("--mqcheck-select", "con-*"), ["steady"], 2),
        (("--mqcheck-select", "cut", "--mqcheck-select", "con-*"), ["cut", "steady"], 4),
    ],
)
def test_selection_chooses_items_and_through_them_scenarios(
    sandbox: Any, arguments: tuple[str, ...], ran: list[str], passed: int
) -> None:
    done = sandbox.pytest("--mqcheck", *arguments)
    assert f"{passed} passed" in done.stdout, done.stdout + done.stderr
    assert sorted(row["scenario"] for row in sandbox.log("began")) == ran


def test_last_failed_runs_the_failed_item_alone(sandbox: Any) -> None:
    sandbox.world(kill={"verdicts": {"dur-two": "violated"}})
    first = sandbox.pytest("--mqcheck")
    assert first.returncode == exits.VIOLATED
    assert "1 failed, 7 passed" in first.stdout
    again = sandbox.pytest("--mqcheck", "--lf", "-v")
    assert "mqcheck::kill::dur-two FAILED" in again.stdout
    assert "1 failed, 7 deselected" in again.stdout
    assert [row["scenario"] for row in sandbox.log("began")][3:] == ["kill"]


def test_other_plugins_behave(sandbox: Any) -> None:
    sandbox.world(kill={"verdicts": {"dur-two": ["violated", "held"]}}, steady={"delay": 0.3})
    done = sandbox.pytest("--mqcheck", "--reruns", "1", "-p", "randomly", "-p", "asyncio", "-p", "hypothesispytest")
    assert "1 rerun" in done.stdout, done.stdout + done.stderr
    assert "reproduced 0 of 1" in done.stdout
    assert done.returncode == exits.VIOLATED
    late = sandbox.pytest("mqcheck::steady::dur-one", "--timeout", "0.1")
    assert "Timeout" in late.stdout, late.stdout + late.stderr
    sandbox.write("pytest.ini", "[pytest]\ntimeout = 0.1\n")
    assert sandbox.pytest("mqcheck::steady::dur-one").returncode == 0
