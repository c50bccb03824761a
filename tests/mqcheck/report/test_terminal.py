"""The terminal's lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mqcheck.report import write_reports
from mqcheck.report.outcomes import Outcome, read_outcomes
from mqcheck.report.terminal import LINES_MAX, print_summary, progress_line, totals, verdict_line
from mqcheck.specs import Specs


class Terminal:
    """pytest's reporter as far as the summary needs it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def section(self, title: str, sep: str) -> None:
        self.lines.append(f"{sep}{title}{sep}")

    def write_line(self, text: str, **markup: bool) -> None:
        self.lines.append(text)


@pytest.fixture
def report(run_folder: Path, specs: Specs) -> dict[str, Any]:
    return write_reports(run_folder, specs, run={})


def test_the_summary_names_what_must_be_looked_at_worst_first(report: dict[str, Any], run_folder: Path) -> None:
    terminal = Terminal()
    print_summary(terminal, report, run_folder, selected={("kill", "dur-violated"), ("kill", "everything-else")})
    assert terminal.lines[0] == "=mqcheck="
    words = [line.split()[0] for line in terminal.lines[1:6]]
    assert words == ["violated"] * 3 + ["inconclusive"] * 2
    assert "violated mqcheck::kill::dur-violated, 40 row(s) of evidence: 2 acknowledged are missing" in terminal.lines
    assert any("ord-client (not selected: does not change the exit status)" in line for line in terminal.lines)
    assert "seed 7; file-system model: what was not fsynced is lost or torn, by seed" in "\n".join(terminal.lines)


def test_levels_and_clients_have_lines_of_their_own(report: dict[str, Any]) -> None:
    assert totals(report)[1:] == [
        "SHOULD: violated 1",
        "client's own promises: violated 1",
        "not promised, but seen: no-power",
        "9 guarantees: MUST 7, SHOULD 1, NOT-PROMISED 1; broker 8, client 1",
        "by area: storage 5, consumption 3, order 1",
    ]


def test_many_lines_are_counted_instead(report: dict[str, Any], run_folder: Path) -> None:
    terminal = Terminal()
    many = {**report, "verdicts": report["verdicts"] * 20}
    print_summary(terminal, many, run_folder, selected=set())
    assert f"… and {20 * 5 - LINES_MAX} more, in the report" in terminal.lines


def test_a_line_without_evidence_or_reason_is_short(report: dict[str, Any]) -> None:
    verdict = {**report["verdicts"][0], "verdict": "violated"}
    assert verdict_line(verdict, {("kill", "dur-held")}) == "violated mqcheck::kill::dur-held"


def test_progress_counts_what_was_aimed_at_and_every_violation(report: dict[str, Any], run_folder: Path) -> None:
    kill, steady = read_outcomes(run_folder)
    assert progress_line(kill) == ("mqcheck: kill: 3 violated, 2 inconclusive, 1 held, 1 not applicable (2.5 s)")
    assert progress_line(steady) == "mqcheck: steady: 2 held (2.5 s)"
    broken = Outcome("x", 2, run_folder, 0.5, (), "no proxy")
    assert progress_line(broken) == "mqcheck: x (rerun 2): nothing aimed at (0.5 s); harness error: no proxy"
