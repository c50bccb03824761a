"""Derived settings: the history's keys from the nodes' properties."""

from __future__ import annotations

import pytest

from mqcheck.targets.settings import delay_levels_ms, derived_settings


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("1s 5s 10s 30s 1m", [1_000, 5_000, 10_000, 30_000, 60_000]),
        ("200ms 2h 1d", [200, 7_200_000, 86_400_000]),
        ("", []),
    ],
)
def test_delay_levels_in_milliseconds(text: str, levels: list[int]) -> None:
    assert delay_levels_ms(text) == levels


def test_a_brokers_keys() -> None:
    found = derived_settings("broker", {"syncFlushTimeout": "800", "messageDelayLevel": "1s 2s", "brokerName": "b"})
    assert found == {"sync_flush_timeout_ms": "800", "delay_level_1_ms": "1000", "delay_level_2_ms": "2000"}


def test_a_nameservers_keys() -> None:
    settings = {"reference.brokerExpiryMs": "5000", "reference.brokerScanMs": "500"}
    assert derived_settings("nameserver", settings) == {"expiry_ms": "5000", "scan_ms": "500"}
