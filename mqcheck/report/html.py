"""report.html: the whole run as one file that opens offline, on a phone and in the dark.

Shapes the report's data for ``page/report.html.j2``; what is shown how is in ``page/``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mqcheck.judge.verdicts import HELD, INCONCLUSIVE, NOT_APPLICABLE, NOT_EXERCISED, VIOLATED, WORST_FIRST
from mqcheck.report.embedded import as_json, script, styles, within
from mqcheck.report.evidence import Drawn, first_link, table_of
from mqcheck.report.sections import Section
from mqcheck.report.summary import NS_PER_MS, conditions, counted_as, headline
from mqcheck.report.terminal import totals, worth_a_line
from mqcheck.specs import LEVELS, SUBJECTS, Guarantee

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

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
LIVES_CHARACTERS_MAX: Final = 400_000
"""Of all lives told as text; ours: beyond it they are drawn in the timelines alone."""
ATTENTION_MAX: Final = 60
"""Verdicts listed on top of the page; ours: the matrix has all."""
RERUN: Final = " (rerun "
CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What HTML cannot hold."""


def render(
    report: Mapping[str, Any],
    guarantees: Iterable[Guarantee],
    sections: Sequence[Section] = (),
    timelines: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """The page as text. ``timelines`` by name of the report's scenarios. Called once per run, and by mqcheck report."""
    drawn = {
        each["name"]: Drawn(number, (timelines or {}).get(each["name"], {}))
        for number, each in enumerate(report["scenarios"], 1)
    }
    columns = {each["name"]: drawn[each["name"]].number for each in report["scenarios"] if not repeated(each)}
    found = rows(report, {guarantee.id: guarantee for guarantee in guarantees}, columns)
    scenarios = [_scenario(scenario, report, drawn[scenario["name"]]) for scenario in report["scenarios"]]
    bad = attention(report, drawn)
    head, _, untested = re.sub(r"(, not tested \d+) \(", r"\1\n", headline(report)).partition("\n")
    text = template("page/report.html.j2").render(
        report=report,
        run=report["run"],
        headline=headline(report),
        head=head,
        untested=untested.removesuffix(")"),
        totals=totals(report)[1:],
        conditions=conditions(report),
        tiles=tiles(report),
        attention=bad[:ATTENTION_MAX],
        more_attention=max(0, len(bad) - ATTENTION_MAX),
        columns=columns,
        numbers=columns,
        areas=_areas(found),
        choices=_choices(found),
        scenarios=scenarios,
        marks=MARKS,
        sections=sections,
        evidence=_evidence(report, drawn),
        replay_all=_replay_all(report),
        script=script(),
        styles=styles(),
        page_data=as_json(_page_data(found, columns)),
        timelines={0: "@timelines@"},
    )
    mark = '<script type="application/json" id="timeline-0">@timelines@</script>\n'
    inside = within({each.number: each.timeline for each in drawn.values() if each.timeline}, len(text.encode()))
    told = "".join(mark.replace("-0", f"-{number}").replace("@timelines@", data) for number, data in inside.items())
    return text.replace(mark, told, 1) + "\n"


def repeated(scenario: Mapping[str, Any]) -> bool:
    """Whether it is another run of a scenario, whose verdicts stand with the first one's."""
    return RERUN in scenario["name"]


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
    """The counts on top of the page; a click on one shows those guarantees alone.

    So the client's own promises are among them, other than in the headline, and are told apart.
    """
    lines = [line for line in report["guarantees"] if line["verdict"] is not None]
    of_all = Counter(counted_as(line) for line in lines)
    of_client = Counter(counted_as(line) for line in lines if line["subject"] == "client")
    found: list[dict[str, Any]] = [
        {"css": MARKS[verdict][0], "verdict": MARKS[verdict][0], "sign": MARKS[verdict][1], "text": verdict}
        for verdict in (HELD, VIOLATED, INCONCLUSIVE, NOT_EXERCISED, NOT_APPLICABLE)
    ]
    if of_all["harness_error"]:
        css, sign = MARKS[INCONCLUSIVE]
        found.insert(3, {"css": css, "verdict": css, "sign": sign, "text": "harness error"})
    for tile in found:
        key = str(tile["text"]).replace(" ", "_")
        tile |= {"count": of_all[key], "client": of_client[key]}
    return found


def attention(report: Mapping[str, Any], drawn: Mapping[str, Drawn]) -> list[dict[str, Any]]:
    """What somebody must look at, worst and news first, each with its place in the timeline."""
    bad = [verdict for verdict in report["verdicts"] if worth_a_line(verdict)]
    bad.sort(key=lambda verdict: (WORST_FIRST.index(verdict["verdict"]), "known" in verdict))
    found = []
    for verdict in bad:
        first = drawn.get(verdict["scenario"])
        link = first_link(verdict, _runs(verdict["scenario"], drawn))
        found.append({"verdict": verdict, "number": first.number if first else 0, "link": link})
    return found


def rows(
    report: Mapping[str, Any], guarantees: Mapping[str, Guarantee], columns: Iterable[str]
) -> list[dict[str, Any]]:
    """One row of the matrix for each guarantee, with everything its details show."""
    by_guarantee: dict[str, dict[str, Mapping[str, Any]]] = {}
    for verdict in report["verdicts"]:
        by_guarantee.setdefault(verdict["guarantee"], {})[verdict["scenario"]] = verdict
    found = []
    for line in report["guarantees"]:
        cells = by_guarantee.get(line["id"], {})
        spec = guarantees.get(line["id"])
        told = sorted(cells.values(), key=lambda verdict: WORST_FIRST.index(verdict["verdict"]))
        row = {
            "line": line,
            "spec": spec,
            "area": spec.area if spec else "others",
            "mark": MARKS[line["verdict"]],
            "sources": [_source(source) for source in spec.sources] if spec else [],
            "cells": cells,
            "told": [verdict for verdict in told if _worth_telling(verdict, line)],
            "held": ", ".join(_held(verdict) for verdict in told if verdict["verdict"] == HELD),
            "open": line["verdict"] == VIOLATED,
            "markup": _cells([cells.get(column) for column in columns], line["verdict"] is not None),
        }
        found.append({**row, "data": _data(row)})
    return found


def _worth_telling(verdict: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    """In its own lines: what went wrong, what has evidence to show, and what was aimed at in vain."""
    if verdict["verdict"] in (VIOLATED, INCONCLUSIVE) or verdict["evidence"]:
        return True
    return bool(verdict["verdict"] == NOT_APPLICABLE and verdict["aimed"] and line["verdict"] is not None)


def _held(verdict: Mapping[str, Any]) -> str:
    enough = f" of {verdict['enough']}" if verdict["aimed"] else ""
    return f"{verdict['scenario']} (evidence {verdict['exercised']}{enough})"


def _cells(cells: Iterable[Mapping[str, Any] | None], promised: bool) -> Markup:
    """The cells of a row; thousands of them, so without a template."""
    from markupsafe import Markup

    found = []
    for cell in cells:
        if cell is None or (cell["verdict"] == NOT_EXERCISED and not cell["aimed"]):
            found.append('<td class="cell"></td>')
            continue
        verdict = cell["verdict"] if promised else None
        if verdict is None and not cell["exercised"]:
            found.append('<td class="cell"></td>')
            continue
        css, sign = MARKS[verdict]
        quiet = verdict == NOT_APPLICABLE and not cell["aimed"]
        found.append(f'<td class="cell {css}{" aimed" if cell["aimed"] else ""}">{"" if quiet else sign}</td>')
    return Markup("".join(found))  # noqa: S704


def _data(row: Mapping[str, Any]) -> Markup:
    """What filters look at, as attributes."""
    from markupsafe import Markup

    line, spec = row["line"], row["spec"]
    words = [line["id"], spec.title if spec else "", *(spec.needs if spec else ()), *line["scenarios"]]
    values = {
        "verdict": row["mark"][0],
        "level": line["level"],
        "subject": line["subject"],
        "area": row["area"],
        "text": plain(" ".join(words).lower()),
    }
    return Markup(" ".join(f'data-{name}="{escape(value)}"' for name, value in values.items()))  # noqa: S704


def _choices(found: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What the filters offer: only what is there."""
    there = {key: {row["line"][key] for row in found} for key in ("level", "subject")}
    order = {"level": LEVELS, "subject": SUBJECTS}
    choices = {key: [value for value in order[key] if value in there[key]] for key in order}
    return {**choices, "area": list(_areas(found))}


def _page_data(found: Sequence[Mapping[str, Any]], columns: Mapping[str, int]) -> dict[str, Any]:
    """What the cells of the matrix say when they are pointed at: [evidence, reason as number of ``words``]."""
    words: dict[str, int] = {}
    places = {column: place for place, column in enumerate(columns)}
    cells: dict[str, dict[int, list[int]]] = {}
    for row in found:
        for scenario, cell in row["cells"].items():
            if scenario in places and (cell["exercised"] or (cell["reason"] and cell["aimed"])):
                reason = words.setdefault(plain(cell["reason"]), len(words)) if cell["reason"] else -1
                cells.setdefault(row["line"]["id"], {})[places[scenario]] = [cell["exercised"], reason]
    marks = {css: verdict or "not promised" for verdict, (css, _) in MARKS.items()}
    return {"columns": list(columns), "cells": cells, "words": list(words), "marks": marks}


def _areas(found: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Rows by area, both in the order of the guarantees."""
    areas: dict[str, list[Mapping[str, Any]]] = {}
    for row in found:
        areas.setdefault(row["area"], []).append(row)
    return areas


def _source(source: str) -> tuple[str, str | None]:
    """A source and where it can be read: links, and issues of a repository."""
    if source.startswith(("https://", "http://")):
        return source, source
    issue = re.fullmatch(r"([\w.-]+/[\w.-]+)#(\d+)", source)
    return source, f"https://github.com/{issue[1]}/issues/{issue[2]}" if issue else None


def _runs(scenario: str, drawn: Mapping[str, Drawn]) -> list[Drawn]:
    """A scenario's run and its repetitions, as far as they are drawn."""
    again = [each for name, each in drawn.items() if name.startswith(scenario + RERUN)]
    return [drawn[scenario], *again] if scenario in drawn else []


def _evidence(report: Mapping[str, Any], drawn: Mapping[str, Drawn]) -> Any:
    lives = sum(len(str(row.get("life", ""))) for each in report["verdicts"] for row in each["evidence"])
    tell = partial(table_of, with_life=lives <= LIVES_CHARACTERS_MAX)
    return lambda verdict: tell(verdict, _runs(verdict["scenario"], drawn))


def _replay_all(report: Mapping[str, Any]) -> str:
    """The command of the whole run: a scenario's own without its selection."""
    replays = (verdict["replay"] for verdict in report["verdicts"] if verdict["replay"])
    return next(replays, "").partition(" --mqcheck-select ")[0]


def _scenario(scenario: Mapping[str, Any], report: Mapping[str, Any], drawn: Drawn) -> dict[str, Any]:
    name = scenario["name"].partition(RERUN)[0]
    mine = [verdict for verdict in report["verdicts"] if verdict["scenario"] == name]
    promised = {line["id"] for line in report["guarantees"] if line["verdict"] is not None}
    counts = Counter(verdict["verdict"] for verdict in mine if verdict["guarantee"] in promised)
    words = (VIOLATED, INCONCLUSIVE, HELD)
    start = drawn.timeline.get("start_ns")
    return {
        **scenario,
        "number": drawn.number,
        "counts": [(*MARKS[word], counts[word]) for word in words if counts[word]],
        "broken": [verdict for verdict in mine if worth_a_line(verdict)],
        "replay": next((verdict["replay"] for verdict in mine if verdict["replay"]), ""),
        "figures": _figures(drawn.timeline.get("figures", {})),
        "faults": [_fault(fault, start) for fault in scenario["faults"]],
    }


def _figures(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A scenario in a few numbers."""
    if not figures.get("sends") and not figures.get("deliveries"):
        return []
    found = [
        ("sent", f"{figures['sends']:,}"),
        ("acknowledged", f"{figures['acknowledged']:,}"),
        ("fate unknown", f"{figures['unknown']:,}"),
        ("acknowledged per second", _number(figures.get("acknowledged_per_second"))),
        ("send 50 %", _number(figures.get("send_p50_ms"), " ms")),
        ("send 99 %", _number(figures.get("send_p99_ms"), " ms")),
        ("delivered", f"{figures['deliveries']:,}"),
        ("of them again", f"{figures['deliveries'] - figures['delivered_once']:,}"),
    ]
    return [(name, value) for name, value in found if value not in ("", "0") or name in ("sent", "delivered")]


def _number(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:,.1f}{unit}"


def _fault(fault: Mapping[str, Any], start_ns: int | None) -> dict[str, Any]:
    began, healed = fault["began"], fault["healed"]
    lasted = None if began is None or healed is None else round((healed - began) / NS_PER_MS)
    at = "" if began is None or start_ns is None else f"+{(began - start_ns) / NS_PER_MS:.1f} ms"
    return {**fault, "lasted_ms": lasted, "at": at}
