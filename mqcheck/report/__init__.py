"""What a run leaves behind: report.json, report.html, summary.md, the terminal's summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mqcheck.known import KnownViolations
    from mqcheck.report.outcomes import Outcome
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
    """Reads what a run left in its folder, writes report.json, report.html and summary.md, returns the report.

    ``run`` overrides what the plans say of the run; ``known`` are violations that are no news. Raises HistoryError and
    StreamError for damaged histories, OSError for a full disk. Called once at the end of a run.
    """
    from mqcheck.known import NOTHING
    from mqcheck.report.json_ import dump
    from mqcheck.report.outcomes import read_outcomes
    from mqcheck.report.summary import History, make_report, read_plan, run_of

    outcomes = list(read_outcomes(folder))
    histories = [History(read_plan_or_nothing(outcome.folder, read_plan), outcome) for outcome in outcomes]
    report = make_report(histories, specs, run_of([history.plan for history in histories], **run), known or NOTHING)
    (folder / "report.json").write_text(dump(report), encoding="utf-8")
    write_pages(folder, report, specs, outcomes, sections)
    return report


def write_pages(
    folder: Path,
    report: Mapping[str, Any],
    specs: Specs,
    outcomes: Sequence[Outcome | None],
    sections: Sequence[Section] = (),
) -> None:
    """Writes report.html and summary.md of a report. ``outcomes`` in the order of its scenarios, None for one
    whose history is not there any more. Raises OSError.
    """
    from mqcheck.report.html import render
    from mqcheck.report.markdown import summary

    scenarios = [each["name"] for each in report["scenarios"]]
    timelines = {name: drawing(outcome) for name, outcome in zip(scenarios, outcomes, strict=True) if outcome}
    page = render(report, specs, sections, {name: found for name, found in timelines.items() if found})
    (folder / "report.html").write_text(page, encoding="utf-8")
    (folder / "summary.md").write_text(summary(report), encoding="utf-8")


def drawing(outcome: Outcome) -> dict[str, Any] | None:
    """The timeline of a scenario; made from its tables where the judge left none."""
    from mqcheck.timeline.files import timeline_of

    return timeline_of(outcome.folder, [row for verdict in outcome.verdicts for row in verdict.evidence])


def read_plan_or_nothing(folder: Path, read_plan: Any) -> dict[str, Any]:
    """A plan that a harness error kept from being written is empty: the verdicts say so."""
    return dict(read_plan(folder)) if (folder / "plan.json").is_file() else {}
