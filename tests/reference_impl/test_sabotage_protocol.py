"""Planted bugs of the protocol: each breaks its promise, and only with it."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.effects import Reply
from reference_impl.frame import FLAG_ONEWAY, Command
from reference_impl.node import broker_listeners
from reference_impl.sabotage import SABOTAGES
from reference_impl.sabotage.protocol import HOLD_MORE_MS, TWICE_EVERY
from reference_impl.settings import BrokerSettings

Bench = Any


def planted(name: str, on: bool) -> list[Any]:
    return [SABOTAGES[name]] if on else []


@pytest.mark.parametrize("bug", [False, True])
def test_answer_twice(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("answer-twice", bug))
    answers: list[int] = []
    for opaque in range(2 * TWICE_EVERY):
        effects = b.core.request(b.now_ms, 1, ("10.0.0.1", 4001), Command(code=26, opaque=opaque))
        answers += [effect.command.opaque for effect in effects if isinstance(effect, Reply)]
    assert len(answers) - len(set(answers)) == (2 if bug else 0)
    assert set(answers) == set(range(2 * TWICE_EVERY))


@pytest.mark.parametrize("bug", [False, True])
def test_answer_oneway(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("answer-oneway", bug))
    known, unknown = (b.begin(code, b.send_fields("T"), flag=FLAG_ONEWAY) for code in (310, 9_999))
    assert [b.answer(opaque) is not None for opaque in (known, unknown)] == [bug, bug]
    assert b.send("T").code == 0
    assert b.bodies("T") == [b"", b"hello"]


@pytest.mark.parametrize("bug", [False, True])
def test_unknown_code_succeeds(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("unknown-code-succeeds", bug))
    answer = b.ask(9_999)
    assert (answer.code, answer.remark is None) == ((0, True) if bug else (3, False))
    assert b.pull("nowhere").code == 17, "other refusals stay"


@pytest.mark.parametrize("bug", [False, True])
def test_hold_too_long(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("hold-too-long", bug))
    b.send("T")
    opaque = b.begin(11, b.pull_fields("T", offset=1, sysFlag=6, suspendTimeoutMillis=b.settings.hold_scan_ms - 1))
    b.advance(b.settings.hold_scan_ms)
    assert (b.answer(opaque) is None) is bug
    b.advance(HOLD_MORE_MS + b.settings.hold_scan_ms)
    assert b.answer(opaque).code == 19
    assert b.pull("T").code == 0


@pytest.mark.parametrize("bug", [False, True])
def test_never_wake_pulls(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("never-wake-pulls", bug))
    b.send("T")
    asked_ms = 3 * b.settings.hold_scan_ms
    opaque = b.begin(11, b.pull_fields("T", offset=1, sysFlag=6, suspendTimeoutMillis=asked_ms))
    b.send("T")
    b.advance(b.settings.hold_scan_ms)
    assert (b.answer(opaque) is None) is bug
    b.advance(asked_ms)
    if bug:
        assert b.answer(opaque).code == 0, "its time is up"


@pytest.mark.parametrize(
    ("bug", "refused"), [(None, {11, 361}), ("pull-on-vip", set()), ("refuse-on-vip", {11, 34, 310, 361})]
)
def test_bugs_of_the_vip_port(bug: str | None, refused: set[int]) -> None:
    main, vip, ha = broker_listeners(BrokerSettings(listenPort=20_000))
    if bug is not None:
        main, vip, ha = (SABOTAGES[bug].wrap_listener(each) for each in (main, vip, ha))
    assert main.refuse is ha.refuse is None
    asked = {code: vip.refuse and vip.refuse(Command(code, opaque=7)) for code in (11, 34, 310, 361)}
    assert {code for code, answer in asked.items() if answer is not None} == refused
    assert all((answer.code, answer.opaque) == (3, 7) for answer in asked.values() if answer is not None)
    oneway = Command(11, flag=FLAG_ONEWAY)
    assert vip.refuse is None or vip.refuse(oneway) is None
