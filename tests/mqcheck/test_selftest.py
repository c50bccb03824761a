"""`mqcheck selftest`: what it tries where, what it makes of runs, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mqcheck import exits
from mqcheck.errors import SettingsError
from mqcheck.matrix import Show
from mqcheck.scenarios.base import all_scenarios
from mqcheck.selftest import (
    CAUGHT,
    FLAGGED,
    MISSED,
    QUIET,
    UNKNOWN,
    Finding,
    Trial,
    all_trials,
    command_of,
    content_of,
    page_of,
    prepare,
    run_trials,
    selected,
    status_of,
    unplanted,
)
from mqcheck.specs import load_specs

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 60.0
POLL_SECONDS = 0.05
RUN = """
import json, pathlib, sys
folder, status, *bad = sys.argv[1:]
verdicts = [dict(zip(("scenario", "guarantee", "verdict"), (*pair.split("/"), "violated"))) for pair in bad]
pathlib.Path(folder).mkdir()
report = {"format": 1, "guarantees": [], "verdicts": verdicts}
(pathlib.Path(folder) / "report.json").write_text(json.dumps(report))
sys.exit(int(status))
"""
BUG = Trial("lose", "dur-one", (("short",), ("long",)))
ODD = Trial("slow", "", (("short", "long"),))


def outcome_of(trial: Trial, tmp_path: Path, runs: dict[str, Sequence[object]]) -> Finding:
    """What it makes of runs, by their first scenario: exit status and what is violated."""
    lines: list[str] = []

    def command(_: Trial, scenarios: Sequence[str], folder: Path) -> Sequence[str]:
        return [sys.executable, "-c", RUN, str(folder), *map(str, runs[scenarios[0]])]

    (finding,), interrupted = run_trials([trial], tmp_path, command, Show(lines.append, lambda _: None), 2)
    assert not interrupted
    assert lines[0].startswith(f"{trial.name}: {finding.outcome}")
    assert finding.trouble in lines[0]
    return finding


@pytest.mark.parametrize(
    ("runs", "outcome", "scenario"),
    [
        ({"short": (1, "short/dur-one", "short/con-two")}, CAUGHT, "short"),
        ({"short": (0,), "long": (0, "long/dur-one")}, CAUGHT, "long"),
        ({"short": (1, "short/con-two"), "long": (0,)}, MISSED, "long"),
        ({"short": (7, "short/dur-one")}, CAUGHT, "short"),
        ({"short": (7,)}, UNKNOWN, "short"),
        ({"short": (3, "short/dur-one")}, UNKNOWN, "short"),
    ],
)
def test_a_bug_is_tried_until_it_is_caught(tmp_path: Path, runs: dict[str, Any], outcome: str, scenario: str) -> None:
    finding = outcome_of(BUG, tmp_path, runs)
    assert (finding.outcome, finding.scenario) == (outcome, scenario)
    assert bool(finding.trouble) is (outcome == UNKNOWN)
    assert sorted(path.name for path in (tmp_path / "lose").glob("*.log")) == sorted(f"{name}.log" for name in runs)


@pytest.mark.parametrize(
    ("run", "outcome", "scenario"),
    [((0,), QUIET, "all"), ((6,), UNKNOWN, "all"), ((1, "long/con-two"), FLAGGED, "long"), ((7,), UNKNOWN, "all")],
)
def test_an_oddity_must_violate_nothing(tmp_path: Path, run: tuple[Any, ...], outcome: str, scenario: str) -> None:
    finding = outcome_of(ODD, tmp_path, {"short": run})
    assert (finding.outcome, finding.scenario) == (outcome, scenario)


def test_a_run_without_a_report_is_unknown(tmp_path: Path) -> None:
    lines: list[str] = []
    (finding,), _ = run_trials([BUG], tmp_path, lambda *_: ["false"], Show(lines.append, lambda _: None), 1)
    assert finding.outcome == UNKNOWN
    assert "the run ended with status 1: see " in finding.trouble


def test_every_bug_has_scenarios_and_every_promise_a_bug() -> None:
    specs, scenarios = load_specs(), all_scenarios()
    trials = all_trials(specs, scenarios)
    assert len({trial.name for trial in trials}) == len(trials)
    for trial in trials:
        assert trial.runs
        assert all(trial.runs), trial
        seconds = [scenarios[name].seconds for (name, *_) in trial.runs]
        assert seconds == sorted(seconds)
        if trial.guarantee:
            assert all(trial.guarantee in scenarios[name].aims for (name,) in trial.runs)
    assert unplanted(specs) == []
    bare = [guarantee for guarantee in specs if guarantee.promised and not guarantee.sabotage]
    assert all(guarantee.features for guarantee in bare)


def test_a_selection_names_bugs_oddities_or_guarantees() -> None:
    assert selected([BUG, ODD], ()) == [BUG, ODD]
    assert selected([BUG, ODD], ["dur-*"]) == [BUG]
    assert selected([BUG, ODD], ["slow", "lose"]) == [BUG, ODD]
    with pytest.raises(SettingsError, match="'fast' names no planted bug, oddity or guarantee; there are lose, slow"):
        selected([BUG, ODD], ["slow", "fast"])


def test_the_command_of_a_run(tmp_path: Path) -> None:
    words = command_of({"profile": "quick", "seed": None, "plugin": ["-p", "x"]})
    start = ("pytest", "--mqcheck", "-p", "x", "--mqcheck-target=reference", f"--mqcheck-report={tmp_path}")
    assert words(BUG, ("short",), tmp_path)[2:] == [
        *start,
        *("--mqcheck-profile=quick", "--mqcheck-retries=0", "--mqcheck-select=short", "--mqcheck-sabotage=lose"),
    ]
    assert words(ODD, ("short", "long"), tmp_path)[-3:] == [
        *("--mqcheck-select=short", "--mqcheck-select=long", "--mqcheck-odd=slow"),
    ]


def test_a_folder_with_something_else_in_it_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / "lose" / "short").mkdir(parents=True)
    (tmp_path / "selftest.md").touch()
    prepare(tmp_path, ["lose"])
    assert not list(tmp_path.iterdir())
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(SettingsError, match=r"holds 'thesis\.txt'"):
        prepare(tmp_path, ["lose"])
    with pytest.raises(SettingsError, match="cannot be used"):
        prepare(tmp_path / "thesis.txt", ["lose"])


def finding(name: str, guarantee: str, outcome: str, *violated: str) -> Finding:
    return Finding(name, guarantee, outcome, "steady", 7.4, violated, "too dark" if outcome == UNKNOWN else "")


def test_the_page_and_the_score() -> None:
    findings = [
        finding("lose", "dur-one", CAUGHT, "con-two", "dur-one"),
        finding("hide", "con-two", UNKNOWN),
        finding("slow", "", FLAGGED, "dur-one"),
    ]
    content = content_of(findings, ["prd-retry"], "2026-01-01T00:00:00+00:00")
    assert content["score"] == "1 of 2 planted bugs caught, 0 of 1 legal oddities not flagged, 1 unknown"
    lines = page_of(content).splitlines()
    assert "| `lose` | `dur-one` | caught | steady | 7 | `con-two` |" in lines
    assert "| `hide` | `con-two` | unknown: too dark | steady | 7 |  |" in lines
    assert "| `slow` | flagged: dur-one | 7 |" in lines
    assert "No bug is planted for `prd-retry`." in lines
    assert json.loads(json.dumps(content)) == content


@pytest.mark.parametrize(
    ("outcomes", "interrupted", "status"),
    [
        ((CAUGHT, QUIET), False, exits.HELD),
        ((CAUGHT, MISSED, UNKNOWN), True, exits.VIOLATED),
        ((FLAGGED,), False, exits.VIOLATED),
        ((CAUGHT, UNKNOWN), False, exits.HARNESS_ERROR),
        ((CAUGHT, UNKNOWN), True, exits.INTERRUPTED),
    ],
)
def test_exit_statuses(outcomes: tuple[str, ...], interrupted: bool, status: int) -> None:
    findings = [finding("x", "" if each in (QUIET, FLAGGED) else "dur-one", each) for each in outcomes]
    assert status_of(findings, interrupted=interrupted) == status


INTERRUPTED = """
import sys
from pathlib import Path
from mqcheck.matrix import Show
from mqcheck.selftest import Trial, run_trials

