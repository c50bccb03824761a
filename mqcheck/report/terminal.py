"""The run in the terminal: a line for each scenario that ends, and the summary at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mqcheck.judge.verdicts import INCONCLUSIVE, VIOLATED, WORST_FIRST
from mqcheck.report.counts import counts
from mqcheck.report.outcomes import Outcome
from mqcheck.report.summary import beside_baseline, conditions, headline, relative

LINES_MAX: Final = 40
"""Verdicts listed by name in the summary; ours: the rest is counted, the report has all."""
COLOURS: Final = {VIOLATED: "red", INCONCLUSIVE: "yellow"}
KNOWN_COLOUR: Final = "yellow"


def progress_line(outcome: Outcome) -> str:
    """``mqcheck: steady-load 21 held, 1 violated (12.3 s)``."""
    counts = Counter(verdict.verdict for verdict in outcome.verdicts if verdict.aimed or verdict.verdict == VIOLATED)
    told = ", ".join(f"{counts[word]} {word}" for word in WORST_FIRST if counts[word]) or "nothing aimed at"
    trouble = f"; harness error: {outcome.harness_error}" if outcome.harness_error else ""
    again = f" (rerun {outcome.attempt})" if outcome.attempt else ""
    return f"mqcheck: {outcome.scenario}{again}: {told} ({outcome.seconds:.1f} s){trouble}"


def print_summary(terminal: Any, report: Mapping[str, Any], folder: Path, *, selected: set[tuple[str, str]]) -> None:
    """The verdicts that somebody must look at, then the headline. ``terminal`` is pytest's terminal reporter."""
    terminal.section("mqcheck", sep="=")
    bad = [verdict for verdict in report["verdicts"] if worth_a_line(verdict)]
    bad.sort(key=lambda verdict: WORST_FIRST.index(verdict["verdict"]))
    for verdict in bad[:LINES_MAX]:
        colour = KNOWN_COLOUR if "known" in verdict else COLOURS[verdict["verdict"]]
        terminal.write_line(verdict_line(verdict, selected), **{colour: True})
    for gone in report["known_gone"]:
        terminal.write_line(f"{gone['told']}, held in {gone['scenario']}", red=True)
    if len(bad) > LINES_MAX:
        terminal.write_line(f"… and {len(bad) - LINES_MAX} more, in the report")
    for text in totals(report):
        terminal.write_line(text, bold=True)
    terminal.write_line(conditions(report))
    terminal.write_line(f"report: {relative(folder / 'report.html')}")


def worth_a_line(verdict: Mapping[str, Any]) -> bool:
    """Every violation, and what was aimed at without a decision."""
    return verdict["verdict"] == VIOLATED or (verdict["verdict"] == INCONCLUSIVE and bool(verdict["aimed"]))


def verdict_line(verdict: Mapping[str, Any], selected: set[tuple[str, str]]) -> str:
    """One verdict with its id, why, and whether it stands outside the selection."""
    pair = (verdict["scenario"], verdict["guarantee"])
    else_selected = (verdict["scenario"], "everything-else") in selected and not verdict["aimed"]
    outside = "" if pair in selected or else_selected else " (not selected: does not change the exit status)"
    evidence = f", {verdict['evidence_total']} row(s) of evidence" if verdict["evidence_total"] else ""
    if again := verdict.get("reproduced"):
        evidence += f", reproduced {again['times']} of {again['of']}"
    reason = f": {verdict['reason']}" if verdict["reason"] else ""
    if "known" in verdict:
        known = verdict["known"]
        return f"violated mqcheck::{pair[0]}::{pair[1]}, known: {known['what']} ({known['see']}){evidence}{reason}"
    return f"{verdict['verdict']} mqcheck::{pair[0]}::{pair[1]}{evidence}{reason}{outside}"


def totals(report: Mapping[str, Any]) -> list[str]:
    """The headline, the run beside its baseline, levels and subjects that it leaves out, and counts of all."""
    lines = [headline(report), *filter(None, [beside_baseline(report)])]
    for level in ("SHOULD", "MAY"):
        told = _counts(
            [line for line in report["guarantees"] if line["level"] == level and line["subject"] != "client"]
        )
        lines.extend([f"{level}: {told}"] if told else [])
    told = _counts([line for line in report["guarantees"] if line["subject"] == "client" and line["verdict"]])
    lines.extend([f"client's own promises: {told}"] if told else [])
    seen = [line for line in report["guarantees"] if line["level"] == "NOT-PROMISED" and line["exercised"]]
    lines.extend([f"not promised, but seen: {', '.join(line['id'] for line in seen)}"] if seen else [])
    return [*lines, *counts(report["guarantees"])]


def _counts(lines: list[Mapping[str, Any]]) -> str:
    counts = Counter(line["verdict"] for line in lines)
    return ", ".join(f"{word} {counts[word]}" for word in WORST_FIRST if counts[word])
