"""Profiles: full is RocketMQ's numbers, quick keeps their proportions."""

from __future__ import annotations

import dataclasses

import pytest

from mqcheck.errors import SettingsError
from mqcheck.profile import FULL, PROFILES, QUICK, profile_named
from mqcheck.rocketmq.models import ClientSettings


def test_full_changes_nothing_but_the_retry_ladder() -> None:
    assert (FULL.nameserver, FULL.broker, FULL.client) == ({}, {}, ClientSettings())
    assert FULL.max_reconsume == 2


def test_quick_keeps_heartbeats_of_a_second_and_expiries_of_more_than_four() -> None:
    heartbeat, register = QUICK.client.heartbeat_ms, int(QUICK.broker["reference.registerPeriodMs"])
    assert min(heartbeat, register) >= 1_000
    assert int(QUICK.broker["reference.clientExpiryMs"]) > 4 * heartbeat
    assert int(QUICK.nameserver["reference.brokerExpiryMs"]) > 4 * register


@pytest.mark.parametrize(
    ("profile", "register_ms", "broker_expiry_ms", "broker_scan_ms", "client_expiry_ms", "client_scan_ms"),
    [
        pytest.param(QUICK, 1_000, 5_000, 500, 4_500, 500, id="quick"),
        pytest.param(FULL, 30_000, 120_000, 10_000, 120_000, 10_000, id="full"),
    ],
)
def test_the_waits_cover_expiry_scan_and_one_period(
    profile: object,
    register_ms: int,
    broker_expiry_ms: int,
    broker_scan_ms: int,
    client_expiry_ms: int,
    client_scan_ms: int,
) -> None:
    found = profile_named(profile.name)  # type: ignore[attr-defined]
    assert found.expiry_ms >= broker_expiry_ms + broker_scan_ms + register_ms
    assert found.client_expiry_ms >= client_expiry_ms + client_scan_ms + found.client.heartbeat_ms
    assert found.client.suspend_ms < found.client.pull_timeout_ms
    assert found.client.relock_ms < found.client.lock_life_ms


def test_the_kits_numbers_are_written_under_the_historys_keys() -> None:
    config = QUICK.client_config()
    assert config["heartbeat_ms"] == QUICK.client.heartbeat_ms
    assert config["max_reconsume"] == 2
    assert config["recover_ms"] == QUICK.recover_ms
    named = {field.name for field in dataclasses.fields(ClientSettings)}
    assert set(config) - named == {"max_reconsume", "recover_ms"}


def test_profiles_are_known_by_name() -> None:
    assert set(PROFILES) == {"quick", "full"}
    with pytest.raises(SettingsError, match="no profile 'slow'; there are quick, full"):
        profile_named("slow")
