"""Two runs side by side: what is new, what is gone, what is merely undecided."""

from __future__ import annotations

from typing import Any

from mqcheck.report.compare import compare, markdown, worse


def verdict(guarantee: str, told: str, scenario: str = "kill", **more: Any) -> dict[str, Any]:
    base = {"guarantee": guarantee, "scenario": scenario, "verdict": told, "aimed": True, "reason": f"why {told}"}
    return {**base, "replay": f"pytest {scenario}", **more}


def report(*verdicts: dict[str, Any], seed: int = 7, scenarios: tuple[str, ...] = ("kill",)) -> dict[str, Any]:
    run = {"id": "r", "target": "reference", "target_version": "1", "profile": "quick", "seed": seed}
    levels = {"a-may": "MAY", "no-promise": "NOT-PROMISED"}
    lines = [{"id": each["guarantee"], "level": levels.get(each["guarantee"], "MUST")} for each in verdicts]
    return {
        "run": run,
        "guarantees": lines,
        "verdicts": list(verdicts),
        "scenarios": [{"name": each} for each in scenarios],
    }


def lists(one: dict[str, Any], other: dict[str, Any]) -> dict[str, list[str]]:
    found = compare(one, other, {}, {})
    return {key: [each["guarantee"] for each in found[key]] for key in ("new", "gone", "open", "changed") if found[key]}


def test_violations_are_new_gone_or_open() -> None:
    before = report(verdict("a-held", "held"), verdict("a-bad", "violated"), verdict("a-open", "violated"))
    after = report(verdict("a-held", "violated"), verdict("a-bad", "held"), verdict("a-open", "inconclusive"))
    assert lists(before, after) == {"new": ["a-held"], "gone": ["a-bad"], "open": ["a-open"]}
    assert lists(before, before) == {}


def test_a_scenario_that_was_not_run_decides_nothing() -> None:
    before, after = report(verdict("a-bad", "violated"), verdict("a-held", "held")), report(scenarios=())
    assert lists(before, after) == {"open": ["a-bad"]}
    assert lists(after, before) == {"new": ["a-bad"]}


def test_other_changes_are_told_where_they_were_aimed_at() -> None:
    before = report(verdict("a-one", "held"), verdict("a-two", "held", aimed=False), verdict("no-promise", "held"))
    after = report(
        verdict("a-one", "inconclusive"),
        verdict("a-two", "not exercised", aimed=False),
        verdict("no-promise", "not applicable"),
    )
    assert lists(before, after) == {"changed": ["a-one"]}


def test_only_news_about_must_promises_are_worse() -> None:
    known = {"what": "w", "see": "s", "link": None, "sometimes": False}
    clean = report(verdict("a-must", "held"), verdict("a-may", "held"))
    for broken, expected in (
        (verdict("a-must", "violated"), True),
        (verdict("a-must", "violated", known=known), False),
        (verdict("a-may", "violated"), False),
        (verdict("a-must", "inconclusive"), False),
    ):
        assert worse(compare(clean, report(broken), {}, {})) is expected


def test_the_text_says_it_all() -> None:
    before = report(verdict("a-must", "held"), scenarios=("kill", "steady"))
    after = report(verdict("a-must", "violated", reason="lost | 2"), seed=8)
    speed = {"sends": 9, "acknowledged_per_second": 40.0, "send_p50_ms": 2.0}
    text = markdown(compare(before, after, {"kill": speed, "steady": speed}, {"kill": {**speed, "send_p50_ms": 3.0}}))
    for wanted in (
        "**Violations: 1 new, 0 gone, 0 not decided now**; other verdicts that changed: 0",
        "had not the same seed",
        "| `a-must` | `kill` | held | violated | lost \\| 2 |",
        "Only in the earlier run: `steady`.",
        "| `kill` | 40.0 → 40.0 (×1.00) | 2.0 → 3.0 (×1.50) | – | – |",
        "pytest kill",
    ):
        assert wanted in text
