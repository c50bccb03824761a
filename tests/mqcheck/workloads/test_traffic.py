"""The ledger and the groups' count of what is still owed (the running of them: test_runner)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mqcheck.rocketmq.models import Outgoing, SendOutcome
from mqcheck.workloads.traffic import Group, Ledger


def acked(ledger: Ledger, message: int, broker: str = "broker-a", topic: str = "t", outcome: str = "ok") -> None:
    ledger.note(Outgoing(topic, b""), SendOutcome(cast("Any", outcome), message, f"key-{message}", 1, broker=broker))


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    for message in (1, 2, 3):
        acked(ledger, message)
    acked(ledger, 4, broker="broker-b")
    acked(ledger, 5, topic="other")
    acked(ledger, 6, outcome="unknown")
    acked(ledger, 7, outcome="kept")
    return ledger


def group(ledger: Ledger, **options: Any) -> Group:
    world = cast("Any", SimpleNamespace(profile=SimpleNamespace(max_reconsume=2)))
    return Group(world, ledger, "g", {"t": "*"}, options=options)


def test_only_acknowledged_messages_are_owed(ledger: Ledger) -> None:
    assert (ledger.count(), ledger.sent) == (5, 7)


def test_members_of_a_group_share_what_is_owed(ledger: Ledger) -> None:
    found = group(ledger)
    found.done = {"g-1": {1, 2}, "g-2": {2, 3, 99}}
    assert (found.missing(), found.progress()) == (1, 5)
    found.done["g-2"].add(4)
    assert found.missing() == 0


def test_each_member_of_a_broadcasting_group_is_owed_everything(ledger: Ledger) -> None:
    found = group(ledger, mode="broadcasting")
    found.done = {"g-1": {1, 2, 3, 4}, "g-2": {1}}
    assert found.missing() == 3


def test_what_a_cut_broker_had_is_forgiven(ledger: Ledger) -> None:
    found = group(ledger)
    ledger.forgive("broker-a")
    assert found.missing() == 1
    found.done = {"g-1": {4}}
    assert found.missing() == 0


def test_a_group_of_no_topic_is_owed_nothing(ledger: Ledger) -> None:
    assert Group(cast("Any", None), ledger, "g", {}).missing() == 0
