"""The list of RocketMQ's own properties."""

from __future__ import annotations

from reference_impl.rocketmq_defaults import broker_defaults, nameserver_defaults
from reference_impl.settings import BrokerSettings, NameServerSettings


def test_every_property_has_a_name_and_a_value() -> None:
    broker, nameserver = broker_defaults(), nameserver_defaults()
    assert broker["waitTimeMillsInSendQueue"] == "200"
    assert broker["messageStorePlugIn"] == ""
    assert nameserver["productEnvName"] == "center"
    assert all(name.isidentifier() for name in broker | nameserver)
    assert len({*broker, *BrokerSettings().effective()}) > 170
    assert len({*nameserver, *NameServerSettings().effective()}) > 15
