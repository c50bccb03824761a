"""Planted bugs of connections and headers: each breaks its promise, and only with it."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.effects import Close, Effect, Reply
from reference_impl.frame import Command, Serialize
from reference_impl.nameserver import NameServerCore
from reference_impl.sabotage import SABOTAGES
from reference_impl.sabotage.frames import ASTRAY_BY, ASTRAY_EVERY, LOST_EVERY
from reference_impl.settings import NameServerSettings

Bench = Any
KNOWN = {"topic": "T", "queueId": "0"}


class Both:
    """A broker or a NameServer, and a request that it answers with success."""

    def __init__(self, name: str, bug: bool, bench: type[Bench]) -> None:
        self.code = 30 if SABOTAGES[name].role == "broker" else 206
        if self.code == 30:
            self.core = bench(planted=[SABOTAGES[name]] if bug else []).core
        else:
            settings = NameServerSettings()
            self.core = NameServerCore(settings)
            if bug:
                self.core = SABOTAGES[name].wrap_core(self.core, settings)

    def ask(self, conn: int = 1, code: int | None = None, **columns: Any) -> list[Effect]:
        command = Command(code=self.code if code is None else code, **{"fields": KNOWN, **columns})
        effects: list[Effect] = self.core.request(0, conn, ("h", conn), command)
        return effects


@pytest.mark.parametrize("name", ["forget-second-encoding", "forget-second-encoding-ns"])
@pytest.mark.parametrize("bug", [False, True])
def test_forget_second_encoding(bench: type[Bench], name: str, bug: bool) -> None:
    server = Both(name, bug, bench)
    assert len(server.ask()) == 1
    assert len(server.ask(serialize=Serialize.ROCKETMQ)) == (0 if bug else 1)
    assert len(server.ask(conn=2, serialize=Serialize.ROCKETMQ)) == 1


@pytest.mark.parametrize("name", ["lose-in-flight", "lose-in-flight-ns"])
@pytest.mark.parametrize("bug", [False, True])
def test_lose_in_flight(bench: type[Bench], name: str, bug: bool) -> None:
    server = Both(name, bug, bench)
    for count in (1, 2 * LOST_EVERY + 1):
        server.core.arrived(0, count)
        answered = sum(len(server.ask(opaque=number)) for number in range(count))
        assert answered == count - (2 if bug and count > 1 else 0)


@pytest.mark.parametrize("name", ["swallow-incomplete", "swallow-incomplete-ns"])
@pytest.mark.parametrize("bug", [False, True])
def test_swallow_incomplete(bench: type[Bench], name: str, bug: bool) -> None:
    server = Both(name, bug, bench)
    code = 30 if server.code == 30 else 105
    effects = server.ask(code=code, fields={"queueId": "0"})
    assert [each.command.code != 0 for each in effects if isinstance(each, Reply)] == ([] if bug else [True])
    assert len(server.ask(code=code)) == 1


@pytest.mark.parametrize("name", ["close-with-bad-frame", "close-with-bad-frame-ns"])
@pytest.mark.parametrize("bug", [False, True])
def test_close_with_bad_frame(bench: type[Bench], name: str, bug: bool) -> None:
    server = Both(name, bug, bench)
    server.ask(conn=1)
    server.ask(conn=2)
    assert [each for each in server.core.closed(0, 2) if isinstance(each, Close)] == []
    closed = [each.conn for each in server.core.closed(0, 3) if isinstance(each, Close)]
    assert closed == ([1] if bug else [])


@pytest.mark.parametrize("bug", [False, True])
def test_answer_astray(bench: type[Bench], bug: bool) -> None:
    server = Both("answer-astray", bug, bench)
    opaques = [
        each.command.opaque
        for number in range(ASTRAY_EVERY)
        for each in server.ask(opaque=number)
        if isinstance(each, Reply)
    ]
    last = ASTRAY_EVERY - 1
    assert opaques == [*range(last), *([last + ASTRAY_BY] if bug else []), last]


@pytest.mark.parametrize("bug", [False, True])
def test_refuse_unknown_fields(bench: type[Bench], bug: bool) -> None:
    server = Both("refuse-unknown-fields", bug, bench)
    codes = [
        each.command.code
        for fields in (KNOWN, {**KNOWN, "later": "1"})
        for each in server.ask(fields=fields)
        if isinstance(each, Reply)
    ]
    assert codes == [0, 1 if bug else 0]
