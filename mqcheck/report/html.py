"""report.html: the whole run as one file that opens offline, on a phone and in the dark.

Shapes the report's data for ``report.html.j2``; what is shown how is in the template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mqcheck.judge.verdicts import HELD, INCONCLUSIVE, NOT_APPLICABLE, NOT_EXERCISED, VIOLATED, WORST_FIRST
from mqcheck.report.sections import Section
from mqcheck.report.summary import NS_PER_MS, conditions, headline
from mqcheck.report.terminal import totals
from mqcheck.specs import Guarantee

if TYPE_CHECKING:
    from jinja2 import Template

MARKS: Final = {
    HELD: ("held", "✓"),
    VIOLATED: ("violated", "✗"),
    INCONCLUSIVE: ("inconclusive", "?"),
    NOT_EXERCISED: ("unexercised", "·"),
    NOT_APPLICABLE: ("inapplicable", "–"),
    None: ("unpromised", "○"),
}
"""CSS class and sign of each verdict: nothing is said by colour alone."""
TEXT_CHARACTERS_MAX: Final = 2000
"""Of one evidence value; ours: bodies may be megabytes, the history has them."""
CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What HTML cannot hold."""


def render(report: Mapping[str, Any], guarantees: Iterable[Guarantee], sections: Sequence[Section] = ()) -> str:
    """The page as text. Called once per run and by ``mqcheck check``."""
    page = template("report.html.j2").render(
        report=report,
        run=report["run"],
        headline=headline(report),
        totals=totals(report)[1:],
        conditions=conditions(report),
        tiles=tiles(report),
        columns={each["name"]: number for number, each in enumerate(report["scenarios"], 1) if not repeated(each)},
        rows=rows(report, {guarantee.id: guarantee for guarantee in guarantees}),
        scenarios=[_scenario(scenario) for scenario in report["scenarios"]],
        marks=MARKS,
        sections=sections,
    )
    return page + "\n"


def repeated(scenario: Mapping[str, Any]) -> bool:
    """Whether it is another run of a scenario, whose verdicts stand with the first one's."""
    return " (rerun " in scenario["name"]


def anchor(guarantee: str) -> str:
    """Where in report.html the evidence of a guarantee is: inside its card, so that browsers open it on arrival."""
    return f"see-{guarantee}"


def template(name: str) -> Template:
    """A template of this folder: everything escaped, nothing undefined passes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    environment.filters["anchor"] = anchor
    return environment.get_template(name)


def plain(value: object) -> str:
    """Any value as text that HTML can hold, cut where it is too long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    if len(text) > TEXT_CHARACTERS_MAX:
        return f"{text[:TEXT_CHARACTERS_MAX]}… ({len(text)} characters)"
    return text


def tiles(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The counts on top of the page."""
    summary = report["summary"]
    found = [
        {"css": "held", "count": summary["held"], "text": "held"},
        {"css": "violated", "count": summary["violated"], "text": "violated"},
        {"css": "inconclusive", "count": summary["inconclusive"], "text": "inconclusive"},
        {"css": "unexercised", "count": summary["not_exercised"], "text": "not exercised"},
        {"css": "inapplicable", "count": summary["not_applicable"], "text": "not applicable"},
    ]
    if summary["harness_error"]:
        found.insert(3, {"css": "inconclusive", "count": summary["harness_error"], "text": "harness error"})
    return found


def rows(report: Mapping[str, Any], guarantees: Mapping[str, Guarantee]) -> list[dict[str, Any]]:
    """One row of the matrix for each guarantee, with everything its details show."""
    by_guarantee: dict[str, dict[str, Mapping[str, Any]]] = {}
    for verdict in report["verdicts"]:
        by_guarantee.setdefault(verdict["guarantee"], {})[verdict["scenario"]] = verdict
    found = []
    for line in report["guarantees"]:
        cells = by_guarantee.get(line["id"], {})
        spec = guarantees.get(line["id"])
        told = sorted(cells.values(), key=lambda verdict: WORST_FIRST.index(verdict["verdict"]))
        found.append(
            {
                "line": line,
                "spec": spec,
                "area": spec.area if spec else "others",
                "sources": [_source(source) for source in spec.sources] if spec else [],
                "cells": cells,
                "verdicts": [verdict for verdict in told if verdict["verdict"] not in (NOT_EXERCISED, NOT_APPLICABLE)],
                "open": line["verdict"] == VIOLATED,
            }
        )
    return found


def _source(source: str) -> tuple[str, str | None]:
    """A source and where it can be read: links, and issues of a repository."""
    if source.startswith(("https://", "http://")):
        return source, source
    issue = re.fullmatch(r"([\w.-]+/[\w.-]+)#(\d+)", source)
    return source, f"https://github.com/{issue[1]}/issues/{issue[2]}" if issue else None


def _scenario(scenario: Mapping[str, Any]) -> dict[str, Any]:
    faults = []
    for fault in scenario["faults"]:
        lasted = None
        if fault["began"] is not None and fault["healed"] is not None:
            lasted = round((fault["healed"] - fault["began"]) / NS_PER_MS)
        faults.append({**fault, "lasted_ms": lasted})
    return {**scenario, "faults": faults}
