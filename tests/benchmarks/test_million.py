"""The benchmark of a million operations: its ten defects can all be planted in one history, and are of promises."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from mqcheck.specs import load_specs


@pytest.fixture
def million(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program as a module; it imports its neighbour ``judge``."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2] / "benchmarks"), *sys.path])
    import million

    return million


def test_all_ten_are_planted_in_one_history(million: Any) -> None:
    assert len(set(million.PLANTED)) == 10
    assert set(million.PLANTED) <= set(load_specs().ids())
    history = million.big_history(9_000)
    healthy = million.operations_of(history)
    dense = [row for row in history.rows["sends"] if row.at >= 25_200]
    assert len(dense) >= 1_500 // 16
    million.planted(history)
    assert abs(million.operations_of(history) - healthy) < 50, "each is the smallest that can be seen"
