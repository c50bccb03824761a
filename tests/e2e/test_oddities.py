"""No false alarm: what is odd but allowed shows in the history, and is not called a violation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from legal_oddities import OVER_SOCKETS, SEEN, SHOWN
from planted_bugs import ALL, LANE

from mqcheck.history.loader import load
from mqcheck.specs import load_specs
from reference_impl.sabotage import ODDITIES

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def test_every_oddity_is_here() -> None:
    assert set(ODDITIES) == set(SHOWN) == set(SEEN)
    specs = load_specs()
    assert {odd for guarantee in specs for odd in guarantee.legal_odd} == set(SHOWN)
    assert [odd for odd, (_, guarantee) in SHOWN.items() if odd not in specs.get(guarantee).legal_odd] == []


@pytest.mark.parametrize("odd", SHOWN)
def test_an_oddity_is_no_violation(odd: str, play: Callable[..., Any]) -> None:
    if not ALL and odd not in OVER_SOCKETS:
        pytest.skip(LANE)
    scenario, guarantee = SHOWN[odd]
    run = play("--mqcheck-select", scenario, "--mqcheck-odd", odd)
    assert run.report["run"]["odd"] == odd
    assert load(run.folder / "history" / scenario).execute(SEEN[odd]).fetchone() == (True,)
    assert run.verdicts("violated") == {}
    assert (scenario, guarantee) in run.verdicts("held"), run.output
    assert run.status == 0, run.output
