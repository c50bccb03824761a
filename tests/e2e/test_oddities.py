"""No false alarm: what is odd but allowed shows in the history, and is not called a violation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mqcheck.history.loader import load
from mqcheck.specs import load_specs
from reference_impl.sabotage import ODDITIES

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

SHOWN = {
    "slow-flush": ("power-cut", "dur-ack-power-sf"),
    "duplicate-after-rebalance": ("rebalance", "con-dup-cause"),
    "stale-route-within-limit": ("nameserver-cut", "ns-close"),
}
"""Legal oddity → scenario in which it shows, and the guarantee nearest to it."""

SEEN = {
    # Acknowledgements under SYNC_FLUSH wait for a sync that takes 40 ms, or for the rest of one that has begun. How
    # many wait for a whole one depends on when the sends arrive; a busy machine only adds to their number.
    "slow-flush": """
        SELECT count(*) >= 50 AND count(*) FILTER (WHERE returned - invoked >= 40e6) >= 10
        FROM attempts WHERE broker = 'broker-sync' AND outcome = 'ok'""",
    # A committed offset that is read back lower than it was written.
    "duplicate-after-rebalance": """
        SELECT count(*) > 0 FROM offsets q JOIN offsets c ON c.consumer_group = q.consumer_group AND c.topic = q.topic
        AND c.broker = q.broker AND c.queue = q.queue AND c.kind = 'commit' AND c.outcome = 'ok'
        AND c.returned < q.invoked AND c.value > q.position WHERE q.kind = 'query' AND q.outcome = 'ok'""",
    # A broker that is still listed though its connections have been closed.
    "stale-route-within-limit": """
        SELECT count(*) > 0 FROM routes r JOIN faults f ON r.invoked > f.active AND r.invoked < f.healed
        WHERE r.nameserver = 'nameserver-2' AND r.listed""",
}
"""Legal oddity → what shows that it was there."""


def test_every_oddity_is_here() -> None:
    assert set(ODDITIES) == set(SHOWN)
    assert {odd for guarantee in load_specs() for odd in guarantee.legal_odd} == set(SHOWN)


@pytest.mark.parametrize("odd", SHOWN)
def test_an_oddity_is_no_violation(odd: str, play: Callable[..., Any]) -> None:
    scenario, guarantee = SHOWN[odd]
    run = play("--mqcheck-select", scenario, "--mqcheck-odd", odd)
    assert run.report["run"]["odd"] == odd
    assert load(run.folder / "history" / scenario).execute(SEEN[odd]).fetchone() == (True,)
    assert run.verdicts("violated") == {}
    assert (scenario, guarantee) in run.verdicts("held"), run.output
    assert run.status == 0, run.output
