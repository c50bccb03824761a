"""Planted bugs of what is looked up and of what may be stored: each breaks its promise, and only with it."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.commands import PROPERTIES_BYTES_MAX
from reference_impl.message import BatchItem, encode_batch
from reference_impl.sabotage import SABOTAGES
from reference_impl.sabotage.lookups import ANY_TOPIC, LATER, PAST_MS, WRONG_EVERY

Bench = Any
pytestmark = pytest.mark.parametrize("bug", [False, True])


def started(bench: type[Bench], name: str, on: bool, **settings: Any) -> Any:
    return bench(planted=[SABOTAGES[name]] if on else [], **settings)


def place(answer: Any) -> int:
    """The position in the log that a send's answer names."""
    return int(answer.fields["msgId"][-16:], 16)


def batch(b: Any, *bodies: bytes) -> Any:
    items = [BatchItem(body=body, flag=0, properties={}) for body in bodies]
    return b.ask(320, b.send_fields("T", m="true"), body=encode_batch(items))


def test_answer_other_id(bench: type[Bench], split: Any, bug: bool) -> None:
    b = started(bench, "answer-other-id", bug)
    answered = [place(b.send("T")) for _ in range(WRONG_EVERY)]
    stored = [record.physical_offset for record in split(b.pull("T").body)]
    assert answered[:-1] == stored[:-1]
    assert answered[-1] == stored[-1] - bug


def test_search_too_late(bench: type[Bench], bug: bool) -> None:
    b = started(bench, "search-too-late", bug)
    b.send("T")
    found = b.ask(29, {"topic": "T", "queueId": 0, "timestamp": b.now_ms})
    assert found.fields["offset"] == str(LATER if bug else 0)


def test_index_late(bench: type[Bench], split: Any, bug: bool) -> None:
    b = started(bench, "index-late", bug)
    b.send("T", i="KEYS\x01k")
    asked = {"topic": "T", "key": "k", "maxNum": 9, "beginTimestamp": 0, "endTimestamp": 2**62}
    found = b.ask(12, asked)
    assert (found.code, bool(found.body)) == ((22, False) if bug else (0, True))
    b.now_ms += 10_000
    b.send("T", i="KEYS\x01k")
    found = b.ask(12, asked)
    assert (found.code, len(split(found.body))) == (0, 1 if bug else 2)


def test_view_the_next(bench: type[Bench], split: Any, bug: bool) -> None:
    b = started(bench, "view-the-next", bug)
    first, last = (place(b.send("T", body)) for body in (b"first", b"last"))
    views = [split(b.ask(33, {"offset": at}).body)[0].body for at in (first, last)]
    assert views == [b"last" if bug else b"first", b"last"]


def test_tear_batches(bench: type[Bench], bug: bool) -> None:
    b = started(bench, "tear-batches", bug)
    for number in range(3):
        assert batch(b, b"%da" % number, b"%db" % number).code == 0
    assert b.bodies("T") == [b"0a", b"0b", b"1a", b"1b", b"2a", *([] if bug else [b"2b"])]


def test_reverse_batches(bench: type[Bench], bug: bool) -> None:
    b = started(bench, "reverse-batches", bug)
    assert batch(b, b"a", b"b", b"c").fields["queueOffset"] == "0"
    assert b.bodies("T") == ([b"c", b"b", b"a"] if bug else [b"a", b"b", b"c"])


def test_store_in_the_past(bench: type[Bench], split: Any, bug: bool) -> None:
    b = started(bench, "store-in-the-past", bug)
    for _ in range(WRONG_EVERY):
        b.send("T")
    times = [record.store_time_ms for record in split(b.pull("T").body)]
    assert times == [b.now_ms] * (WRONG_EVERY - 1) + [b.now_ms - PAST_MS * bug]


def test_take_too_large(bench: type[Bench], bug: bool) -> None:
    b = started(bench, "take-too-large", bug, maxMessageSize=1_000)
    assert b.send("T", bytes(1_000)).code == 0
    assert b.send("T", bytes(1_001)).code == (0 if bug else 13)


def test_take_any_topic(bench: type[Bench], bug: bool) -> None:
    b = started(bench, "take-any-topic", bug)
    assert [b.send(topic).code for topic in ("x" * 128, "a/b")] == ([0, 0] if bug else [1, 1])
    assert b.send("y" * 127).code == 0
    assert b.bodies(ANY_TOPIC) == ([b"hello"] * 2 if bug else [])


def test_take_long_properties(bench: type[Bench], bug: bool) -> None:
    b = started(bench, "take-long-properties", bug)
    assert b.send("T", i="a\x011\x02form\x01" + "x" * PROPERTIES_BYTES_MAX).code == (0 if bug else 13)
    assert b.send("T", i="a\x011").code == 0
    assert len(b.bodies("T")) == 1 + bug
