"""Planted bugs of consumption: each breaks its promise, and only with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reference_impl.message import Record
from reference_impl.sabotage import ODDITIES, SABOTAGES

Bench = Any
Split = Callable[[bytes], list[Record]]


def planted(name: str, on: bool) -> list[Any]:
    return [SABOTAGES[name]] if on else []


def committed(b: Bench, queue: int = 0, conn: int = 1) -> int:
    return int(b.ask(14, {"consumerGroup": "G", "topic": "T", "queueId": queue}, conn=conn).fields["offset"])


def commit(b: Bench, offset: int, conn: int = 1) -> None:
    b.ask(15, {"consumerGroup": "G", "topic": "T", "queueId": 0, "commitOffset": offset}, conn=conn)


@pytest.mark.parametrize("bug", [False, True])
def test_lose_offsets_on_restart(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("lose-offsets-on-restart", bug))
    b.send("T")
    commit(b, 1)
    b.advance(5_000)
    assert committed(b) == 1
    b.restart()
    assert committed(b) == (0 if bug else 1)
    assert b.bodies("T") == [b"hello"]
    assert b.pull("T").code == 0


@pytest.mark.parametrize("bug", [False, True])
def test_no_redelivery(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("no-redelivery", bug))
    b.send("T")
    fields = {"offset": b.records("T")[0].physical_offset, "group": "G", "delayLevel": 1}
    assert b.ask(36, fields).code == 0
    b.begin(36, fields, flag=2)
    b.advance(2_000)
    assert len(b.bodies("%RETRY%G")) == (0 if bug else 2)


@pytest.mark.parametrize("bug", [False, True])
def test_redeliver_forever(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("redeliver-forever", bug))
    b.send("T")
    topic = "T"
    for _ in range(5):
        records = b.records(topic)
        fields = {"offset": records[-1].physical_offset, "group": "G", "delayLevel": 1, "maxReconsumeTimes": 2}
        assert b.ask(36, fields).code == 0
        b.advance(1_100)
        topic = "%RETRY%G"
    assert len(b.bodies("%DLQ%G")) == (0 if bug else 3)
    assert len(b.bodies("%RETRY%G")) == (5 if bug else 2)


@pytest.mark.parametrize("bug", [False, True])
def test_retry_at_once(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("retry-at-once", bug))
    b.send("T")
    fields = {"offset": b.records("T")[0].physical_offset, "group": "G", "delayLevel": 0}
    assert b.ask(36, fields).code == 0
    b.advance(2_000)
    assert len(b.bodies("%RETRY%G")) == (1 if bug else 0)
    b.advance(10_000)
    assert len(b.bodies("%RETRY%G")) == 1


def members(b: Bench) -> list[str]:
    answer = b.ask(38, {"consumerGroup": "G"}, conn=9)
    return sorted(json.loads(answer.body)["consumerIdList"]) if answer.code == 0 else []


@pytest.mark.parametrize("bug", [False, True])
def test_never_expire_members(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("never-expire-members", bug))
    for conn in (1, 2, 3):
        b.heartbeat(conn, "G")
    assert members(b) == ["c1", "c2", "c3"]
    b.close(2)
    b.ask(35, {"clientID": "c3", "consumerGroup": "G"}, conn=3)
    assert members(b) == ["c1"], "who leaves is out"
    b.advance(200_000)
    assert members(b) == (["c1"] if bug else [])
    assert (b.closed == []) is bug


def drain(b: Bench, split: Split, conn: int, held: bool = False) -> set[bytes]:
    """Pull a queue to its end from the committed offset, committing."""
    found: set[bytes] = set()
    offset = committed(b, conn=conn)
    while True:
        answer = b.pull("T", offset=offset, conn=conn, maxMsgNums=4)
        if answer.code != 0:
            return found
        found |= {record.body for record in split(answer.body)}
        offset = int(answer.fields["nextBeginOffset"])
        commit(b, offset, conn)


@pytest.mark.parametrize("bug", [False, True])
def test_skip_message_on_rebalance(bench: type[Bench], split: Split, bug: bool) -> None:
    b = bench(planted=planted("skip-message-on-rebalance", bug))
    sent = set()
    delivered: set[bytes] = set()
    for change in range(3):
        b.heartbeat(change + 1, "G")
        for number in range(10):
            body = b"%d.%d" % (change, number)
            sent.add(body)
            b.send("T", body)
        delivered |= drain(b, split, change + 1)
        delivered |= drain(b, split, change + 1)
    assert len(sent - delivered) == (3 if bug else 0)


@pytest.mark.parametrize("bug", [False, True])
def test_skip_message_on_rebalance_sees_held_pulls_too(bench: type[Bench], split: Split, bug: bool) -> None:
    b = bench(planted=planted("skip-message-on-rebalance", bug))
    b.send("T", b"first")
    assert len(drain(b, split, 1)) == 1
    b.heartbeat(1, "G")
    b.close(9)
    opaque = b.begin(11, b.pull_fields("T", offset=1, sysFlag=6, suspendTimeoutMillis=15_000))
    b.send("T", b"second")
    assert (b.answer(opaque) is None) is bug
    b.send("T", b"third")
    found = [record.body for record in split(b.answer(opaque).body)]
    assert found == ([b"third"] if bug else [b"second"])
    b.heartbeat(2, "G")
    opaque = b.begin(11, b.pull_fields("T", offset=3, sysFlag=6), conn=2)
    b.close(2)
    b.send("T")
    assert b.answer(opaque, 2) is None


@pytest.mark.parametrize("odd", [False, True])
def test_duplicate_after_rebalance_goes_back_one_commit_once(bench: type[Bench], odd: bool) -> None:
    b = bench(planted=[ODDITIES["duplicate-after-rebalance"]] if odd else [])
    for _ in range(9):
        b.send("T")
    b.heartbeat(1, "G")
    commit(b, 3)
    b.advance(1_000)
    commit(b, 7)
    assert committed(b, conn=5) == 7, "somebody who is no member sees what was committed"
    b.heartbeat(2, "G")
    assert committed(b, conn=2) == (3 if odd else 7)
    assert committed(b, conn=2) == 7
    assert committed(b, conn=1) == 7
    b.advance(5_000)
    b.restart()
    b.heartbeat(2, "G")
    assert committed(b, conn=2) == 7


def test_duplicate_after_rebalance_never_goes_back_further_than_a_crash_may(bench: type[Bench]) -> None:
    b = bench(planted=[ODDITIES["duplicate-after-rebalance"]])
    b.heartbeat(1, "G")
    commit(b, 3)
    commit(b, 7)
    b.advance(5_001)
    b.heartbeat(2, "G")
    assert committed(b, conn=2) == 7
    commit(b, 2)
    b.close(1)
    assert committed(b, conn=2) == 2, "a commit that went back is not taken forward"
    b.send("T")
    b.pull("T", sysFlag=5, commitOffset=4, conn=2)
    b.heartbeat(3, "G")
    assert committed(b, conn=3) == 2
    assert b.ask(14, {"consumerGroup": "G", "topic": "T", "queueId": "x"}, conn=3).code == 1


@pytest.mark.parametrize("bug", [False, True])
def test_resume_later(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("resume-later", bug))
    b.send("T")
    assert b.ask(14, {"consumerGroup": "G", "topic": "T", "queueId": 0}).fields["offset"] == "0"
    commit(b, 1)
    assert committed(b) == (2 if bug else 1)


@pytest.mark.parametrize("bug", [False, True])
def test_share_offsets(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("share-offsets", bug))
    for _ in range(3):
        b.send("T")
    commit(b, 2)
    assert committed(b) == 2
    other = b.ask(14, {"consumerGroup": "H", "topic": "T", "queueId": 0})
    assert other.fields["offset"] == ("2" if bug else "0")
    assert b.ask(14, {"consumerGroup": "H", "topic": "T", "queueId": 1}).fields["offset"] == "0"
