"""The ledger and the groups' count of what is still owed (the running of them: test_runner)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mqcheck.rocketmq.models import MessageQueue, Outgoing, SendOutcome
from mqcheck.workloads.traffic import ASK_MS, Group, Ledger, Traffic


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


def test_what_may_have_been_on_the_cut_broker_is_forgiven_too() -> None:
    ledger = Ledger(acked={"t": {1: "broker-a", 2: "", 3: "broker-b"}})
    ledger.forgive("broker-a")
    assert ledger.acked == {"t": {3: "broker-b"}}


def test_a_group_of_no_topic_is_owed_nothing(ledger: Ledger) -> None:
    assert Group(cast("Any", None), ledger, "g", {}).missing() == 0


class Brokers:
    """An admin's answers: ends of queues and committed offsets; None where a broker does not answer."""

    def __init__(self, ends: dict[int, int | None] | None, committed: dict[int, int]) -> None:
        self.ends = ends
        self.committed = committed

    async def topics(self, node: str) -> dict[str, Any] | None:
        assert node == "broker-a", "only running masters are asked"
        return None if self.ends is None else {"t": {"readQueueNums": len(self.ends)}, "u": {"readQueueNums": 9}}

    async def max_offset(self, node: str, topic: str, queue: int) -> int | None:
        assert topic == "t"
        return (self.ends or {})[queue]

    async def query_offset(self, node: str, group: str, topic: str, queue: int) -> int | None:
        assert group == "g"
        return self.committed.get(queue)


def behind(found: Group, brokers: Brokers) -> int:
    async def admin() -> Brokers:
        return brokers

    nodes = [("broker-a", 0, True), ("broker-a-slave", 1, True), ("broker-b", 0, False)]
    named = [SimpleNamespace(name=name, broker_id=number, running=runs) for name, number, runs in nodes]
    found.world = cast("Any", SimpleNamespace(admin=admin, cluster=SimpleNamespace(brokers=lambda: named)))
    return asyncio.run(found.behind())


@pytest.mark.parametrize(
    ("ends", "committed", "count"),
    [
        ({0: 5, 1: 0}, {0: 5}, 0),
        ({0: 5, 1: 3}, {0: 5, 1: 2}, 1),
        ({0: 5, 1: 3}, {}, 2),
        ({0: 5}, {0: 7}, 0),
        ({0: None}, {0: 7}, 1),
        (None, {}, 1),
    ],
)
def test_what_no_sender_was_told_of_is_waited_for(
    ends: dict[int, int | None] | None, committed: dict[int, int], count: int, ledger: Ledger
) -> None:
    assert behind(group(ledger), Brokers(ends, committed)) == count
    assert behind(group(ledger, mode="broadcasting"), Brokers(ends, committed)) == 0


def test_where_everything_was_acknowledged_no_broker_is_asked() -> None:
    ledger = Ledger()
    acked(ledger, 1)
    assert behind(group(ledger), Brokers({0: 5}, {})) == 0


def world_that_commits(answers: list[int | None], slept: list[float]) -> Any:
    async def query_offset(node: str, group: str, topic: str, queue: int) -> int | None:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def admin() -> Any:
        return SimpleNamespace(query_offset=query_offset)

    async def sleep_ms(ms: float) -> None:
        slept.append(ms)
        await asyncio.sleep(0)

    return SimpleNamespace(profile=SimpleNamespace(ready_ms=50), admin=admin, sleep_ms=sleep_ms)


def test_committed_waits_for_an_offset_in_every_queue() -> None:
    slept: list[float] = []
    traffic = Traffic(world_that_commits([None, 0, 3, None, 7], slept))
    queues = [("broker-a", MessageQueue("t", "broker-a", queue)) for queue in (0, 1)]
    asyncio.run(traffic.committed("g", queues))
    assert slept == [ASK_MS] * 3


def test_committed_gives_up_so_that_the_judge_can_say_what_is_missing() -> None:
    slept: list[float] = []
    traffic = Traffic(world_that_commits([None], slept))
    asyncio.run(traffic.committed("g", [("broker-a", MessageQueue("t", "broker-a", 0))]))
    assert slept
