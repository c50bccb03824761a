"""Entering the simulation; what happens inside is in ``tests/sim``, which needs a newer Python."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from mqcheck.errors import MissingToolError
from mqcheck.profile import QUICK
from mqcheck.scenarios.base import all_scenarios
from mqcheck.simulation import simulate


def test_without_simloop_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="simloop"):
        simulate(all_scenarios()["steady"], QUICK, 1, tmp_path / "history")
    assert not (tmp_path / "history").exists()
