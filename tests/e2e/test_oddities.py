"""No false alarm: what is odd but allowed is not called a violation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reference_impl.sabotage import ODDITIES

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

SHOWN = {
    "slow-flush": ("power-cut", "dur-ack-power-sf"),
    "duplicate-after-rebalance": ("rebalance", "con-dup-cause"),
    "stale-route-within-limit": ("nameserver-cut", "ns-close"),
}
"""Legal oddity → scenario in which it shows, and the guarantee nearest to it."""


def test_every_oddity_is_here() -> None:
    assert set(ODDITIES) == set(SHOWN)


@pytest.mark.parametrize("odd", SHOWN)
def test_an_oddity_is_no_violation(odd: str, play: Callable[..., Any]) -> None:
    scenario, guarantee = SHOWN[odd]
    run = play("--mqcheck-select", scenario, "--mqcheck-odd", odd)
    assert run.report["run"]["odd"] == odd
    assert run.verdicts("violated") == {}
    assert (scenario, guarantee) in run.verdicts("held"), run.output
    assert run.status == 0, run.output
