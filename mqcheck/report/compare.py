"""Two runs side by side: violations that are new and gone, other verdicts that changed, speed of each scenario.

Speed is that of one run each: on a busy machine it says little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mqcheck.judge.verdicts import HELD, NOT_EXERCISED, VIOLATED, WORST_FIRST
from mqcheck.report.markdown import code, inline

MEASURES: Final = {
    "acknowledged_per_second": "acknowledged/s",
    "send_p50_ms": "send 50 % ms",
    "send_p99_ms": "send 99 % ms",
    "delivered_per_second": "delivered/s",
}
"""Figures of a scenario that are compared, and their titles."""
SAME_IN: Final = {"target": "target", "target_version": "version", "profile": "profile", "seed": "seed"}
"""In what runs may be unlike, so that what differs may differ for that."""


def compare(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    figures_before: Mapping[str, Mapping[str, Any]],
    figures_after: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """What differs between two reports (report.json).

    ``new``: violated now, and not before; ``gone``: violated before, held now; ``open``: violated before, not decided
    now; ``changed``: other pairs that were aimed at; each a list of {guarantee, scenario, before, after, level, reason,
    known, replay}, None for a verdict of a scenario that a run had not. ``scenarios``: {name, before, after} with
    figures. ``unlike``: in what the runs differ themselves.
    """
    found: dict[str, Any] = {"new": [], "gone": [], "open": [], "changed": []}
    levels = {line["id"]: line["level"] for report in (before, after) for line in report["guarantees"]}
    pairs = [{(each["guarantee"], each["scenario"]): each for each in report["verdicts"]} for report in (before, after)]
    for guarantee, scenario in dict.fromkeys([*pairs[1], *pairs[0]]):
        one, other = (side.get((guarantee, scenario)) for side in pairs)
        kind = _kind(one, other)
        if kind and levels.get(guarantee) != "NOT-PROMISED":
            found[kind].append(_entry(guarantee, scenario, levels.get(guarantee, ""), one, other))
    for kind in ("new", "gone", "open", "changed"):
        found[kind].sort(key=lambda each: WORST_FIRST.index(each["after"] or NOT_EXERCISED))
    names = [
        each["name"] for report in (before, after) for each in report["scenarios"] if " (rerun " not in each["name"]
    ]
    found["scenarios"] = [
        {"name": name, "before": figures_before.get(name), "after": figures_after.get(name)}
        for name in dict.fromkeys(names)
    ]
    runs = before["run"], after["run"]
    found["unlike"] = [title for key, title in SAME_IN.items() if runs[0][key] != runs[1][key]]
    return {"before": dict(runs[0]), "after": dict(runs[1]), **found}


def _kind(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> str:
    """Which list a pair belongs to; empty for none."""
    was, now = (each["verdict"] if each else None for each in (one, other))
    if was == now:
        return ""
    if now == VIOLATED:
        return "new"
    if was == VIOLATED:
        return "gone" if now == HELD else "open"
    if one is None or other is None:
        return ""
    return "changed" if one["aimed"] or other["aimed"] else ""


def _entry(
    guarantee: str, scenario: str, level: str, one: Mapping[str, Any] | None, other: Mapping[str, Any] | None
) -> dict[str, Any]:
    told = other or one or {}
    return {
        "guarantee": guarantee,
        "scenario": scenario,
        "level": level,
        "before": one["verdict"] if one else None,
        "after": other["verdict"] if other else None,
        "reason": told["reason"],
        "known": "known" in told,
        "replay": told["replay"],
    }


def worse(comparison: Mapping[str, Any]) -> bool:
    """Whether a MUST promise is violated that was not before, in a way that is no known one."""
    return any(each["level"] == "MUST" and not each["known"] for each in comparison["new"])


def markdown(comparison: Mapping[str, Any]) -> str:
    """The comparison as Markdown, for a terminal and for a comment."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Mapping[str, Any]) -> Iterator[str]:
    yield f"### mqcheck: {_run(comparison['before'])} → {_run(comparison['after'])}"
    yield ""
    counts = {key: len(comparison[key]) for key in ("new", "gone", "open", "changed")}
    yield (
        f"**Violations: {counts['new']} new, {counts['gone']} gone, {counts['open']} not decided now**; "
        f"other verdicts that changed: {counts['changed']}"
    )
    if comparison["unlike"]:
        yield f"\nThe runs had not the same {', '.join(comparison['unlike'])}: what differs may differ for that."
    titles = {
        "new": "New violations",
        "gone": "Gone: violated before, held now",
        "open": "Violated before, not decided now",
        "changed": "Other verdicts that changed",
    }
    for kind, title in titles.items():
        if comparison[kind]:
            yield from (
                "",
                f"#### {title}",
                "",
                "| guarantee | scenario | before | now | why |",
                "| --- | --- | --- | --- | --- |",
            )
            yield from map(_changed, comparison[kind])
    yield from _speeds(comparison["scenarios"])
    replays = dict.fromkeys(each["replay"] for each in comparison["new"] if each["replay"])
    if replays:
        yield from ("", "#### New violations again", "", "```sh", *replays, "```")


def _run(run: Mapping[str, Any]) -> str:
    planted = "".join(f" with {run[kind]}" for kind in ("sabotage", "odd") if run.get(kind))
    return inline(f"{run['target']} {run['target_version']}{planted} ({run['id']})")


def _changed(each: Mapping[str, Any]) -> str:
    was, now = (each[side] or "not run" for side in ("before", "after"))
    known = " (known)" if each["known"] else ""
    cells = (
        f"`{code(each['guarantee'])}`",
        f"`{code(each['scenario'])}`",
        was,
        f"{now}{known}",
        inline(each["reason"]),
    )
    return f"| {' | '.join(cells)} |"


def _speeds(scenarios: list[Mapping[str, Any]]) -> Iterator[str]:
    for side, title in (("after", "earlier"), ("before", "later")):
        missing = [f"`{code(each['name'])}`" for each in scenarios if each[side] is None]
        if missing:
            yield f"\nOnly in the {title} run: {', '.join(missing)}."
    rows = [each for each in scenarios if all((each[side] or {}).get("sends") for side in ("before", "after"))]
    if not rows:
        return
    yield from ("", "#### Speed, one run each", "", f"| scenario | {' | '.join(MEASURES.values())} |")
    yield f"| --- |{' ---: |' * len(MEASURES)}"
    for each in rows:
        sides = (each["before"] or {}, each["after"] or {})
        cells = [_speed(sides[0].get(key), sides[1].get(key)) for key in MEASURES]
        yield f"| `{code(each['name'])}` | {' | '.join(cells)} |"


def _speed(before: float | None, after: float | None) -> str:
    """``42.7 → 51.2 (×1.20)``; a dash for what was not measured."""
    if before is None and after is None:
        return "–"
    told = " → ".join("–" if value is None else f"{value:,.1f}" for value in (before, after))
    return told if not before or after is None else f"{told} (×{after / before:.2f})"