CHILD = '''
import os, signal, sys, time
def end(*_):
    print("cleaning up", flush=True)
    sys.exit(2)
signal.signal(signal.SIGINT, end)
open(sys.argv[1], "w").close()
time.sleep(300)
'''
def command(trial, scenarios, folder):
    return [sys.executable, "-c", CHILD, str(folder) + ".up"]

trials = [Trial(name, "dur-one", (("short",),)) for name in ("one", "two", "three")]
findings, interrupted = run_trials(trials, Path("."), command, Show(print, lambda _: None), 2)
print([finding.trouble for finding in findings], interrupted)
"""


@pytest.mark.slow
def test_ctrl_c_lets_runs_clean_up_and_tells_what_was_not_tried(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + SECONDS_MAX
    while len(list(tmp_path.glob("*/short.up"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=SECONDS_MAX)
    assert output.splitlines()[-1] == f"{['interrupted before its end'] * 3} True"
    logs = sorted(path.read_text() for path in tmp_path.glob("*/short.log"))
    assert logs == ["cleaning up\n"] * 2


def test_the_page_in_the_documentation_is_of_these_bugs_and_says_that_all_are_caught() -> None:
    """Make it again with `mqcheck selftest`, and copy selftest.md there."""
    page = (ROOT / "docs" / "sensitivity.md").read_text(encoding="utf-8")
    specs = load_specs()
    trials = all_trials(specs, all_scenarios())
    bugs = re.findall(r"^\| `([a-z-]+)` \| `([a-z0-9-]+)` \| caught \|", page, re.MULTILINE)
    odd = re.findall(r"^\| `([a-z-]+)` \| not flagged \|", page, re.MULTILINE)
    assert dict(bugs) == {trial.name: trial.guarantee for trial in trials if trial.guarantee}
    assert set(odd) == {trial.name for trial in trials if not trial.guarantee}
    named = page.partition("No bug is planted for ")[2]
    assert re.findall(r"`([a-z-]+)`", named) == unplanted(specs)
