"""Profiles: full is RocketMQ's numbers, quick keeps their proportions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mqcheck.errors import SettingsError
from mqcheck.profile import FULL, PROFILES, QUICK, Profile, fitted, profile_named
from mqcheck.rocketmq.models import ClientSettings
from mqcheck.targets.described import exec_target
from mqcheck.targets.reference import ReferenceTarget


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


@pytest.mark.parametrize("profile", [QUICK, FULL])
def test_the_reference_takes_every_number_as_it_is(profile: Profile) -> None:
    assert fitted(profile, ReferenceTarget()) == profile


def test_waits_grow_with_what_a_target_cannot_be_told(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "targets" / "brokers" / "reference.toml").read_text(encoding="utf-8")
    least = 'unit = "ms", least = 10000'
    text = text.replace(
        '"reference.slaveSyncMs" = { unit = "ms", default = 10000', '"reference.slaveSyncMs" = { default = 63000'
    )
    for key in ("reference.registerPeriodMs", "reference.holdScanMs", "reference.brokerExpiryMs"):
        text = text.replace(f'"{key}" = {{ unit = "ms"', f'"{key}" = {{ {least}')
    text = text.replace("messageDelayLevel = {", 'messageDelayLevel = { unit = "delay-levels",')
    (tmp_path / "slow.toml").write_text(text, encoding="utf-8")
    found = fitted(QUICK, exec_target("exec:slow.toml", tmp_path / "slow.toml"))
    assert found.client.pull_timeout_ms == QUICK.client.suspend_ms + 10_000 + 1_500
    assert found.client.delay_levels_ms[:6] == (1_000, 1_000, 1_000, 1_000, 2_000, 2_000)
    assert found.expiry_ms == 10_000 + 500 + 10_000
    assert found.recover_ms == 10_000 + 10_000 + 3_000
    assert found.scenario_ms == 4 * 63_000
    assert (found.broker, found.load_ms) == (QUICK.broker, QUICK.load_ms)
