"""What is asked of probes and waited for, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from mqcheck.chaos import probes
from mqcheck.chaos.waiting import WAITED_FOR, Figure, check_probe, figure_of, wait_of
from mqcheck.errors import SettingsError


def test_waiting_ends_within_every_bound_that_is_given() -> None:
    both = wait_of({"probe": "success_rate", "within_s": "3", "at_least": "0.5", "at_most": 0.9})
    assert [both.met(value) for value in (0.4, 0.5, 0.9, 1.0)] == [False, True, True, False]
    assert both.within_s == 3
    equal = wait_of({"probe": "running", "within_s": 1, "equals": False, "arguments": {"node": "broker-a"}})
    assert (equal.met(False), equal.met(True)) == (True, False)
    assert str(equal) == "running {'node': 'broker-a'} to be equals False"
    assert all(callable(getattr(probes, name)) for name in WAITED_FOR)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"probe": "sucess_rate"}, "no probe 'sucess_rate' can be waited for; there are success_rate"),
        ({"probe": "routes", "within_s": 1}, "wait_until routes: say at_least, at_most or equals"),
        ({"probe": "routes", "within_s": "soon", "at_least": 1}, "wait_until routes: within_s is 'soon'; it must be a"),
        ({"probe": "routes", "within_s": 1, "at_most": "few"}, "wait_until routes: at_most is 'few'; it must be a num"),
        ({"probe": "routes", "within_s": 1, "at_most": 1, "arguments": [1]}, "arguments is [1]; it must be a table"),
        (
            {"probe": "per_second", "within_s": 1, "at_most": 1, "arguments": {"percentile": 5}},
            "the probe per_second has no argument 'percentile'; it takes operation, window_ms",
        ),
    ],
)
def test_what_cannot_be_waited_for_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        wait_of(given)
    assert told in str(caught.value)


def test_a_window_is_no_longer_than_what_is_remembered() -> None:
    assert figure_of("deliver", "500", "99.9") == Figure("deliver", 500, 99.9)
    assert figure_of() == Figure("send", 1_000, 95.0)
    for given, told in (
        ({"operation": "sends"}, "operation is 'sends'; it must be one of send, deliver"),
        ({"window_ms": 0}, "window_ms is 0; it must be a whole number, 1 or more"),
        ({"window_ms": 60_001}, "window_ms is 60001; nothing older than 60000 ms is remembered"),
        ({"percentile": 101}, "percentile is 101; it must be 0 to 100"),
    ):
        with pytest.raises(SettingsError) as caught:
            figure_of(**given)
        assert told in str(caught.value)
    check_probe("latency_ms", {"percentile": 50})
    check_probe("acknowledged", {"whatever": 1})
