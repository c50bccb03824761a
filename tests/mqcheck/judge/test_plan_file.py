"""The plan beside a history."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mqcheck.errors import HistoryError
from mqcheck.judge.plan_file import read_plan


def test_a_plan_is_read(tmp_path: Path) -> None:
    plan = {
        "format": 1,
        "scenario": "s",
        "aims": ["a"],
        "capabilities": ["kill"],
        "harness_error": "",
        "target": "reference",
    }
    (tmp_path / "plan.json").write_text(json.dumps({**plan, "replay": "pytest"}))
    read = read_plan(tmp_path)
    assert (read.scenario, read.aims, read.capabilities) == ("s", {"a"}, {"kill"})
    assert (read.harness_error, read.replay, read.target) == (None, "pytest", "reference")


def test_a_short_plan_leaves_things_open(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"format": 1}')
    read = read_plan(tmp_path)
    assert (read.scenario, read.capabilities, read.aims) == (tmp_path.name, None, frozenset())
    assert read.not_applicable == ""


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9}'])
def test_a_plan_that_cannot_be_used_is_explained(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(HistoryError, match=r"plan\.json"):
        read_plan(tmp_path)
