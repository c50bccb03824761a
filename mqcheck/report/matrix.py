"""Reports of several targets side by side: the one dictionary that matrix.html, matrix.json and matrix.md are made of.

Reads reports as ``report.json`` has them; decides which rows come first and why a cell has no verdict.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mqcheck import exits
from mqcheck.judge.verdicts import HELD, INCONCLUSIVE, NOT_APPLICABLE, NOT_EXERCISED, VIOLATED, WORST_FIRST
from mqcheck.report.html import anchor
from mqcheck.report.summary import count_known, counted_as, failures_of, file_system_model
from mqcheck.specs import Guarantee

FORMAT: Final = 1
"""Of matrix.json; ``matrix.schema.json`` describes it."""
DECIDED: Final = (VIOLATED, INCONCLUSIVE, HELD)
"""Verdicts of a guarantee that was put to the test; the others say that it was not."""
DIFFERENT: Final = "different"
BROKEN: Final = "violated"
SAME: Final = "same"
GROUPS: Final = {
    DIFFERENT: "Targets differ",
    BROKEN: "Violated or undecided",
    SAME: "The same everywhere",
}
"""Parts of the page, in their order, and their titles. A row is in the first that it fits."""
NOBODY: Final = "no scenario of the kit aims at it, and nothing happened that it speaks of"
LEVELS: Final = ("MUST", "SHOULD", "MAY")
COUNTED: Final = (HELD, VIOLATED, INCONCLUSIVE, "harness_error", "not_applicable", "not_exercised")


@dataclass(frozen=True, slots=True)
class Column:
    """One target's run."""

    target: str
    """As it was asked for, or as its report has it."""
    folder: Path
    """The run's folder, with report.html in it."""
    report: Mapping[str, Any] | None
    """report.json; None when the run left none."""
    seconds: float | None = None
    """How long the whole run took; None: what its report says."""
    status: int | None = None
    """Exit status of the process that made it; None when it was made earlier."""
    trouble: str = ""
    """Why the report is not there or not whole; empty when it is."""
    log: Path | None = None
    """What that process printed."""


def read_report(folder: Path) -> dict[str, Any] | None:
    """A run folder's report.json; None when there is none. Raises ValueError when it is none of ours."""
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if not isinstance(report, dict) or report.get("format") != 1 or "guarantees" not in report:
        raise ValueError("it is no report of format 1, the only one that this version of mqcheck reads")
    return report


def make_matrix(
    columns: Sequence[Column],
    guarantees: Iterable[Guarantee],
    aims: Mapping[str, Sequence[str]],
    folder: Path,
    made: str,
) -> dict[str, Any]:
    """The whole of matrix.json. Links lead from ``folder``; ``made`` is the time, ISO 8601.

    ``aims``: which scenarios of the kit aim at a guarantee, by its id.
    """
    specs = {guarantee.id: guarantee for guarantee in guarantees}
    found = [({line["id"]: line for line in each.report["guarantees"]} if each.report else {}) for each in columns]
    ids = dict.fromkeys([*specs, *(name for lines in found for name in lines)])
    rows = []
    for name in ids:
        cells = [
            _cell(lines[name], column, aims.get(name, ()), folder) if name in lines else None
            for lines, column in zip(found, columns, strict=True)
        ]
        line = next((lines[name] for lines in found if name in lines), None)
        if line is not None:
            rows.append(_row(name, line, specs.get(name), cells))
    return {
        "format": FORMAT,
        "made": made,
        "columns": [_column(column, title, folder) for column, title in zip(columns, titles(columns), strict=True)],
        "summary": {group: sum(row["group"] == group for row in rows) for group in GROUPS},
        "rows": [row for group in GROUPS for row in _ordered(rows, group)],
    }


def titles(columns: Sequence[Column]) -> list[str]:
    """What stands at the heads: the target, what was planted in it, and a number where that is not enough."""
    told = []
    for column in columns:
        run = column.report["run"] if column.report else {}
        told.append(" ".join([column.target, *(f"+ {run[kind]}" for kind in ("sabotage", "odd") if run.get(kind))]))
    counts = Counter(told)
    seen: Counter[str] = Counter()
    found = []
    for title in told:
        seen[title] += 1
        found.append(title if counts[title] == 1 else f"{title} ({seen[title]})")
    return found


def status(columns: Sequence[Column], *, interrupted: bool = False) -> int:
    """The exit status of all together; first match wins: interrupted, misused, violated, broken, undecided, held."""
    if interrupted:
        return exits.INTERRUPTED
    told = [_status(column) for column in columns]
    order = (exits.USAGE, exits.NOTHING_COLLECTED, exits.VIOLATED, exits.HARNESS_ERROR, exits.INCONCLUSIVE)
    return next((one for one in order if one in told), exits.HELD)


def _status(column: Column) -> int:
    if column.status in (exits.USAGE, exits.NOTHING_COLLECTED):
        return int(column.status)
    told = exits.HARNESS_ERROR if column.report is None else exits.status(exits.HELD, failures_of(column.report))
    if column.trouble and told != exits.VIOLATED:
        return exits.HARNESS_ERROR
    # With --strict the run itself is stricter than its report alone can tell.
    return exits.VIOLATED if column.status == exits.VIOLATED else told


