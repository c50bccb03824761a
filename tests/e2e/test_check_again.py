"""`mqcheck check` on a stored run gives the run's own verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqcheck.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

Check = Callable[[Path], tuple[int, Any]]
TIMES = ("seconds", "judge_seconds", "peak_rss_bytes", "started")
"""What a second judging cannot have the same of."""


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """`mqcheck check FOLDER --json`: its exit status, and what it tells but for times."""

    def run(folder: Path) -> tuple[int, Any]:
        capsys.readouterr()
        status = main(["check", str(folder), "--json"])
        return status, without_times(json.loads(capsys.readouterr().out))

    return run


@pytest.mark.parametrize("scenario", ["steady", "rebalance"])
def test_one_history_of_a_healthy_run(healthy: Path, check: Check, scenario: str) -> None:
    _, again = check(healthy / "history" / scenario)
    stored = without_times(json.loads((healthy / "report.json").read_text(encoding="utf-8")))
    assert again["verdicts"] == [each for each in stored["verdicts"] if each["scenario"] == scenario]
    assert again["scenarios"] == [each for each in stored["scenarios"] if each["name"] == scenario]
    assert again["run"] == stored["run"]


def test_a_run_with_a_violation(broken: Callable[[str], Any], check: Check) -> None:
    run = broken("corrupt-body")
    status, again = check(run.folder)
    assert again == without_times(run.report)
    assert (status, run.status) == (1, 1)
    assert again["summary"]["violated"] > 0
