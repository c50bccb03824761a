"""The page of a recorded run made again, and two runs side by side: ``mqcheck report``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mqcheck.errors import HistoryError
from mqcheck.report import drawing, write_pages, write_reports
from mqcheck.report.compare import compare
from mqcheck.report.matrix import read_report
from mqcheck.report.outcomes import Outcome, read_outcomes
from mqcheck.report.summary import name_of

if TYPE_CHECKING:
    from mqcheck.specs import Specs


def make_again(folder: Path, specs: Specs) -> Path:
    """Writes report.html and summary.md of a run's folder again, from its report.json and histories; where the page is.

    A run that was broken off before its report gets one of what it judged. Sections of plugins are made by their
    plugins during a run, and are not in it. Raises HistoryError for a folder that holds no run.
    """
    outcomes = {name_of(outcome): outcome for outcome in read_outcomes(folder)}
    report = _report(folder)
    if report is None:
        if not outcomes:
            raise HistoryError(f"{folder} holds no run: no report.json, and no judged history; name a run's folder")
        write_reports(folder, specs, run={})
        return folder / "report.html"
    write_pages(folder, report, specs, [outcomes.get(each["name"]) for each in report["scenarios"]])
    return folder / "report.html"


def compare_runs(before: Path, after: Path) -> dict[str, Any]:
    """What differs between two runs' folders; see ``compare``. Raises HistoryError where one holds no report.json."""
    reports = []
    for folder in (before, after):
        report = _report(folder)
        if report is None:
            raise HistoryError(
                f"{folder} holds no report.json: name the folder of a finished run, like .mqcheck/latest"
            )
        reports.append(report)
    return compare(reports[0], reports[1], _figures(before), _figures(after))


def _report(folder: Path) -> Mapping[str, Any] | None:
    try:
        return read_report(folder)
    except ValueError as error:
        raise HistoryError(f"{folder / 'report.json'} cannot be used: {error}") from error


def _figures(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The numbers of each scenario that was not a repetition."""
    drawn: dict[str, Outcome] = {each.scenario: each for each in read_outcomes(folder) if not each.attempt}
    return {name: (drawing(outcome) or {}).get("figures", {}) for name, outcome in drawn.items()}
