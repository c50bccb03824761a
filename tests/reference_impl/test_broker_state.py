"""The tables of a new broker take their numbers from its settings."""

from __future__ import annotations

import random

from reference_impl.broker.state import new_state
from reference_impl.disk import MemoryDisk
from reference_impl.settings import BrokerSettings
from reference_impl.store import Store


def test_settings_reach_the_tables() -> None:
    settings = BrokerSettings(
        brokerName="b",
        listenPort=1234,
        client_expiry_ms=11,
        lock_expiry_ms=12,
        delay_scan_ms=13,
        messageDelayLevel="1s 1m",
        autoCreateTopicEnable=False,
        autoCreateSubscriptionGroup=False,
        defaultTopicQueueNums=5,
    )
    disk = MemoryDisk()
    state = new_state(settings, Store.open(disk), disk, random.Random(1))
    assert (state.members.expiry_ms, state.locks.expiry_ms, state.schedule.scan_ms) == (11, 12, 13)
    assert state.schedule.levels_ms == (1_000, 60_000)
    assert state.host == ("127.0.0.1", 1234)
    model = state.topics.get("TBW102")
    assert model is not None
    assert (model.read_queues, model.perm) == (5, 6)
    assert state.groups.find("G", 0) is None
