"""Legal oddities of answers: each is there, and only with it."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.effects import Reply
from reference_impl.frame import Command
from reference_impl.sabotage import ODDITIES
from reference_impl.sabotage.odd_answers import (
    ANSWERS_MAX,
    BUSY_EVERY,
    EMPTY_EVERY,
    KEPT_EVERY,
    KEPT_MS,
    LATE_EVERY,
    PULL_MAX,
)

Bench = Any
ON_AND_OFF = pytest.mark.parametrize("odd", [False, True])


def planted(name: str, on: bool) -> list[Any]:
    return [ODDITIES[name]] if on else []


@ON_AND_OFF
def test_answers_out_of_order(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("answers-out-of-order", odd))
    sends = [b.begin(310, b.send_fields("T"), b"x") for _ in range(2 * KEPT_EVERY)]
    kept = [opaque for opaque in sends if b.answer(opaque) is None]
    assert kept == (sends[KEPT_EVERY - 1 :: KEPT_EVERY] if odd else [])
    b.advance(KEPT_MS)
    assert {b.answer(opaque).code for opaque in sends} == {0}
    assert len(b.bodies("T")) == len(sends)


def test_an_answer_that_is_kept_back_holds_nobody_up(bench: type[Bench]) -> None:
    b = bench(planted=planted("answers-out-of-order", True))
    for _ in range(KEPT_EVERY - 1):
        b.send("T")
    opaque = b.begin(310, b.send_fields("T"), b"x", conn=2)
    b.close(2)
    b.advance(KEPT_MS)
    assert b.answer(opaque, 2).code == 0, "the shell drops what is for a connection that is gone"
    assert b.core.asked == {}


@ON_AND_OFF
def test_unknown_fields(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("unknown-fields", odd))
    b.send("T")
    answer = b.ask(30, {"topic": "T", "queueId": 0})
    assert (answer.code, answer.fields["offset"]) == (0, "1")
    assert ("zone" in answer.fields, answer.remark == "as asked") == (odd, odd)
    names = list(b.pull("T").fields)
    assert (names.index("minOffset") < names.index("nextBeginOffset")) is odd
    assert b.pull("nowhere").remark.startswith("topic[nowhere] not exist"), "a remark that is there stays"


@ON_AND_OFF
def test_small_pulls(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("small-pulls", odd))
    for _ in range(PULL_MAX + 1):
        b.send("T")
    answer = b.pull("T")
    assert int(answer.fields["nextBeginOffset"]) == (PULL_MAX if odd else PULL_MAX + 1)
    assert b.pull("T", offset=PULL_MAX).code == 0


@ON_AND_OFF
def test_empty_pulls(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("empty-pulls", odd))
    b.send("T")
    answers = [b.pull("T") for _ in range(2 * EMPTY_EVERY)]
    empty = [number for number, answer in enumerate(answers, 1) if answer.code == 20]
    assert empty == ([EMPTY_EVERY, 2 * EMPTY_EVERY] if odd else [])
    assert {(answers[number - 1].body, answers[number - 1].fields["nextBeginOffset"]) for number in empty} <= {
        (b"", "0")
    }
    assert b.pull("nowhere").code == 17, "refusals stay"


@ON_AND_OFF
def test_short_holds(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("short-holds", odd))
    b.send("T")
    asked_ms = 2 * b.settings.hold_scan_ms
    opaque = b.begin(11, b.pull_fields("T", offset=1, sysFlag=6, suspendTimeoutMillis=asked_ms))
    assert b.answer(opaque) is None
    b.advance(asked_ms // 2)
    assert (b.answer(opaque) is not None) is odd
    b.advance(asked_ms)
    assert b.answer(opaque).code == 19


@ON_AND_OFF
def test_sometimes_busy(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("sometimes-busy", odd))
    codes = [b.send("T").code for _ in range(2 * BUSY_EVERY)]
    assert codes.count(2) == (2 if odd else 0)
    assert len(b.bodies("T")) == codes.count(0)


@ON_AND_OFF
@pytest.mark.parametrize("flush", ["SYNC_FLUSH", "ASYNC_FLUSH"])
def test_sometimes_late_flush(bench: type[Bench], odd: bool, flush: str) -> None:
    b = bench(planted=planted("sometimes-late-flush", odd), flushDiskType=flush)
    sends = [b.begin(310, b.send_fields("T"), b"x") for _ in range(2 * LATE_EVERY)]
    b.flush()
    codes = [b.answer(opaque).code for opaque in sends]
    assert codes.count(10) == (2 if odd and flush == "SYNC_FLUSH" else 0)
    assert len(b.bodies("T")) == len(sends)


@ON_AND_OFF
def test_closed_connections(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=planted("closed-connections", odd))
    b.heartbeat(1, "G")
    for opaque in range(ANSWERS_MAX):
        for conn in (1, 2):
            command = Command(code=26, opaque=10_000 + opaque)
            effects = b.core.request(b.now_ms, conn, ("10.0.0.1", 4001), command)
            assert isinstance(effects[0], Reply), "what was asked is answered first"
            b.carry(effects)
    assert b.closed == ([1] if odd else []), "the other is in no group"
    assert b.ask(26, conn=2).code == 0
