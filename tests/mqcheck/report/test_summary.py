"""How pairs become guarantees, counts and the headline, and what is read from a history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqcheck.errors import HistoryError, StreamError
from mqcheck.judge.verdicts import UNMET, Verdict
from mqcheck.report import write_reports
from mqcheck.report.summary import conditions, headline, histories_in, merge_attempts, read_plan, read_stream
from mqcheck.specs import Specs


@pytest.fixture
def report(run_folder: Path, specs: Specs) -> dict[str, Any]:
    return write_reports(run_folder, specs, run={})


def test_summary_counts_guarantees_without_clients_and_harness_errors_apart(report: dict[str, Any]) -> None:
    assert report["summary"] == {
        "held": 2,
        "violated": 2,
        "inconclusive": 1,
        "not_applicable": 1,
        "not_exercised": 0,
        "harness_error": 1,
        "known": 0,
    }


def test_the_headline_is_honest(report: dict[str, Any]) -> None:
    assert headline(report) == (
        "MUST: held 2, violated 1, inconclusive 1, harness error 1, not tested 1"
        " (1 the target cannot cut power; use reference)"
    )


def test_conditions_name_the_models_of_the_cuts_that_were_made(report: dict[str, Any]) -> None:
    assert conditions(report).endswith("file-system model: what was not fsynced is lost or torn, by seed")
    fault = report["scenarios"][0]["faults"][0]
    fault["effect"]["model"] = "strict-size"
    assert conditions(report).endswith("is lost or torn, by seed (by strict-size)")
    for scenario in report["scenarios"]:
        scenario["faults"] = []
    assert conditions(report).endswith("the page cache survives (no power cut in this run)")


def test_a_guarantee_is_the_worst_of_its_pairs(report: dict[str, Any]) -> None:
    lines = {line["id"]: line for line in report["guarantees"]}
    assert lines["con-idle"]["verdict"] == "held"
    assert lines["dur-held"]["scenarios"] == ["kill", "steady"]
    assert lines["dur-held"]["exercised"] == 18
    assert (lines["no-power"]["verdict"], lines["no-power"]["exercised"]) == (None, 4)


def test_scenarios_tell_faults_effects_and_stalls(report: dict[str, Any]) -> None:
    kill = report["scenarios"][0]
    assert (kill["name"], kill["operations"], kill["stall_ms_max"]) == ("kill", 1, 42.5)
    assert kill["faults"] == [
        {
            "kind": "power-cut",
            "on": "broker-a",
            "began": 4,
            "healed": 900_000_004,
            "effect": {"dropped_bytes": 512},
        },
        {"kind": "latency", "on": "producer-1->broker-a", "began": 9, "healed": None, "effect": {}},
    ]


def test_a_violation_that_did_not_come_back_stays_one(report: dict[str, Any]) -> None:
    first = Verdict.from_dict(
        {**report["verdicts"][0], "verdict": "violated", "reason": "lost", "subject": "broker", "level": "MUST"}
    )
    second = Verdict.from_dict({**first.as_dict(), "verdict": "held", "reason": ""})
    (merged,) = merge_attempts([second, first, second])
    assert (merged.verdict, merged.reason) == ("violated", "lost; not in the first run, but in repetition 1")
    assert merged.told_again == "reproduced 0 of 2"
    assert merge_attempts([second, second]) == [second]


def test_a_guarantee_nobody_exercised_is_not_tested(run_folder: Path, specs: Specs) -> None:
    for path in run_folder.glob("history/kill/verdicts.json"):
        path.unlink()
    report = write_reports(run_folder, specs, run={})
    assert "not tested 4 (4 not exercised)" in headline(report)


def test_a_condition_that_is_not_met_is_told_in_words(report: dict[str, Any]) -> None:
    lines = report["guarantees"]
    for place, name in enumerate(("con-inapplicable", "con-idle")):
        line = next(line for line in lines if line["id"] == name)
        line |= {"verdict": "not applicable", "reason": f"{UNMET}EXISTS (SELECT {place} FROM config)"}
    assert headline(report).endswith("not tested 2 (2 need other settings or nodes)")
    line["reason"] = "from RocketMQ 5.0 on, consumption by POP: no client of the kit consumes so"
    assert headline(report).endswith("(1 need other settings or nodes; 1 from RocketMQ 5.0 on, consumption by POP)")
    line["reason"] = "the target has never heard of anything like this, and neither has anybody who made it"
    assert headline(report).endswith("; 1 the target has never heard of anything like this, and …)")


def test_a_torn_last_line_is_cut_and_a_bad_one_is_told(run_folder: Path) -> None:
    path = run_folder / "history" / "kill" / "events" / "kit.0.jsonl"
    assert read_stream(path)[0] == 1
    path.write_text('{"e":"faults","t":1\n')
    with pytest.raises(StreamError, match="a bad line in the middle"):
        read_stream(path)


def test_what_is_no_history_is_refused(run_folder: Path, tmp_path: Path) -> None:
    assert [path.name for path in histories_in(run_folder)] == ["kill", "steady"]
    assert histories_in(run_folder / "history" / "kill") == [run_folder / "history" / "kill"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(HistoryError, match="holds no history"):
        histories_in(empty)
    with pytest.raises(HistoryError, match=r"no plan\.json in it"):
        read_plan(empty)
    (empty / "plan.json").write_text('{"format": 2}')
    with pytest.raises(HistoryError, match="no format 1"):
        read_plan(empty)
    (empty / "plan.json").write_text("{")
    with pytest.raises(HistoryError, match="broken off"):
        read_plan(empty)


def test_a_guarantee_that_could_not_be_put_to_the_test_says_why(run_folder: Path, specs: Specs) -> None:
    """con-idle, which one scenario aimed at in vain and no other exercised."""
    for path in (run_folder / "history").glob("*/verdicts.json"):
        data = json.loads(path.read_text())
        for number, each in enumerate(data["verdicts"]):
            if each["guarantee"] == "con-idle":
                why = {"verdict": "not applicable", "aimed": True, "reason": "run it with --mqcheck-profile full"}
                idle = {"verdict": "not exercised", "aimed": False, "reason": ""}
                data["verdicts"][number] = {**each, **(why if path.parent.name == "kill" else idle)}
        path.write_text(json.dumps(data))
    line = next(each for each in write_reports(run_folder, specs, run={})["guarantees"] if each["id"] == "con-idle")
    assert line["reason"] == "run it with --mqcheck-profile full"
