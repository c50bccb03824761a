"""summary.md: everything that failed, nothing that a forge would take for markup, never too large for a comment."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from mqcheck.report import write_reports
from mqcheck.report.markdown import BYTES_MAX, inline, summary
from mqcheck.specs import Specs


@pytest.fixture
def report(run_folder: Path, specs: Specs) -> dict[str, Any]:
    return write_reports(run_folder, specs, run={"target": "reference"})


def test_it_lies_beside_the_report_and_tells_what_failed(report: dict[str, Any], run_folder: Path) -> None:
    text = (run_folder / "summary.md").read_text(encoding="utf-8")
    assert text == summary(report)
    assert text.startswith("### ✗ mqcheck: reference 0.1")
    assert "**MUST: held 2, violated 1" in text
    assert "| **✗ violated** | `dur-violated` | `kill` | 40 | 2 acknowledged are missing |" in text
    assert "? inconclusive" in text
    assert "pytest --mqcheck --mqcheck-seed 7" in text
    assert "`dur-held`" not in text


def test_a_run_without_trouble_says_so(report: dict[str, Any]) -> None:
    report = {**report, "verdicts": [each for each in report["verdicts"] if each["verdict"] == "held"]}
    text = summary(report)
    assert text.startswith("### ✓ ")
    assert "Nothing is violated" in text
    assert "|" not in text.splitlines()[6]


def test_known_violations_are_linked_and_no_alarm(report: dict[str, Any]) -> None:
    known = {"what": "loses it", "see": "apache/rocketmq#1", "link": "https://x/1", "sometimes": False}
    for verdict in report["verdicts"]:
        if verdict["verdict"] == "violated":
            verdict["known"] = known
    text = summary(report)
    assert text.startswith("### ? ")
    assert "(known) | `dur-violated`" in text
    assert "loses it ([apache/rocketmq\\#1](https://x/1))" in text


def test_it_fits_a_comment_whatever_failed(report: dict[str, Any]) -> None:
    (bad,) = [each for each in report["verdicts"] if each["guarantee"] == "dur-violated"]
    for number in range(3000):
        more = {"guarantee": f"dur-violated-{number}", "reason": "ü|*" * 500, "replay": f"pytest {number}"}
        report["verdicts"].append(copy.copy(bad) | more)
    text = summary(report)
    assert len(text.encode()) < BYTES_MAX
    assert "more, in report.html." in text
    assert text.rstrip().endswith("</sub>")


def test_texts_are_texts() -> None:
    assert inline("a|b <script> @all\n`x` [y](z)") == "a\\|b \\<script\\> @\u200ball \\`x\\` \\[y\\](z)"
