"""Planted bugs of filters: each breaks its promise, and only with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_impl.message import java_hash
from reference_impl.sabotage import SABOTAGES

Bench = Any
pytestmark = pytest.mark.parametrize("bug", [False, True])


def started(bench: type[Bench], name: str, on: bool) -> Any:
    return bench(planted=[SABOTAGES[name]] if on else [], enablePropertyFilter=True)


def subscribed(b: Any, expression: str, kind: str, *tags: str) -> None:
    """A heartbeat of group G about topic T."""
    data = {"topic": "T", "subString": expression, "expressionType": kind, "tagsSet": list(tags), "subVersion": 1}
    data["codeSet"] = [java_hash(tag) for tag in tags]
    group = {"groupName": "G", "messageModel": "CLUSTERING", "subscriptionDataSet": [data]}
    body = json.dumps({"clientID": "c", "consumerDataSet": [group], "producerDataSet": []}).encode()
    assert b.ask(34, body=body).code == 0


def got(b: Any, split: Any) -> list[bytes]:
    return [record.body for record in split(b.pull("T", sysFlag=0).body)]


def test_drop_a_tag(bench: type[Bench], split: Any, bug: bool) -> None:
    b = started(bench, "drop-a-tag", bug)
    for tag in ("red", "blue", "grey"):
        b.send("T", tag.encode(), i=f"TAGS\x01{tag}")
    subscribed(b, "red || blue", "TAG", "red", "blue")
    assert got(b, split) == ([b"red"] if bug else [b"red", b"blue"])


def test_null_is_true(bench: type[Bench], split: Any, bug: bool) -> None:
    b = started(bench, "null-is-true", bug)
    b.send("T", b"dear", i="price\x0160\x02TAGS\x01a")
    b.send("T", b"no price")
    subscribed(b, "price > 50", "SQL92")
    assert got(b, split) == ([b"dear", b"no price"] if bug else [b"dear"])


def test_forget_filters(bench: type[Bench], split: Any, bug: bool) -> None:
    b = started(bench, "forget-filters", bug)
    for price in (60, 40):
        b.send("T", b"%d" % price, i=f"price\x01{price}")
    subscribed(b, "price > 50", "SQL92")
    assert got(b, split) == [b"60"]
    b.flush()
    b.restart()
    subscribed(b, "price > 50", "SQL92")
    assert got(b, split) == ([b"60", b"40"] if bug else [b"60"])


def test_take_any_expression(bench: type[Bench], bug: bool) -> None:
    b = started(bench, "take-any-expression", bug)
    data = {"topic": "T", "subString": "price >", "expressionType": "SQL92", "subVersion": 1}
    body = json.dumps({"clientId": "c", "group": "G", "subscriptionData": data}).encode()
    assert b.ask(46, body=body).code == (0 if bug else 23)


def test_stand_still(bench: type[Bench], bug: bool) -> None:
    b = started(bench, "stand-still", bug)
    b.send("T", i="TAGS\x01red")
    answers = [b.pull("T", subscription="blue") for _ in range(2)]
    assert [answer.code for answer in answers] == [20, 20]
    assert [answer.fields["nextBeginOffset"] for answer in answers] == ["1", "0" if bug else "1"]
