"""One experiment at a time, and none without a beginning."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqcheck.chaos import current, probes
from mqcheck.chaos.current import Current
from mqcheck.chaos.order import wishes_of
from mqcheck.errors import HarnessError, SettingsError


def test_without_an_experiment_everybody_is_told_how_to_begin_one() -> None:
    assert current.under_way() is None
    with pytest.raises(HarnessError, match=r"no experiment is under way: give the file the control"):
        probes.active_faults()
    current.end()


def test_a_target_that_cannot_be_is_told_before_anything_starts(tmp_path: Path) -> None:
    current.announce({"title": "Tried", "method": []})
    with pytest.raises(SettingsError, match="no target is called 'kafka'"):
        current.begin(wishes_of({"target": "kafka"}), tmp_path)
    assert isinstance(current.failure(), SettingsError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.e2e
def test_a_second_experiment_is_refused(laboratory: Current, tmp_path: Path) -> None:
    assert current.current() is laboratory
    with pytest.raises(HarnessError, match="an experiment is under way already"):
        current.begin(wishes_of({}), tmp_path)
    assert current.current() is laboratory
