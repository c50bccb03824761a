"""What a run leaves behind: report.json, report.html, the terminal's summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mqcheck.known import KnownViolations
    from mqcheck.report.sections import Section
    from mqcheck.specs import Specs


def write_reports(
    folder: Path,
    specs: Specs,
    *,
    run: dict[str, Any],
    sections: Sequence[Section] = (),
    known: KnownViolations | None = None,
) -> dict[str, Any]:
    """Reads what a run left in its folder, writes report.json and report.html beside it, returns the report.

    ``run`` overrides what the plans say of the run; ``known`` are violations that are no news. Raises HistoryError and
    StreamError for damaged histories, OSError for a full disk. Called once at the end of a run.
    """
    from mqcheck.known import NOTHING
    from mqcheck.report.html import render
    from mqcheck.report.json_ import dump
    from mqcheck.report.outcomes import read_outcomes
    from mqcheck.report.summary import History, make_report, read_plan, run_of

    outcomes = list(read_outcomes(folder))
    histories = [History(read_plan_or_nothing(outcome.folder, read_plan), outcome) for outcome in outcomes]
    report = make_report(histories, specs, run_of([history.plan for history in histories], **run), known or NOTHING)
    (folder / "report.json").write_text(dump(report), encoding="utf-8")
    (folder / "report.html").write_text(render(report, specs, sections), encoding="utf-8")
    return report


def read_plan_or_nothing(folder: Path, read_plan: Any) -> dict[str, Any]:
    """A plan that a harness error kept from being written is empty: the verdicts say so."""
    return dict(read_plan(folder)) if (folder / "plan.json").is_file() else {}
