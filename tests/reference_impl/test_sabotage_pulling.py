"""Planted bugs of pulls by hand: each breaks its promise, and only with it."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.sabotage import SABOTAGES
from reference_impl.sabotage.pulling import MORE, TOO_FAR

Bench = Any
pytestmark = pytest.mark.parametrize("bug", [False, True])


def filled(bench: type[Bench], name: str, on: bool) -> Any:
    """A broker with ten messages."""
    b = bench(planted=[SABOTAGES[name]] if on else [])
    for number in range(10):
        b.send("T", b"%d" % number)
    return b


def test_give_more_than_asked(bench: type[Bench], split: Any, bug: bool) -> None:
    b = filled(bench, "give-more-than-asked", bug)
    assert len(split(b.pull("T", maxMsgNums=2).body)) == (2 + MORE if bug else 2)
    assert b.pull("T", maxMsgNums=-1).code == 1, "what is no number of messages stays as it is"


def test_answer_backwards(bench: type[Bench], split: Any, bug: bool) -> None:
    b = filled(bench, "answer-backwards", bug)
    answers = [[record.queue_offset for record in split(b.pull("T").body)] for _ in range(3)]
    assert answers[:2] == [list(range(10))] * 2
    assert (answers[2] == list(range(9, -1, -1))) is bug
    assert sorted(answers[2]) == list(range(10))


def test_next_one_short(bench: type[Bench], bug: bool) -> None:
    b = filled(bench, "next-one-short", bug)
    assert [b.pull("T").fields["nextBeginOffset"] for _ in range(3)] == ["10", "10", "9" if bug else "10"]
    assert b.pull("T", offset=9).fields["nextBeginOffset"] == "10"


def test_bounds_behind(bench: type[Bench], bug: bool) -> None:
    b = filled(bench, "bounds-behind", bug)
    assert b.pull("T").fields["maxOffset"] == ("9" if bug else "10")
    assert b.pull("T", offset=10).fields["maxOffset"] == "10"


def test_moved_too_far(bench: type[Bench], bug: bool) -> None:
    b = filled(bench, "moved-too-far", bug)
    assert b.pull("T", offset=11).fields["nextBeginOffset"] == (str(10 + TOO_FAR) if bug else "10")
    assert b.pull("T").fields["nextBeginOffset"] == "10"


def test_hide_the_earlier(bench: type[Bench], split: Any, bug: bool) -> None:
    b = filled(bench, "hide-the-earlier", bug)
    assert len(split(b.pull("T", offset=5).body)) == 5, "in order of time"
    b.now_ms -= 3_600_000
    b.send("T")
    b.send("T")
    assert b.pull("T", offset=10).code == (20 if bug else 0)
    assert len(split(b.pull("T", offset=9).body)) == (1 if bug else 3)
    b.now_ms += 7_200_000
    b.send("T")
    assert len(split(b.pull("T").body)) == (11 if bug else 13), "what came before the first stays"


def test_serve_the_barred(bench: type[Bench], bug: bool) -> None:
    b = filled(bench, "serve-the-barred", bug)
    b.ask(200, body=b'{"groupName":"barred","consumeEnable":false}')
    assert b.pull("T", group="barred").code == (19 if bug else 16)
    assert b.pull("nowhere").code == 17


def test_unknown_topic_is_empty(bench: type[Bench], bug: bool) -> None:
    b = filled(bench, "unknown-topic-is-empty", bug)
    assert b.pull("nowhere").code == (19 if bug else 17)
    assert b.ask(36, {"offset": 1, "group": "G", "delayLevel": 0}).code != 19


def test_ignore_versions(bench: type[Bench], bug: bool) -> None:
    b = filled(bench, "ignore-versions", bug)
    b.heartbeat(1, "G")
    assert b.pull("T", sysFlag=0, subVersion=2**61).code == (0 if bug else 25)


def test_serve_strangers(bench: type[Bench], bug: bool) -> None:
    b = filled(bench, "serve-strangers", bug)
    assert b.pull("T", group="stranger", sysFlag=0).code == (0 if bug else 24)
    b.heartbeat(1, "G", ("other",))
    assert b.pull("T", sysFlag=0).code == 24, "a group with members is none of its strangers"


def test_serve_any_queue(bench: type[Bench], bug: bool) -> None:
    b = filled(bench, "serve-any-queue", bug)
    assert [b.pull("T", queue=queue).code for queue in (-1, 99)] == ([0, 0] if bug else [1, 1])
    assert b.pull("nowhere", queue=9).code == 17


def test_max_goes_back(bench: type[Bench], bug: bool) -> None:
    b = filled(bench, "max-goes-back", bug)
    ends = [b.ask(30, {"topic": "T", "queueId": 0}).fields["offset"] for _ in range(6)]
    assert ends == ["10"] * 4 + ["9" if bug else "10", "10"]
    assert [b.ask(30, {"topic": "T", "queueId": 1}).fields["offset"] for _ in range(6)] == ["0"] * 6


def test_min_goes_back(bench: type[Bench], bug: bool) -> None:
    b = filled(bench, "min-goes-back", bug)
    question = (31, {"topic": "T", "queueId": 0})
    assert [b.ask(*question).fields["offset"] for _ in range(6)] == ["0"] * 6, "one that has not moved stays right"
    b.core.state.store.min_offset = lambda topic, queue: 7
    begins = [b.ask(*question).fields["offset"] for _ in range(10)]
    assert begins == (["7"] * 4 + ["6" if bug else "7"]) * 2
