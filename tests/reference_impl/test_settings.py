"""Settings: defaults of RocketMQ, reading, roles, and every refusal with its way out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.errors import SettingsError
from reference_impl.settings import (
    IGNORED,
    BrokerSettings,
    NameServerSettings,
    changed,
    load,
    parse_arguments,
    parse_delay_levels,
    parse_properties,
    properties_text,
)


def test_defaults_are_rocketmqs() -> None:
    broker, nameserver = BrokerSettings(), NameServerSettings()
    assert (nameserver.listenPort, nameserver.broker_expiry_ms, nameserver.broker_scan_ms) == (9876, 120_000, 10_000)
    assert (broker.listenPort, broker.register_period_ms, broker.client_expiry_ms) == (10911, 30_000, 120_000)
    assert (broker.flushDiskType, broker.maxMessageSize, broker.defaultTopicQueueNums) == ("ASYNC_FLUSH", 4 << 20, 8)
    assert not broker.sync_flush
    assert len(broker.delay_levels_ms) == 18
    assert broker.delay_levels_ms[:3] == (1000, 5000, 10_000)
    assert broker.delay_levels_ms[-1] == 7_200_000


def test_what_is_shown_can_be_read_back() -> None:
    shown = load("broker", {"reference.holdScanMs": "250", "flushDiskType": "SYNC_FLUSH"}).broker.effective()
    assert shown["reference.holdScanMs"] == 250
    again = load("broker", {key: str(value) for key, value in shown.items()}).broker
    assert again.effective() == shown
    assert again.sync_flush


def test_roles_have_their_own_keys() -> None:
    loaded = load("all", {"namesrv.listenPort": "0", "broker.listenPort": "12000", "reference.brokerExpiryMs": "4000"})
    assert (loaded.nameserver.listenPort, loaded.broker.listenPort) == (0, 12000)
    assert loaded.nameserver.broker_expiry_ms == 4000
    assert load("broker", {"listenPort": "5"}).broker.listenPort == 5


def test_a_real_property_without_meaning_is_noted() -> None:
    loaded = load("broker", {"warmMapedFileEnable": "true", "highSpeedMode": "true"})
    assert [note.split()[1] for note in loaded.notes] == ["warmMapedFileEnable", "highSpeedMode"]


def test_nothing_is_both_ignored_and_known() -> None:
    assert not IGNORED & {*BrokerSettings().effective(), *NameServerSettings().effective()}


@pytest.mark.parametrize(
    ("role", "properties", "told"),
    [
        ("broker", {"flushDiskTyp": "x"}, "'flushDiskTyp' is unknown: did you mean flushDiskType"),
        ("namesrv", {"zzzzzzzz": "x"}, "known are"),
        ("namesrv", {"brokerName": "x"}, "'brokerName' is unknown"),
        ("all", {"listenPort": "1"}, "write namesrv.listenPort or broker.listenPort"),
        ("all", {"broker.orderMessageEnable": "true"}, "unknown"),
        ("broker", {"listenPort": "x"}, "'x': write a whole number"),
        ("broker", {"listenPort": "65536"}, "is 65536: write a number from 0 to 65535"),
        ("broker", {"listenPort": "2"}, "use 3 or more"),
        ("broker", {"syncFlushTimeout": "0"}, "is 0: write a number from 1"),
        ("broker", {"longPollingEnable": "yes"}, "'yes': write true or false"),
        ("broker", {"flushDiskType": "NONE"}, "write one of ASYNC_FLUSH, SYNC_FLUSH"),
        ("broker", {"messageDelayLevel": "1s 5x"}, "'5x': write a number and one of"),
        ("broker", {"messageDelayLevel": ""}, "empty"),
    ],
)
def test_refusals_show_value_rule_and_way_out(role: str, properties: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(role, properties)
    assert told in str(caught.value)


def test_properties_text() -> None:
    assert parse_properties("# c\n! d\n\n a = b \nurl=x=y\na=c\n") == {"a": "c", "url": "x=y"}
    with pytest.raises(SettingsError, match="line 2"):
        parse_properties("a=b\nnothing\n")
    assert parse_arguments(["a=b", "c=d=e"]) == {"a": "b", "c": "d=e"}
    with pytest.raises(SettingsError, match="-p key=value"):
        parse_arguments(["a"])


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_properties(text)
    except SettingsError:
        return
    assert all(key and key == key.strip() for key in found)


def test_delay_levels_may_be_ms_and_days() -> None:
    assert parse_delay_levels("200ms 1s 2m 3h 1d") == (200, 1000, 120_000, 10_800_000, 86_400_000)


@pytest.mark.parametrize(
    ("text", "found"), [("", ()), ("a:1;b:2", ("a:1", "b:2")), (" a:1 , a:1;;b:2;", ("a:1", "b:2"))]
)
def test_nameserver_list(text: str, found: tuple[str, ...]) -> None:
    assert BrokerSettings(namesrvAddr=text).nameservers == found


def test_settings_change_while_it_runs_or_not_at_all() -> None:
    settings = BrokerSettings()
    after = changed(settings, {"maxMessageSize": "7", "autoCreateTopicEnable": "FALSE", "absent": "x"})
    assert (after.maxMessageSize, after.autoCreateTopicEnable, settings.maxMessageSize) == (7, False, 4_194_304)
    assert changed(settings, {"listenPort": "10911"}) == settings
    for key, value, told in (
        ("listenPort", "1", "until the next start"),
        ("maxMessageSize", "x", "whole number"),
        ("flushDiskType", "x", "ASYNC_FLUSH"),
    ):
        with pytest.raises(SettingsError, match=told):
            changed(settings, {"longPollingEnable": "false", key: value})


def test_properties_are_written_as_they_are_read() -> None:
    assert properties_text({"b": True, "a": 1, "c": ""}) == b"a=1\nb=true\nc=\n"
    shown = parse_properties(properties_text(BrokerSettings().effective()).decode())
    assert load("broker", shown).broker == BrokerSettings()


def test_a_slave_has_a_number_and_a_master_has_none() -> None:
    with pytest.raises(SettingsError, match="give 1 or more"):
        load("broker", {"brokerRole": "SLAVE"})
    assert load("broker", {"brokerRole": "SLAVE", "brokerId": "2"}).broker.brokerId == 2
    loaded = load("broker", {"brokerRole": "SYNC_MASTER", "brokerId": "2"})
    assert loaded.broker.brokerId == 0
    assert "brokerId 2 is ignored" in loaded.notes[0]
    with pytest.raises(SettingsError, match="haMasterAddress"):
        load("broker", {"haMasterAddress": "nowhere"})


def test_a_slave_takes_less_memory() -> None:
    assert BrokerSettings(physical_memory_bytes=1000).memory_bytes == 400
    assert BrokerSettings(physical_memory_bytes=1000, brokerRole="SLAVE", brokerId=1).memory_bytes == 300
    assert BrokerSettings().memory_bytes == 0


def test_the_ha_port_follows_the_main_one() -> None:
    assert BrokerSettings(listenPort=10911).ha_port == 10912
    assert BrokerSettings(listenPort=10911, haListenPort=5).ha_port == 5
