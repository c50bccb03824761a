"""Requests whose turn comes too late. Clause: dur-reject-absent."""

from __future__ import annotations

from typing import Any

import pytest

Bench = Any
SEND = {"a": "P", "b": "T", "c": "TBW102", "d": 4, "e": 0, "f": 0, "g": 0, "h": 0, "i": "", "j": 0}
PULL = {"consumerGroup": "G", "topic": "T", "queueId": 0, "queueOffset": 0, "maxMsgNums": 32, "sysFlag": 4}
PULL |= {"commitOffset": 0, "suspendTimeoutMillis": 0, "subVersion": 0, "subscription": "*"}


def stored(b: Bench) -> int:
    return int(b.store.max_offset("T", 0))


def test_a_send_that_waited_too_long_is_refused_and_not_stored(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    b.core.arrived(b.now_ms, 4)
    b.now_ms += 199
    assert b.ask(310, SEND).code == 0
    b.now_ms += 1
    answer = b.ask(310, SEND)
    assert (answer.code, answer.fields, stored(b)) == (2, {}, 2)
    assert answer.remark == (
        "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue: 200ms, size of queue: 2"
    )
    assert b.ask(11, PULL).code == 0, "pulls may wait for longer"
    b.core.arrived(b.now_ms, 1)
    assert b.ask(310, SEND).code == 0, "what comes later has not waited"


@pytest.mark.parametrize(
    ("code", "fields", "limit_ms"),
    [(10, {}, 200), (310, SEND, 200), (320, SEND, 200), (36, {}, 200), (11, PULL, 5000), (34, {}, 31_000)],
)
def test_each_kind_has_its_limit(bench: type[Bench], code: int, fields: dict[str, Any], limit_ms: int) -> None:
    b = bench()
    for waited_ms, refused in ((limit_ms - 1, False), (limit_ms, True)):
        b.core.arrived(b.now_ms, 1)
        b.now_ms += waited_ms
        answer = b.ask(code, fields)
        assert ((answer.remark or "").startswith("[TIMEOUT_CLEAN_QUEUE]broker busy"), answer.code == 2) == (
            refused, refused
        )  # fmt: skip


def test_the_end_of_a_transaction_that_came_too_late_is_lost_in_silence(bench: type[Bench]) -> None:
    b = bench()
    half = b.send("T", properties={"TRAN_MSG": "true", "PGROUP": "P", "UNIQ_KEY": "u"}, sysFlag=4)
    offset = half.fields["queueOffset"]
    fields = {"producerGroup": "P", "tranStateTableOffset": offset, "commitLogOffset": 0, "commitOrRollback": 8}
    b.core.arrived(b.now_ms, 1)
    b.now_ms += 3000
    assert b.answer(b.begin(37, fields, flag=2)) is None
    assert stored(b) == 0


def test_what_did_not_wait_with_others_and_a_broker_told_so_refuse_nothing(bench: type[Bench]) -> None:
    b = bench()
    b.core.arrived(b.now_ms, 0)
    b.now_ms += 100_000
    assert b.send("T").code == 0
    b = bench(brokerFastFailureEnable=False)
    b.core.arrived(b.now_ms, 5)
    b.now_ms += 100_000
    assert b.send("T").code == 0