def _column(column: Column, title: str, folder: Path) -> dict[str, Any]:
    report = column.report
    run = report["run"] if report else {}
    return {
        "title": title,
        "target": column.target,
        "target_version": run.get("target_version", ""),
        "profile": run.get("profile"),
        "seed": run.get("seed"),
        "sabotage": run.get("sabotage"),
        "odd": run.get("odd"),
        "started": run.get("started", ""),
        "seconds": column.seconds if column.seconds is not None else run.get("seconds", 0),
        "peak_rss_bytes": run.get("peak_rss_bytes", 0),
        "file_system_model": file_system_model(report) if report else "",
        "scenarios": len(report["scenarios"]) if report else 0,
        "levels": {level: _counts(report, level) for level in LEVELS},
        "status": column.status,
        "trouble": column.trouble,
        "gone": [gone["told"] for gone in report.get("known_gone", ())] if report else [],
        "report": link(column.folder / "report.html", folder) if report else None,
        "log": link(column.log, folder) if column.log is not None and column.log.is_file() else None,
    }


def _counts(report: Mapping[str, Any] | None, level: str) -> dict[str, int]:
    """Brokers' and NameServers' promises of one level by verdict, those that are violated as known counted again."""
    lines = [line for line in report["guarantees"] if line["level"] == level] if report else []
    counts = Counter(counted_as(line) for line in lines if line["subject"] != "client")
    return {**{name: counts[name] for name in COUNTED}, "known": count_known(lines)}


def _cell(line: Mapping[str, Any], column: Column, aiming: Sequence[str], folder: Path) -> dict[str, Any]:
    assert column.report is not None  # noqa: S101 - only a report has lines
    pairs = [pair for pair in column.report["verdicts"] if pair["guarantee"] == line["id"]]
    return {
        "verdict": line["verdict"],
        "exercised": line["exercised"],
        "scenarios": line["scenarios"],
        "reason": _why(line, pairs, aiming),
        "known": [pair["known"] for pair in pairs if "known" in pair] if line.get("known") else [],
        "link": f"{link(column.folder / 'report.html', folder)}#{anchor(line['id'])}",
    }


def _why(line: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]], aiming: Sequence[str]) -> str:
    """The reason of a cell, with the scenarios it comes from; one that was not exercised says who would exercise it."""
    told, reason = line["verdict"], str(line["reason"])
    if told in (VIOLATED, INCONCLUSIVE):
        names = ", ".join(pair["scenario"] for pair in pairs if pair["verdict"] == told)
        return f"in {names}: {reason}" if reason else f"in {names}"
    if told not in (NOT_EXERCISED, NOT_APPLICABLE):
        return reason
    aimed = [pair for pair in pairs if pair["aimed"]]
    if aimed:
        return reason or next((pair["reason"] for pair in aimed if pair["reason"]), "")
    if aiming:
        return f"no scenario of this run aims at it; run one that does: --select {' --select '.join(aiming)}"
    return reason if told == NOT_APPLICABLE else NOBODY


def _row(
    name: str, line: Mapping[str, Any], spec: Guarantee | None, cells: Sequence[Mapping[str, Any] | None]
) -> dict[str, Any]:
    return {
        "id": name,
        "title": spec.title if spec else "",
        "area": spec.area if spec else "others",
        "subject": line["subject"],
        "level": line["level"],
        "group": _group(line["level"], [cell["verdict"] for cell in cells if cell is not None]),
        "cells": list(cells),
    }


def _group(level: str, verdicts: Sequence[str]) -> str:
    if level == "NOT-PROMISED":
        return SAME
    if len(set(verdicts)) > 1:
        return DIFFERENT
    return BROKEN if set(verdicts) & {VIOLATED, INCONCLUSIVE} else SAME


def clash(row: Mapping[str, Any]) -> bool:
    """Whether two targets were put to the test and have different verdicts."""
    verdicts = {cell["verdict"] for cell in row["cells"] if cell is not None}
    return row["group"] == DIFFERENT and len(verdicts & set(DECIDED)) > 1


def _ordered(rows: Iterable[Mapping[str, Any]], group: str) -> list[Mapping[str, Any]]:
    """Different verdicts before what only some targets were put to; brokers' promises before clients'; worst first."""

    def rank(row: Mapping[str, Any]) -> tuple[bool, bool, int]:
        verdicts = [cell["verdict"] for cell in row["cells"] if cell is not None and cell["verdict"] is not None]
        worst = min((WORST_FIRST.index(verdict) for verdict in verdicts), default=len(WORST_FIRST))
        return not clash(row), row["subject"] == "client", worst

    mine = [row for row in rows if row["group"] == group]
    return mine if group == SAME else sorted(mine, key=rank)


def link(path: Path, folder: Path) -> str:
    """A relative link from a page in ``folder``, as a URL; absolute where there is no relative path."""
    from urllib.parse import quote

    try:
        return quote(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())
    except ValueError:
        return path.resolve().as_uri()
