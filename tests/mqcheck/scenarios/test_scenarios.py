"""Every scenario says what it would catch, aims at guarantees that exist, and needs what its faults need."""

from __future__ import annotations

import pytest

from mqcheck.profile import PROFILES
from mqcheck.scenarios.base import Scenario, all_scenarios
from mqcheck.specs import load_specs
from mqcheck.targets.base import CAPABILITIES

SCENARIOS = all_scenarios()


def test_there_are_enough_of_them() -> None:
    assert len(SCENARIOS) >= 12


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_a_scenario_is_well_formed(scenario: Scenario) -> None:
    specs = {guarantee.id: guarantee for guarantee in load_specs()}
    assert scenario.summary.startswith("Catches ")
    assert scenario.summary.endswith(".")
    assert scenario.aims
    assert len(set(scenario.aims)) == len(scenario.aims)
    assert set(scenario.aims) <= set(specs), "aims at guarantees that do not exist"
    assert all(specs[aim].level != "NOT-PROMISED" for aim in scenario.aims)
    assert scenario.needs <= CAPABILITIES
    for profile in PROFILES.values():
        names = [broker.name for broker in scenario.deployment_for(profile).brokers]
        assert len(set(names)) == len(names) > 0


def test_every_promise_of_the_first_thread_is_aimed_at() -> None:
    aimed = {aim for scenario in SCENARIOS.values() for aim in scenario.aims}
    assert len(aimed) >= 33, sorted(aimed)
