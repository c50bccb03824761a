"""Offsets by request. Clauses: con-restart-resume, con-group-indep, sto-query-time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reference_impl.message import Record

Bench = Any
QUEUE = {"topic": "T", "queueId": 0}
MINE = QUEUE | {"consumerGroup": "G"}


def test_a_new_group_begins_at_zero_on_a_young_queue(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    b = bench()
    b.send("T")
    assert b.ask(14, MINE).fields["offset"] == "0"
    assert b.ask(14, MINE | {"topic": "missing"}).fields["offset"] == "0"
    monkeypatch.setattr(b.store, "min_offset", lambda topic, queue: 5)
    answer = b.ask(14, MINE)
    assert answer.code == 22
    assert answer.remark.startswith("Not found")


@pytest.mark.parametrize(("offset", "read"), [(3, "3"), (1 << 60, str(1 << 60)), (-5, "0")])
def test_any_offset_is_stored(bench: type[Bench], offset: int, read: str) -> None:
    b = bench()
    assert b.ask(15, MINE | {"commitOffset": offset}).code == 0
    assert b.ask(14, MINE).fields["offset"] == read
    assert b.ask(14, MINE | {"consumerGroup": "H"}).fields["offset"] == "0"


def test_ends_of_a_queue_and_of_one_that_is_not_there(bench: type[Bench]) -> None:
    b = bench()
    sent_ms = b.now_ms
    b.send("T")
    b.advance(1_000)
    b.send("T")
    assert b.ask(30, QUEUE).fields["offset"] == "2"
    assert b.ask(31, QUEUE).fields["offset"] == "0"
    assert b.ask(32, QUEUE).fields["timestamp"] == str(sent_ms)
    assert b.ask(29, QUEUE | {"timestamp": sent_ms + 1}).fields["offset"] == "1"
    missing = {"topic": "missing", "queueId": 99}
    assert b.ask(30, missing).fields["offset"] == "0"
    assert b.ask(31, missing).fields["offset"] == "0"
    assert b.ask(32, missing).fields["timestamp"] == "-1"
    assert b.ask(29, missing | {"timestamp": 0}).fields["offset"] == "0"


def test_one_record_by_its_position(bench: type[Bench], split: Callable[[bytes], list[Record]]) -> None:
    b = bench()
    b.send("T", b"x", properties={"KEYS": "k"})
    record = b.records("T")[0]
    answer = b.ask(33, {"offset": record.physical_offset})
    assert split(answer.body) == [record]
    assert answer.body == b.pull("T").body
    for offset in (1, -1):
        answer = b.ask(33, {"offset": offset})
        assert (answer.code, answer.remark) == (1, f"can not find message by the offset, {offset}")


def test_newer_clients_may_refuse_a_zero_that_nobody_committed(bench: type[Bench]) -> None:
    asked = {"consumerGroup": "G", "topic": "T", "queueId": 0}
    b = bench()
    assert b.ask(14, asked | {"setZeroIfNotFound": "true"}).fields == {"offset": "0"}
    answer = b.ask(14, asked | {"setZeroIfNotFound": "false"})
    assert (answer.code, answer.remark) == (22, "Not found, do not set to zero, maybe this group boot first")
    b.ask(15, asked | {"commitOffset": 3})
    assert b.ask(14, asked | {"setZeroIfNotFound": "false"}).fields == {"offset": "3"}
