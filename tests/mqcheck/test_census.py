"""The counts of all guarantees, and those that wait for a profile, a scenario or a target."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mqcheck.census import nowhere, only_in_full, table, told, unaimed
from mqcheck.profile import PROFILES, Profile
from mqcheck.scenarios.base import Scenario, all_scenarios
from mqcheck.specs import FEATURES, Guarantee, Specs, load_specs
from mqcheck.targets.base import CAPABILITIES
from mqcheck.targets.reference import ReferenceTarget


@pytest.fixture
def guarantees() -> list[Guarantee]:
    specs = load_specs()
    return [specs.get(name) for name in ("dur-ack-kill", "dur-crc-valid", "pop-ack-final", "cli-persist")]


def scenario(*aims: str, **more: Any) -> Scenario:
    return Scenario(name="one", summary="Catches it.", aims=aims, run=None, **more)  # type: ignore[arg-type]


def test_a_row_for_each_area_and_one_for_all(guarantees: list[Guarantee]) -> None:
    rows = [line.split() for line in table(guarantees)]
    heads, numbers = rows[0][1:], {row[0]: dict(zip(rows[0][1:], map(int, row[1:]), strict=True)) for row in rows[1:]}
    assert list(numbers) == ["storage", "consumption", "groups", "all"]
    assert {head: numbers["all"][head] for head in heads} == {
        **dict.fromkeys(heads, 0),
        "MUST": 3,
        "SHOULD": 1,
        "broker": 3,
        "client": 1,
        "all": 4,
    }
    assert numbers["storage"]["MUST"] == numbers["storage"]["all"] == 2


def test_what_no_scenario_aims_at_is_told_but_for_features(guarantees: list[Guarantee]) -> None:
    assert unaimed(guarantees, [scenario("dur-ack-kill")]) == ["dur-crc-valid", "cli-persist"]


def test_what_only_full_can_take_is_told(guarantees: list[Guarantee], monkeypatch: pytest.MonkeyPatch) -> None:
    def unfit(_: Scenario, target: Any, profile: Profile) -> str:
        return "too quick" if target.name == "hasty" and profile.name == "quick" else ""

    monkeypatch.setattr("mqcheck.census.unfit", unfit)
    monkeypatch.setattr("mqcheck.census.fitted", lambda profile, _: profile)
    both: list[Scenario] = [scenario("dur-ack-kill")]
    assert only_in_full(guarantees, both, SimpleNamespace(name="hasty")) == ["dur-ack-kill"]  # type: ignore[arg-type]
    assert only_in_full(guarantees, both, SimpleNamespace(name="calm")) == []  # type: ignore[arg-type]
    assert set(PROFILES) == {"quick", "full"}


def test_what_no_target_can_be_tested_for_has_a_reason(guarantees: list[Guarantee]) -> None:
    (found,) = nowhere(guarantees)
    assert found == ("pop-ack-final", f"from RocketMQ 5.0 on, {FEATURES['pop']}")


def test_features_are_no_capabilities_of_a_target_yet_and_one_that_has_them_is_tested() -> None:
    assert CAPABILITIES.isdisjoint(FEATURES)
    both = replace(load_specs().get("pop-ack-final"), features=("pop", "timer"))
    assert both.untestable({"timer"}) == f"from RocketMQ 5.0 on, {FEATURES['pop']}"
    assert both.untestable(()) == f"from RocketMQ 5.0 on, {FEATURES['pop']}; {FEATURES['timer']}"
    assert both.untestable({"pop", "timer"}) == ""


def test_every_promise_is_aimed_at_under_quick_but_those_about_features(guarantees: list[Guarantee]) -> None:
    lines = told(load_specs(), all_scenarios(), ReferenceTarget())
    assert "aimed at only under full (reference): none" in lines
    assert "aimed at by no scenario: none" in lines
    some = told(Specs(tuple(guarantees), ()), {}, ReferenceTarget())
    head = some.index("aimed at by no scenario: 3")
    assert some[head + 1 : head + 4] == ["  dur-ack-kill", "  dur-crc-valid", "  cli-persist"]
