"""Probes ask what they say, of whom they say, until they are cancelled or done."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

from mqcheck.rocketmq.models import MessageQueue
from mqcheck.workloads import probes

QUEUE = MessageQueue("t", "broker-a", 1)


class FakeAdmin:
    """Answers everything at once and writes down what it was asked."""

    def __init__(self, max_offsets: list[int | None] | None = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.max_offsets = max_offsets or []
        self.enough = asyncio.Event()

    def _note(self, *question: Any) -> None:
        self.asked.append(question)
        if len(self.asked) >= 8:
            self.enough.set()

    async def route(self, nameserver: str, topic: str, brokers: Any, *, timeout_ms: int) -> None:
        self._note(nameserver, topic, tuple(brokers))

    async def members(self, node: str, group: str) -> None:
        self._note(node, group)

    async def query_offset(self, node: str, group: str, topic: str, queue: int) -> None:
        self._note(node, group, topic, queue)

    async def max_offset(self, node: str, topic: str, queue: int) -> int | None:
        return self.max_offsets.pop(0)

    async def pull_once(self, node: str, topic: str, queue: int, offset: int, **options: Any) -> None:
        self._note(node, topic, queue, offset, options["hold_ms"])

    async def lock(self, node: str, group: str, member: str, queues: Any) -> tuple[MessageQueue, ...]:
        self._note("lock", member)
        return tuple(queues)

    async def unlock(self, node: str, group: str, member: str, queues: Any) -> None:
        self._note("unlock", member)

    async def raw(self, node: str, code: int, fields: Any, **options: Any) -> None:
        self._note(code, options["probe"], options["encoding"])


def endless(admin: FakeAdmin, work: Coroutine[Any, Any, None]) -> list[tuple[Any, ...]]:
    async def go() -> None:
        task = asyncio.create_task(work)
        await asyncio.wait_for(admin.enough.wait(), 10)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    return admin.asked


def test_every_nameserver_is_asked_again_and_again() -> None:
    admin = FakeAdmin()
    names = ("nameserver-1", "nameserver-2")
    asked = endless(admin, probes.poll_routes(cast("Any", admin), names, "t", ("broker-a",), period_ms=1))
    assert {question[0] for question in asked} == set(names)
    assert {question[1:] for question in asked} == {("t", ("broker-a",))}


def test_members_and_offsets_are_asked_for() -> None:
    admin = FakeAdmin()
    asked = endless(admin, probes.poll_members(cast("Any", admin), "broker-a", "g", period_ms=1))
    assert set(asked) == {("broker-a", "g")}
    admin = FakeAdmin()
    asked = endless(admin, probes.poll_offsets(cast("Any", admin), "g", [("broker-a", QUEUE)], period_ms=1))
    assert set(asked) == {("broker-a", "g", "t", 1)}


def test_locks_are_contended_by_turns_and_given_back_now_and_then() -> None:
    admin = FakeAdmin()
    work = probes.contend_for_locks(cast("Any", admin), "broker-a", "g", ("left", "right"), [QUEUE], period_ms=1)
    asked = endless(admin, work)
    assert [member for verb, member in asked if verb == "lock"][:4] == ["left", "right", "left", "right"]
    assert ("unlock", "left") in asked


def test_pulls_are_held_at_the_end_of_the_queue() -> None:
    admin = FakeAdmin(max_offsets=[None, 7, 9])
    asyncio.run(probes.hold_pulls(cast("Any", admin), "broker-a", QUEUE, group="g", hold_ms=4, rounds=3))
    assert admin.asked == [("broker-a", "t", 1, 7, 4), ("broker-a", "t", 1, 9, 4)]


def test_requests_go_out_in_both_encodings() -> None:
    admin = FakeAdmin()
    asyncio.run(probes.pipeline(cast("Any", admin), "broker-a", {"odd": (probes.UNKNOWN_CODE, {})}, rounds=2))
    expected = [(probes.UNKNOWN_CODE, "odd", encoding) for encoding in ("json", "binary")]
    assert sorted(admin.asked) == sorted(expected * 2)


def finished(admin: FakeAdmin, work: Coroutine[Any, Any, None]) -> list[tuple[Any, ...]]:
    asyncio.run(asyncio.wait_for(work, 10))
    return admin.asked


def test_locks_are_left_to_expire_renewed_and_handed_over(monkeypatch: Any) -> None:
    monkeypatch.setattr(probes, "LATE_MS", 1)
    admin = FakeAdmin()
    asked = finished(admin, probes.let_locks_expire(cast("Any", admin), "broker-a", "g", [QUEUE], 1, rounds=2))
    assert [member for _, member in asked] == ["left", "right", "right", "right", "left", "left"]
    admin = FakeAdmin()
    asked = finished(admin, probes.renew_locks(cast("Any", admin), "broker-a", "g", QUEUE, 5, period_ms=1))
    assert asked[:2] == [("lock", "owner"), ("lock", "rival")]
    admin = FakeAdmin()
    asked = finished(admin, probes.hand_over_locks(cast("Any", admin), "broker-a", "g", QUEUE, rounds=1))
    turns = [("lock", "giver"), ("lock", "taker"), ("unlock", "giver"), ("lock", "taker"), ("unlock", "taker")]
    assert asked == turns
