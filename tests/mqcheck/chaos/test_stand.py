"""The world of an experiment: phases, what is forgiven, and what happens when it does not come up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqcheck.chaos import actions, current
from mqcheck.chaos.order import wishes_of
from mqcheck.errors import HarnessError, SettingsError
from tests.mqcheck.chaos.conftest import activity

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    lines = (folder / "events" / "kit.0.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["e"] == table]


def test_phases_follow_the_faults_and_what_a_cut_takes_is_forgiven(tmp_path: Path) -> None:
    cut = activity("action", "inject", fault="power-cut", where="broker-a")
    current.announce({"title": "Tried", "method": [cut]})
    current.read_from("FILE")
    deployment = {"settings": {"flushDiskType": "ASYNC_FLUSH", "flushIntervalCommitLog": 60_000}}
    wishes = wishes_of({"load": [{}], "consumers": [{}], "deployment": deployment, "warm_up": 20, "seed": 7})
    try:
        here = current.begin(wishes, tmp_path)
        actions.inject("power-cut", "broker-a")
        assert here.stand.traffic.ledger.count() == 0
        actions.heal("power-cut")
        here.finish()
    finally:
        current.end()
    phases = [row["name"] for row in rows(here.stand.folder, "phases") if row.get("name")]
    assert phases == ["load", "fault", "load", "heal", "recover", "final-read"]
    plan = json.loads((here.stand.folder / "plan.json").read_text())
    assert plan["harness_error"] is None
    assert plan["replay"] == "mqcheck chaos run FILE --target reference --seed 7"
    with pytest.raises(HarnessError, match="cluster is not up"):
        _ = here.stand.world


def test_a_cluster_that_does_not_come_up_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    current.announce({"title": "Tried", "method": []})
    deployment = {"settings": {"flushDiskType": "SOMETIMES"}}
    with pytest.raises((HarnessError, SettingsError)) as caught:
        current.begin(wishes_of({"deployment": deployment}), tmp_path)
    assert "flushDiskType" in str(caught.value)
    assert current.under_way() is None
    assert current.failure() is caught.value
