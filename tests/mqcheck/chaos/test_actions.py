"""Actions on a real cluster, as Chaos Toolkit calls them."""

from __future__ import annotations

import pytest

from mqcheck.chaos import actions, probes
from mqcheck.chaos.current import Current
from mqcheck.errors import HarnessError, SettingsError

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def test_a_fault_is_injected_healed_and_healed_again(laboratory: Current) -> None:
    told = actions.inject("latency", "producer-*->broker-a", name="slow", ms=5)
    assert told["name"] == "slow"
    assert len(told["faults"]) == 1
    assert probes.active_faults() == ["slow"]
    with pytest.raises(SettingsError, match="'slow' is injected already"):
        actions.inject("latency", "producer-*->broker-a", name="slow", ms=5)
    assert actions.heal("slow") == {"name": "slow", "healed": 1}
    assert actions.heal("slow") == {"name": "slow", "healed": 0}
    with pytest.raises(SettingsError, match=r"no fault of this experiment is called 'slo'; there are"):
        actions.heal("slo")
    assert actions.heal_all() == {"healed": 0}


def test_flapping_ends_whole(laboratory: Current) -> None:
    told = actions.flap("down", "producer-*->broker-a", name="flapping", times=2, on_ms=50, off_ms=50)
    assert told == {"name": "flapping", "times": 2}
    assert probes.active_faults() == []


def test_consumers_come_and_go_in_every_way(laboratory: Current) -> None:
    assert actions.start_consumers("billing", members=2) == ["billing-3", "billing-4"]
    assert actions.stop_consumers("billing", members=1, how="crash") == ["billing-4"]
    assert actions.stop_consumers("billing", members=1) == ["billing-3"]
    assert actions.start_consumers("audit", members=1, process=True, work_ms=1) == ["audit-1"]
    assert actions.stop_consumers("audit", how="crash") == ["audit-1"]
    with pytest.raises(SettingsError, match="how is 'kill'; it must be one of leave, crash, silence"):
        actions.stop_consumers("billing", how="kill")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="no group 'shipping' has been started; there are billing, audit"):
        actions.stop_consumers("shipping")


def test_a_load_in_processes_of_its_own_counts_and_can_be_paused(laboratory: Current) -> None:
    before = probes.acknowledged()
    assert actions.start_load(name="walker", producers=1, process=True, rate_per_s=50) == ["walker-1"]
    with pytest.raises(SettingsError, match="a load 'walker' is running already"):
        actions.start_load(name="walker")
    actions.wait_until("acknowledged", within_s=30, at_least=before + 10)
    actions.inject("pause", "walker-1")
    actions.heal("pause")
    actions.stop_load("walker")
    actions.stop_load("walker")


def test_waiting_ends_when_it_has_come_true_and_fails_when_it_does_not(laboratory: Current) -> None:
    told = actions.wait_until("running", within_s=30, equals=True, arguments={"node": "broker-a"})
    assert told["value"] is True
    with pytest.raises(HarnessError, match=r"waited 0\.1 s for acknowledged \{\} to be at_least 1000000000; it is"):
        actions.wait_until("acknowledged", within_s=0.1, at_least=10**9)
    with pytest.raises(SettingsError, match="no probe 'sucess_rate' can be waited for; there are success_rate"):
        actions.wait_until("sucess_rate", within_s=1, at_least=1)
    with pytest.raises(SettingsError, match="say at_least, at_most or equals"):
        actions.wait_until("success_rate", within_s=1)
