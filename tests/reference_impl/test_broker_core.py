"""The core as a whole: dispatch, one answer per request, emptying, hostile requests.

Clauses: prt-opaque, prt-unknown-code.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.broker.core import HANDLERS
from reference_impl.frame import FLAG_ONEWAY, FLAG_RESPONSE

Bench = Any


@pytest.mark.parametrize("code", [9999, 0, -5, 400])
def test_an_unknown_code_is_refused_with_its_opaque(bench: type[Bench], code: int) -> None:
    b = bench()
    answer = b.ask(code)
    assert (answer.code, answer.remark) == (3, f" request type {code} not supported")
    b.replies.clear()
    b.begin(code, flag=FLAG_ONEWAY)
    assert b.replies == {}


def test_a_clients_response_is_taken_in_silence(bench: type[Bench]) -> None:
    b = bench()
    b.begin(0, flag=FLAG_RESPONSE)
    assert b.replies == {}


def test_a_one_way_request_still_wakes_others(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    opaque = b.begin(11, b.pull_fields("T", offset=1, sysFlag=6), conn=2)
    silent = b.begin(310, b.send_fields("T"), b"x", flag=FLAG_ONEWAY)
    assert b.answer(silent) is None
    assert b.answer(opaque, 2).code == 0


FIELDS = sorted(
    set("abcdefghijlm")
    | {"producerGroup", "topic", "defaultTopic", "queueId", "queueOffset", "consumerGroup", "maxMsgNums", "sysFlag"}
    | {
        "commitOffset",
        "suspendTimeoutMillis",
        "subVersion",
        "subscription",
        "offset",
        "group",
        "delayLevel",
        "clientID",
    }
    | {"timestamp", "readQueueNums", "writeQueueNums", "perm", "defaultTopicQueueNums", "bornTimestamp", "flag"}
)
VALUES = st.one_of(
    st.integers(-2, 5).map(str), st.sampled_from(["T", "%RETRY%G", "TBW102", "G", "", "x\x01y"]), st.text()
)
BODIES = st.one_of(
    st.binary(max_size=60), st.sampled_from([b"{}", b"[]", b'{"mqSet":[1]}', b'{"consumerDataSet":[7]}'])
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(HANDLERS)), st.dictionaries(st.sampled_from(FIELDS), VALUES), BODIES)
def test_whatever_is_asked_the_core_answers_at_most_once_and_lives(
    bench: type[Bench], code: int, fields: dict[str, str], body: bytes
) -> None:
    b = bench()
    opaque = b.begin(code, fields, body)
    b.answer_calls()
    b.advance(130_000)
    assert set(b.replies) <= {(1, opaque)}
    assert b.replies or code == 11, "only a pull may wait, and its connection was closed for silence"
    assert b.send("T").code == 0


@pytest.mark.parametrize(
    ("error", "code"), [(OSError(28, "no space left"), 1), ("busy", 2), ("large", 13)], ids=["disk", "busy", "large"]
)
def test_a_store_that_refuses(
    bench: type[Bench], monkeypatch: pytest.MonkeyPatch, error: OSError | str, code: int
) -> None:
    from reference_impl.errors import RecordTooLargeError, StoreBusyError

    b = bench()
    known = {"busy": StoreBusyError("much waits"), "large": RecordTooLargeError("one record")}
    raised = known[error] if isinstance(error, str) else error

    def fail(*_: Any) -> None:
        raise raised

    monkeypatch.setattr(b.store, "append", fail)
    answer = b.send("T")
    assert answer.code == code
    assert str(raised) in answer.remark


def test_emptying_leaves_a_broker_as_new(bench: type[Bench]) -> None:
    b = bench()
    b.send("T")
    b.send("T", properties={"DELAY": "1"})
    b.heartbeat(1, "G")
    b.ask(15, {"consumerGroup": "G", "topic": "T", "queueId": 0, "commitOffset": 1})
    held = b.begin(11, b.pull_fields("T", offset=1, sysFlag=6, suspendTimeoutMillis=15_000))
    b.calls.clear()
    b.carry(b.core.empty(b.now_ms))
    assert [call.command.code for call in b.calls] == [103, 103]
    b.answer_calls()
    b.advance(3_000)
    assert b.answer(held) is None
    assert b.bodies("T") == []
    assert b.pull("T").code == 17
    assert b.ask(38, {"consumerGroup": "G"}).code == 0
    assert b.ask(14, {"consumerGroup": "G", "topic": "T", "queueId": 0}).fields["offset"] == "0"
    assert b.send("T", b"new").fields["queueOffset"] == "0"
    b.restart()
    assert b.bodies("T") == [b"new"]


def test_a_core_that_has_not_started_has_nothing_due(bench: type[Bench]) -> None:
    from reference_impl.broker import BrokerCore

    b = bench()
    fresh = BrokerCore(b.settings, b.store, b.disk, b.broker.state.rng)
    assert fresh.next_deadline_ms() is None
    assert fresh.tick(0) == []


def move_clock(b: Any, ms: int, *, expire: bool = False) -> None:
    """The clock jumps on purpose, as `advance` on the control socket makes it jump."""
    b.now_ms += ms
    b.broker.clock_moved(ms, expire=expire)
    b.carry(b.core.tick(b.now_ms))


@pytest.mark.parametrize("hours", [2, -2])
def test_a_clock_that_is_moved_makes_nobody_wait_longer(bench: type[Bench], hours: int) -> None:
    b = bench(flushDiskType="SYNC_FLUSH")
    b.heartbeat(1, "G")
    lock = b'{"consumerGroup":"G","clientId":"c1","mqSet":[{"topic":"T","brokerName":"broker-a","queueId":0}]}'
    assert b.ask(41, body=lock).code == 0
    waiting = b.begin(310, b.send_fields("T", properties={"WAIT": "true"}), b"x")
    move_clock(b, hours * 3_600_000)
    assert b.answer(waiting) is None, "it waits for the disk, and not for two hours"
    assert b.broker.state.members.client_ids("G") != []
    stranger = lock.replace(b'"c1"', b'"c2"')
    assert b'"lockOKMQSet":[]' in b.ask(41, body=stranger).body
    b.flush()
    assert b.answer(waiting).code == 0


def test_what_a_moved_clock_makes_due_comes_at_once_and_nothing_else(bench: type[Bench]) -> None:
    b = bench()
    for level in (1, 2):
        assert b.send("T", b"%d" % level, properties={"DELAY": str(level)}).code == 0
    move_clock(b, 999)
    assert b.bodies("T") == []
    move_clock(b, 1)
    assert b.bodies("T") == [b"1"], "though the usual look comes at whole seconds"


def test_members_and_locks_expire_by_a_moved_clock_where_that_is_wanted(bench: type[Bench]) -> None:
    b = bench()
    b.heartbeat(1, "G")
    move_clock(b, 3_600_000, expire=True)
    assert b.broker.state.members.client_ids("G") == []


def test_a_slave_is_not_given_up_by_a_moved_clock(bench: type[Bench]) -> None:
    b = bench()
    b.stream(1, b"")
    b.stream(1, (0).to_bytes(8, "big"))
    b.streamed.clear()
    move_clock(b, 3_600_000)
    assert b.streamed == []
    s = bench(brokerRole="SLAVE", brokerId=1, haMasterAddress="h:1")
    s.advance(1)
    (opened,) = s.streamed
    s.stream(opened.stream, b"")
    s.streamed.clear()
    move_clock(s, 3_600_000)
    assert s.streamed == []
