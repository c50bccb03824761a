"""Queries by key and by unique key. Clause: sto-query-key."""

from __future__ import annotations

from typing import Any

import pytest

Bench = Any
ALWAYS = {"beginTimestamp": 0, "endTimestamp": 1 << 62}


def query(b: Bench, key: str, max_num: int = 32, **more: Any) -> Any:
    return b.ask(12, {"topic": "T", "key": key, "maxNum": max_num} | ALWAYS | more)


def test_messages_are_found_by_every_key(bench: type[Bench], split: Any) -> None:
    b = bench()
    for number in range(4):
        b.send("T", b"m%d" % number, properties={"KEYS": f"order-7 other-{number}", "UNIQ_KEY": f"u{number}"})
        b.now_ms += 1000
    b.send("U", b"elsewhere", properties={"KEYS": "order-7"})
    answer = query(b, "order-7")
    assert [record.body for record in split(answer.body)] == [b"m0", b"m1", b"m2", b"m3"]
    assert set(answer.fields) == {"indexLastUpdateTimestamp", "indexLastUpdatePhyoffset"}
    assert [record.body for record in split(query(b, "order-7", 2).body)] == [b"m2", b"m3"], "the latest"
    assert [record.body for record in split(query(b, "u1", 1, _UNIQUE_KEY_QUERY="true").body)] == [b"m1"]
    begin_ms = b.now_ms - 3000
    window = {"beginTimestamp": begin_ms, "endTimestamp": begin_ms + 1000}
    assert [record.body for record in split(query(b, "order-7", **window).body)] == [b"m1", b"m2"]


@pytest.mark.parametrize("key", ["order", "order-8", "", "é"])
def test_nothing_found(bench: type[Bench], key: str) -> None:
    b = bench()
    b.send("T", properties={"KEYS": "order-7"})
    answer = query(b, key)
    assert (answer.code, answer.remark) == (22, "can not find message, maybe time range not correct")
    assert set(answer.fields) == {"indexLastUpdateTimestamp", "indexLastUpdatePhyoffset"}


def test_one_answer_has_a_limit(bench: type[Bench], split: Any) -> None:
    b = bench(maxMsgsNumBatch=3, defaultQueryMaxNum=2)
    for _ in range(5):
        b.send("T", properties={"KEYS": "k", "UNIQ_KEY": "u"})
    assert len(split(query(b, "k", 100).body)) == 3
    assert len(split(query(b, "u", 100, _UNIQUE_KEY_QUERY="true").body)) == 2


def test_keys_are_known_after_a_death(bench: type[Bench], split: Any) -> None:
    b = bench()
    b.send("T", b"one", properties={"KEYS": "k"})
    b.restart()
    assert [record.body for record in split(query(b, "k").body)] == [b"one"]
