"""Every guarantee: held on the healthy run, violated by a minimal defect, silent where a circumstance excuses it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from defects import EXCUSES, PLANTS
from histories import judged

from mqcheck.history.loader import load
from mqcheck.judge.engine import judge_tables
from mqcheck.judge.plan_file import read_plan
from mqcheck.judge.verdicts import HELD, NOT_APPLICABLE, VIOLATED
from mqcheck.specs import FEATURES, Guarantee, Specs, load_specs

GUARANTEES = [guarantee.id for guarantee in load_specs() if guarantee.promised]
FEATURED = [guarantee.id for guarantee in load_specs() if guarantee.features]


def on_hand(guarantee: Guarantee) -> bool:
    """Whether the healthy run is judged by it; a promise about a feature has a run of its own."""
    return guarantee.promised and not guarantee.features


def run_for(builder: ModuleType, specs: Specs, guarantee: str) -> Any:
    """The run in which it finds its evidence."""
    return builder.featured() if specs.get(guarantee).features else builder.healthy()


def test_every_guarantee_has_a_plant_and_an_excuse(specs: Specs) -> None:
    promised = {guarantee.id for guarantee in specs if guarantee.promised}
    assert set(PLANTS) == promised
    assert set(EXCUSES) == promised


def test_a_healthy_run_holds_everything(builder: ModuleType, specs: Specs, tmp_path: Path) -> None:
    history = builder.healthy()
    history.aims = list(specs.ids())
    history.write(tmp_path)
    connection = load(tmp_path)
    wrong = []
    for verdict in judge_tables(connection, read_plan(tmp_path), specs):
        wanted = HELD if on_hand(specs.get(verdict.guarantee)) else NOT_APPLICABLE
        if verdict.verdict != wanted or (wanted == HELD and verdict.exercised < verdict.enough):
            wrong.append(f"{verdict.guarantee}: {verdict.verdict} {verdict.exercised} {verdict.reason}")
    assert wrong == []


@pytest.mark.parametrize("guarantee", FEATURED)
def test_a_promise_about_a_feature_is_held_where_there_is_one(
    builder: ModuleType, specs: Specs, tmp_path: Path, guarantee: str
) -> None:
    verdict = judged(builder.featured(), specs, tmp_path, guarantee)
    assert (verdict.verdict, verdict.reason) == (HELD, "")
    assert verdict.exercised >= verdict.enough


@pytest.mark.parametrize("guarantee", FEATURED)
def test_a_promise_about_a_feature_is_not_applicable_elsewhere(
    builder: ModuleType, specs: Specs, tmp_path: Path, guarantee: str
) -> None:
    history = builder.featured()
    history.capabilities = builder.healthy().capabilities
    PLANTS[guarantee](history)
    verdict = judged(history, specs, tmp_path, guarantee)
    one = specs.get(guarantee)
    assert verdict.verdict == NOT_APPLICABLE
    assert verdict.reason == f"from RocketMQ {one.since} on, {FEATURES[one.features[0]]}"


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.slow
def test_a_planted_defect_is_seen(builder: ModuleType, specs: Specs, tmp_path: Path, guarantee: str) -> None:
    history = run_for(builder, specs, guarantee)
    named = PLANTS[guarantee](history)
    verdict = judged(history, specs, tmp_path, guarantee)
    assert verdict.verdict == VIOLATED, verdict.reason
    assert verdict.evidence_total >= 1
    assert any(named.items() <= row.items() for row in verdict.evidence), verdict.evidence
    assert all(row["life"] for row in verdict.evidence if "message" in row or "op" in row)
    assert len([name for name in verdict.evidence[0] if name != "life"]) <= 8


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.slow
def test_an_excused_look_alike_is_not_flagged(
    builder: ModuleType, specs: Specs, tmp_path: Path, guarantee: str
) -> None:
    history = run_for(builder, specs, guarantee)
    wanted = EXCUSES[guarantee](history) or HELD
    verdict = judged(history, specs, tmp_path, guarantee)
    assert verdict.verdict == wanted, (verdict.reason, verdict.evidence[:1])
