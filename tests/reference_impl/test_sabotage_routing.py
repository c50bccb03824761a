"""Planted bugs of the NameServer: each breaks its promise, and only with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_impl.effects import Close, Reply
from reference_impl.frame import Command
from reference_impl.nameserver import NameServerCore
from reference_impl.sabotage import ODDITIES, SABOTAGES
from reference_impl.sabotage.routing import IGNORED, STALE_MS
from reference_impl.settings import NameServerSettings

PERIOD_MS = 30_000


class NameServer:
    """A NameServer core with a clock."""

    def __init__(self, bug: Any = None) -> None:
        settings = NameServerSettings()
        self.core: Any = NameServerCore(settings)
        if bug is not None:
            self.core = bug.wrap_core(self.core, settings)
        self.now_ms = 1_700_000_000_000
        self.closed: list[int] = []
        self.core.start(self.now_ms)

    def advance(self, ms: int) -> None:
        end_ms = self.now_ms + ms
        while (due_ms := self.core.next_deadline_ms()) is not None and due_ms <= end_ms:
            assert due_ms > self.now_ms - 1
            self.now_ms = max(self.now_ms, due_ms)
            self.closed += [effect.conn for effect in self.core.tick(self.now_ms) if isinstance(effect, Close)]
        self.now_ms = end_ms

    def ask(self, code: int, fields: dict[str, str], body: bytes = b"", conn: int = 1) -> Command:
        (effect,) = self.core.request(self.now_ms, conn, ("h", 1), Command(code=code, fields=fields, body=body))
        assert isinstance(effect, Reply)
        return effect.command

    def register(self, conn: int) -> None:
        fields = {"brokerName": "a", "brokerAddr": "h:1", "clusterName": "C", "brokerId": "0", "haServerAddr": "h:2"}
        topic = {"topicName": "T", "readQueueNums": 1, "writeQueueNums": 1, "perm": 6, "topicSysFlag": 0}
        version = {"counter": 1, "timestamp": 1}
        wrapper = {"topicConfigTable": {"T": topic}, "dataVersion": version}
        body = json.dumps({"topicConfigSerializeWrapper": wrapper, "filterServerList": []}).encode()
        assert self.ask(103, fields, body, conn).code == 0

    def listed(self) -> bool:
        return self.ask(105, {"topic": "T"}, conn=99).code == 0


@pytest.mark.parametrize("bug", [False, True])
def test_never_expire_brokers(bug: bool) -> None:
    server = NameServer(SABOTAGES["never-expire-brokers"] if bug else None)
    server.register(1)
    server.advance(131_000)
    assert server.listed() is bug
    server.core.closed(server.now_ms, 1)
    assert server.listed() is bug
    server.register(2)
    server.advance(1_000)
    server.core.closed(server.now_ms, 2)
    assert not server.listed()
    assert server.core.tick(server.now_ms) == []


@pytest.mark.parametrize("bug", [False, True])
def test_expire_early(bug: bool) -> None:
    server = NameServer(SABOTAGES["expire-early"] if bug else None)
    missing = 0
    for _ in range(6):
        server.register(1)
        assert server.listed()
        for _ in range(30):
            server.advance(PERIOD_MS // 30)
            missing += not server.listed()
    assert (missing > 0) is bug
    assert server.closed == []


@pytest.mark.parametrize("bug", [False, True])
def test_ignore_closed_brokers(bug: bool) -> None:
    server = NameServer(SABOTAGES["ignore-closed-brokers"] if bug else None)
    server.register(1)
    server.core.closed(server.now_ms, 1)
    server.advance(10_000)
    assert server.listed() is bug
    server.advance(131_000)
    assert not server.listed(), "silence is noticed"


@pytest.mark.parametrize("bug", [False, True])
def test_empty_route(bug: bool) -> None:
    server = NameServer(SABOTAGES["empty-route"] if bug else None)
    answer = server.ask(105, {"topic": "nowhere"})
    assert answer.code == (0 if bug else 17)
    assert (b'"brokerDatas":[]' in answer.body) is bug
    server.register(1)
    assert b'"brokerName":"a"' in server.ask(105, {"topic": "T"}).body


@pytest.mark.parametrize("odd", [False, True])
def test_stale_route_within_limit(odd: bool) -> None:
    server = NameServer(ODDITIES["stale-route-within-limit"] if odd else None)
    server.register(1)
    server.core.closed(server.now_ms, 1)
    assert server.listed() is odd
    server.advance(STALE_MS - 1)
    assert server.listed() is odd
    server.advance(1)
    assert not server.listed()
    server.register(2)
    assert server.listed()
    server.core.closed(server.now_ms, 2)
    server.register(3)
    server.advance(STALE_MS)
    assert server.listed(), "a broker that came back on a new connection stays"
    server.advance(131_000)
    assert not server.listed()


@pytest.mark.parametrize("bug", [False, True])
def test_ignore_returning_brokers(bug: bool) -> None:
    server = NameServer(SABOTAGES["ignore-returning-brokers"] if bug else None)
    server.register(1)
    server.register(1)
    assert server.listed(), "the first connection is believed"
    server.core.closed(server.now_ms, 1)
    assert not server.listed()
    server.register(2)
    assert server.listed() is not bug


@pytest.mark.parametrize("bug", [False, True])
def test_list_late(bug: bool) -> None:
    server = NameServer(SABOTAGES["list-late"] if bug else None)
    for _ in range(IGNORED):
        server.register(1)
        assert server.listed() is not bug
    server.register(1)
    assert server.listed()


@pytest.mark.parametrize("bug", [False, True])
def test_leave_all(bench: Any, bug: bool) -> None:
    b = bench(planted=[SABOTAGES["leave-all"]] if bug else [])
    b.answer_calls()
    b.advance(PERIOD_MS)
    (one, other), b.calls = b.calls, []
    b.carry(b.core.response(b.now_ms, one.token, None))
    assert [(call.address, call.command.code) for call in b.calls] == (
        [(address, 104) for address in ("ns-1:9876", "ns-2:9876")] if bug else []
    )
    b.calls.clear()
    b.carry(b.core.response(b.now_ms, other.token, other.command.reply(0, {})))
    b.carry(b.core.response(b.now_ms, "unregister-0-0", None))
    assert b.calls == []
