"""Probes on a real cluster, as Chaos Toolkit calls them."""

from __future__ import annotations

import pytest

from mqcheck.chaos import actions, probes
from mqcheck.chaos.current import Current
from mqcheck.errors import HarnessError, SettingsError

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def test_figures_are_those_of_the_load(laboratory: Current) -> None:
    actions.wait_until("acknowledged", within_s=60, at_least=40)
    assert 0 < probes.success_rate("send", window_ms=30_000) <= 1  # a busy machine lets sends time out
    assert 0 < probes.success_rate("deliver", window_ms=30_000) <= 1
    assert 0 < probes.latency_ms("send", 50, window_ms=30_000) < 30_000
    assert probes.per_second("deliver", window_ms=30_000) > 0
    actions.wait_until("consumer_lag", within_s=60, at_most=10)
    assert probes.routes("orders") == 1
    assert probes.routes("nobody-made-it") == 0
    with pytest.raises(SettingsError, match="operation is 'sends'; it must be one of send, deliver"):
        probes.success_rate("sends")  # type: ignore[arg-type]


def test_a_dead_broker_is_seen(laboratory: Current) -> None:
    actions.inject("kill", "broker-a")
    assert not probes.running("broker-a")
    actions.wait_until("success_rate", within_s=60, at_most=0.5, arguments={"window_ms": 500})
    actions.heal("kill")
    assert probes.running("broker-a")
    actions.wait_until("success_rate", within_s=60, at_least=1.0, arguments={"window_ms": 500})


def test_a_guarantee_is_judged_while_the_history_is_written(laboratory: Current) -> None:
    assert probes.guarantee_held("con-alo")
    assert probes.guarantee_verdict("con-alo") in ("held", "inconclusive", "not exercised")
    assert not (laboratory.stand.folder / "tables").exists()
    with pytest.raises(HarnessError, match="no guarantee is called 'con-al'"):
        probes.guarantee_held("con-al")
