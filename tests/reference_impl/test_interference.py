"""Frames that fare badly: each verb, which frames, how often, and what is left when a rule is taken away."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.effects import Close, Reply
from reference_impl.frame import FLAG_ONEWAY, Command
from reference_impl.interference import Interference, Rule, rule_of

Bench = Any
SEND, PULL, OFFSET = 310, 11, 30


@pytest.fixture
def b(bench: type[Bench]) -> Bench:
    made = bench()
    made.core = Interference(made.core)
    made.send("T", b"before")
    return made


def rule(verb: Any, side: Any, *codes: int, **more: Any) -> Rule:
    return Rule(verb, side, frozenset(codes), **more)


def begin_send(b: Bench, topic: str = "T", body: bytes = b"x", conn: int = 1, **properties: str) -> int:
    text = "".join(f"{key}\x01{value}\x02" for key, value in properties.items())
    opaque: int = b.begin(SEND, {**b.send_fields(topic), "i": text}, body, conn=conn)
    return opaque


def test_the_third_send_gets_no_answer_and_is_stored(b: Bench) -> None:
    number = b.core.begin(rule("drop", "response", SEND, nth=3))
    opaques = [begin_send(b, body=b"%d" % each) for each in range(5)]
    assert [b.answer(opaque) is not None for opaque in opaques] == [True, True, False, True, True]
    assert b.bodies("T") == [b"before", b"0", b"1", b"2", b"3", b"4"]
    counts, effects = b.core.end(b.now_ms, number)
    assert (counts, effects) == ({"seen": 5, "acted": 1}, [])
    assert b.core.idle


def test_a_lost_request_leaves_nothing(b: Bench) -> None:
    b.core.begin(rule("drop", "request", SEND))
    assert b.answer(begin_send(b)) is None
    assert b.answer(begin_send(b, body=b"second")) is not None
    assert b.bodies("T") == [b"before", b"second"]


def test_every_second_until_it_is_taken_away(b: Bench) -> None:
    number = b.core.begin(rule("refuse", "request", SEND, nth=2, every=2, times=None))
    codes = [b.answer(begin_send(b)).code for _ in range(6)]
    assert codes == [0, 2, 0, 2, 0, 2]
    b.core.end(b.now_ms, number)
    assert b.answer(begin_send(b)).code == 0


def test_a_refusal_says_why_and_oneway_ones_are_silent(b: Bench) -> None:
    b.core.begin(rule("refuse", "request", SEND, times=None, code=1, remark="enough"))
    answer = b.answer(begin_send(b))
    assert (answer.code, answer.remark) == (1, "enough")
    opaque = b.begin(SEND, b.send_fields("T"), b"x", flag=FLAG_ONEWAY)
    assert b.answer(opaque) is None
    assert b.bodies("T") == [b"before"]


@pytest.mark.parametrize("flush", ["ASYNC_FLUSH", "SYNC_FLUSH"])
def test_a_doubled_send_is_stored_twice_and_answered_once(bench: type[Bench], flush: str) -> None:
    b = bench(flushDiskType=flush)
    b.core = Interference(b.core)
    b.core.begin(rule("duplicate", "request", SEND))
    opaque = begin_send(b, body=b"twice", UNIQ_KEY="u", WAIT="true")
    assert (b.answer(opaque) is None) == (flush == "SYNC_FLUSH")
    b.flush()
    assert b.answer(opaque).code == 0, "and the bench refuses a second answer"
    assert b.bodies("T") == [b"twice", b"twice"]
    assert [record.properties["UNIQ_KEY"] for record in b.records("T")] == ["u", "u"]
    assert b.answer(begin_send(b, WAIT="false")).code == 0


def test_a_late_answer_comes_when_its_time_has_come(b: Bench) -> None:
    b.core.begin(rule("delay", "response", SEND, delay_ms=700))
    opaque = begin_send(b)
    assert b.core.next_deadline_ms() <= b.now_ms + 700
    b.advance(699)
    assert b.answer(opaque) is None
    b.advance(1)
    assert b.answer(opaque).code == 0


def test_a_late_request_is_served_late(b: Bench) -> None:
    b.core.begin(rule("delay", "request", SEND, delay_ms=700))
    opaque = begin_send(b, body=b"late")
    begin_send(b, body=b"early")
    b.advance(700)
    assert b.answer(opaque).code == 0
    assert b.bodies("T") == [b"before", b"early", b"late"]


@pytest.mark.parametrize("side", ["request", "response"])
def test_what_is_held_comes_with_the_end_of_the_rule(b: Bench, side: str) -> None:
    number = b.core.begin(rule("hold", side, SEND))
    opaque = begin_send(b)
    b.advance(60_000)
    assert b.answer(opaque) is None
    assert not b.core.idle
    counts, effects = b.core.end(b.now_ms, number)
    b.carry(effects)
    assert counts == {"seen": 1, "acted": 1}
    assert b.answer(opaque).code == 0


def test_an_answer_may_come_twice(b: Bench) -> None:
    b.core.begin(rule("duplicate", "response", OFFSET))
    fields = {"topic": "T", "queueId": "0"}
    effects = b.core.request(b.now_ms, 1, ("h", 1), Command(OFFSET, opaque=77, fields=fields))
    assert [type(effect) for effect in effects] == [Reply, Reply]


@pytest.mark.parametrize("side", ["request", "response"])
def test_the_connection_ends_instead_of_an_answer(b: Bench, side: str) -> None:
    b.core.begin(rule("close", side, SEND))
    opaque = begin_send(b, conn=5)
    assert b.closed == [5]
    assert b.answer(opaque, conn=5) is None
    assert b.bodies("T") == ([b"before", b"x"] if side == "response" else [b"before"])


def test_an_answer_that_comes_later_is_known_by_its_request(b: Bench) -> None:
    """A held pull is answered out of a send of somebody else."""
    b.core.begin(rule("drop", "response", PULL))
    held = b.begin(PULL, b.pull_fields("T", offset=1, sysFlag=2, suspendTimeoutMillis=10_000), conn=2)
    assert b.answer(begin_send(b)).code == 0
    assert b.answer(held, conn=2) is None


@pytest.mark.parametrize(
    ("wanted", "properties", "acts"),
    [
        ({"topic": "T"}, {}, True),
        ({"topic": "other"}, {}, False),
        ({"group": "P"}, {}, True),
        ({"keys": "order-7"}, {"KEYS": "order-7"}, True),
        ({"keys": "order-7"}, {"KEYS": "order-8"}, False),
        ({"topic": "T", "tags": "red"}, {"TAGS": "red"}, True),
        ({"tags": "red"}, {}, False),
    ],
)
def test_a_rule_may_ask_for_topic_group_keys_and_tags(
    b: Bench, wanted: dict[str, str], properties: dict[str, str], acts: bool
) -> None:
    number = b.core.begin(rule("drop", "request", SEND, wanted=wanted))
    begin_send(b, **properties)
    assert b.core.counts(number)["acted"] == int(acts)


def test_short_names_of_sends_are_known(b: Bench) -> None:
    number = b.core.begin(rule("drop", "request", wanted={"topic": "T", "keys": "k", "group": "G"}))
    b.begin(310, {"a": "G", "b": "T", "i": "KEYS\x01k\x02"})
    assert b.core.counts(number) == {"seen": 1, "acted": 1}


def test_a_closed_connection_is_forgotten(b: Bench) -> None:
    b.core.begin(rule("drop", "response", PULL))
    b.begin(PULL, b.pull_fields("T", offset=1, sysFlag=2, suspendTimeoutMillis=10_000), conn=2)
    b.close(2)
    assert not b.core._awaited


def test_clients_answers_pass(b: Bench) -> None:
    number = b.core.begin(rule("drop", "request"))
    b.core.request(b.now_ms, 1, ("h", 1), Command(0, opaque=5, flag=1))
    assert b.core.counts(number)["seen"] == 0


def test_closing_is_an_effect_of_the_core(b: Bench) -> None:
    b.core.begin(rule("close", "request", SEND))
    effects = b.core.request(b.now_ms, 9, ("h", 1), Command(SEND, opaque=5))
    assert effects == [Close(9)]


def test_a_line_becomes_a_rule() -> None:
    line = {"verb": "drop", "side": "response", "codes": [10, 310], "nth": 3, "times": None, "topic": "T"}
    assert rule_of(line) == Rule("drop", "response", frozenset({10, 310}), {"topic": "T"}, nth=3, times=None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"verb": "loose"}, "drop, delay"),
        ({"side": "both"}, "request, response"),
        ({"verb": "refuse", "side": "response"}, "refuse the request"),
        ({"nth": 0}, "from 1"),
        ({"every": True}, "whole number"),
        ({"times": 0}, "from 1"),
        ({"codes": ["send"]}, "whole number"),
        ({"code": 4711}, "no response code"),
        ({"nthh": 1}, "nthh"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        rule_of({"verb": "drop", "side": "request", **change})


def test_an_unknown_rule_is_named(b: Bench) -> None:
    number = b.core.begin(rule("drop", "request"))
    with pytest.raises(ValueError, match=rf"no rule 99; there are \[{number}\]"):
        b.core.counts(99)
