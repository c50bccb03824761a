"""Counts the guarantees, and lists those that wait for a profile, a scenario or a target. For ``mqcheck list``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from mqcheck.profile import PROFILES, fitted
from mqcheck.scenarios.base import Scenario, unfit
from mqcheck.specs import LEVELS, SUBJECTS, Guarantee, Specs
from mqcheck.targets.base import CAPABILITIES, Target


def table(guarantees: Iterable[Guarantee]) -> list[str]:
    """A table of text: a row for each area and one for all, a column for each level and each subject."""
    by_area: dict[str, list[Guarantee]] = {}
    for guarantee in guarantees:
        by_area.setdefault(guarantee.area, []).append(guarantee)
    by_area["all"] = [guarantee for part in by_area.values() for guarantee in part]
    heads = (*LEVELS, *SUBJECTS, "all")
    rows: list[tuple[str, ...]] = [("area", *heads)]
    for area, part in by_area.items():
        numbers = Counter([each.level for each in part] + [each.subject for each in part])
        rows.append((area, *(str(numbers[name]) for name in heads[:-1]), str(len(part))))
    return [
        f"{row[0]:<16}" + "".join(f"{text:>{len(head) + 2}}" for text, head in zip(row[1:], heads, strict=True))
        for row in rows
    ]


def only_in_full(guarantees: Iterable[Guarantee], scenarios: Iterable[Scenario], target: Target) -> list[str]:
    """Ids of the promises that scenarios aim at on this target under `full` and not under `quick`."""
    aimed = {name: set[str]() for name in PROFILES}
    for scenario in scenarios:
        for name, profile in PROFILES.items():
            if not unfit(scenario, target, fitted(profile, target)):
                aimed[name].update(scenario.aims)
    return [guarantee.id for guarantee in guarantees if guarantee.id in aimed["full"] - aimed["quick"]]


def unaimed(guarantees: Iterable[Guarantee], scenarios: Iterable[Scenario]) -> list[str]:
    """Ids of the promises that could be tested for, and that no scenario aims at."""
    aimed = {aim for scenario in scenarios for aim in scenario.aims}
    return [each.id for each in guarantees if each.promised and not each.features and each.id not in aimed]


def nowhere(guarantees: Iterable[Guarantee]) -> list[tuple[str, str]]:
    """Ids of guarantees that no target of the kit can be tested for, and why."""
    return [(each.id, reason) for each in guarantees if (reason := each.untestable(CAPABILITIES))]


def told(specs: Specs, scenarios: Mapping[str, Scenario], target: Target) -> list[str]:
    """All of it as lines of text; ``target`` is the one whose scenarios are looked at."""
    lists = {
        f"aimed at only under full ({target.name})": only_in_full(specs, scenarios.values(), target),
        "aimed at by no scenario": unaimed(specs, scenarios.values()),
        "not applicable to any target": [f"{name}: {why}" for name, why in nowhere(specs)],
    }
    lines = table(specs)
    for head, names in lists.items():
        lines += ["", f"{head}: {len(names) or 'none'}", *(f"  {name}" for name in names)]
    return lines
