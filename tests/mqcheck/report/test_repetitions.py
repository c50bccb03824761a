"""What is tried again, what several runs of a scenario say together, and who says so."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mqcheck import exits
from mqcheck.baseline import make
from mqcheck.judge.verdicts import Verdict
from mqcheck.known import NOTHING, KnownViolation, KnownViolations
from mqcheck.report.json_ import schema
from mqcheck.report.outcomes import Outcome
from mqcheck.report.repetitions import merged, repetitions, together
from mqcheck.specs import load_specs

FIRST = Verdict(
    guarantee="dur-one",
    scenario="kill",
    aimed=True,
    verdict="held",
    exercised=7,
    enough=5,
    evidence_total=0,
    evidence=(),
    reason="",
    judge_seconds=0.0,
    replay="",
    subject="broker",
    level="MUST",
)
HELD, VIOLATED = FIRST, replace(FIRST, verdict="violated", reason="lost")
HARNESS = replace(FIRST, verdict="inconclusive", reason="harness error: no proxy")
KNOWN = KnownViolations((KnownViolation("dur-one", "*", "it loses", "a/b#1", None, None, False, "x.toml"),))


def outcome(*verdicts: Verdict, attempt: int = 0) -> Outcome:
    return Outcome("kill", attempt, Path("kill"), 1.0, verdicts, None)


def test_only_news_are_tried_again_and_only_after_the_first_run() -> None:
    assert list(repetitions(outcome(HELD, VIOLATED), NOTHING, 2)) == [1, 2]
    assert not repetitions(outcome(VIOLATED), NOTHING, 0)
    assert not repetitions(outcome(HELD), NOTHING, 2)
    assert not repetitions(outcome(VIOLATED), KNOWN, 2)
    assert not repetitions(outcome(VIOLATED, attempt=1), NOTHING, 2)
    assert list(repetitions(outcome(VIOLATED, replace(VIOLATED, guarantee="dur-two")), KNOWN, 1)) == [1]


def test_a_verdict_never_becomes_better_and_says_how_often_it_came_back() -> None:
    assert merged([VIOLATED]) == VIOLATED
    assert merged([VIOLATED, VIOLATED, HELD]) == replace(VIOLATED, reproduced=1, repetitions=2)
    assert merged([VIOLATED, HELD]).told_again == "reproduced 0 of 1"
    assert merged([VIOLATED, HARNESS, VIOLATED]).told_again == "reproduced 1 of 1"
    assert merged([HELD, HARNESS]) == HELD
    assert merged([HARNESS, HELD]) == HARNESS
    late = merged([HELD, HELD, VIOLATED])
    assert (late.verdict, late.told_again) == ("violated", "reproduced 0 of 2")
    assert late.reason == "lost; not in the first run, but in repetition 2"


def test_runs_are_put_together_by_guarantee() -> None:
    other = replace(HELD, guarantee="dur-two")
    found = together(outcome(VIOLATED, other), [outcome(other, VIOLATED, attempt=1)])
    assert [(each.guarantee, each.told_again) for each in found.verdicts] == [
        ("dur-one", "reproduced 1 of 1"),
        ("dur-two", ""),
    ]
    assert together(outcome(VIOLATED, other), []) == outcome(VIOLATED, other)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_violation_is_tried_again_and_everybody_says_how_often_it_came_back(
    sandbox: Any, processes: tuple[str, ...]
) -> None:
    sandbox.world(kill={"verdicts": {"dur-two": ["violated", "held", "violated"]}})
    options = ("--mqcheck-retries", "2", "--junitxml", "junit.xml", *processes)
    done = sandbox.pytest("--mqcheck", *options)
    assert done.returncode == exits.VIOLATED, done.stdout
    assert sorted(row["scenario"] for row in sandbox.log("began")) == ["cut", "kill", "kill", "kill", "steady"]
    assert "violated mqcheck::kill::dur-two, 1 row(s) of evidence, reproduced 1 of 2" in done.stdout
    assert "  reproduced 1 of 2 repetition(s) with the same plan" in done.stdout
    assert "  query:   mqcheck show dur-two" in done.stdout
    report = sandbox.report()
    jsonschema.validate(report, schema())
    (verdict,) = [each for each in report["verdicts"] if each["verdict"] == "violated"]
    assert verdict["reproduced"] == {"times": 1, "of": 2}
    (line,) = [each for each in report["guarantees"] if each["id"] == "dur-two"]
    assert line["query"] == "SELECT * FROM sends WHERE 1 < 0"
    page = (sandbox.folder / ".mqcheck" / "latest" / "report.html").read_text()
    assert "<b>reproduced 1 of 2</b>" in page
    assert page.count('<th class="col">') == 3  # the repetitions have no columns
    (told,) = ET.parse(sandbox.folder / "junit.xml").findall(".//property[@name='reproduced']")
    assert told.get("value") == "1 of 2"


@pytest.mark.slow
def test_nothing_is_tried_again_that_is_known_or_planted_or_not_wanted(sandbox: Any) -> None:
    sandbox.world(kill={"verdicts": {"dur-two": "violated"}})
    sandbox.write("pytest.ini", "[pytest]\n")
    sandbox.write("k.toml", '[[known]]\nguarantee = "dur-two"\nwhat = "it forgets"\nsee = "a/b#1"\nsometimes = true\n')
    for options in (("--mqcheck-retries=0",), ("--mqcheck-known", "k.toml"), ("--mqcheck-sabotage", "x")):
        sandbox.pytest("--mqcheck", "--mqcheck-select", "kill", *options)
    assert len(sandbox.log("began")) == 3
    sandbox.pytest("--mqcheck", "--mqcheck-select", "kill")
    assert len(sandbox.log("began")) == 5


def test_a_violation_that_came_back_only_sometimes_is_a_race_in_a_baseline(tmp_path: Path) -> None:
    run = {"id": "1", "target": "t", "target_version": "1"}
    pairs = [
        {"guarantee": name, "scenario": "kill", "verdict": "violated", "reproduced": {"times": times, "of": 2}}
        for name, times in (("dur-ack-kill", 2), ("con-alo", 1))
    ]
    (tmp_path / "report.json").write_text(json.dumps({"format": 1, "run": run, "verdicts": pairs}), encoding="utf-8")
    make(tmp_path, tmp_path / "x.toml", load_specs())
    text = (tmp_path / "x.toml").read_text(encoding="utf-8")
    assert text.count("sometimes = true") == 1
    assert text.index("sometimes") > text.index("con-alo")
