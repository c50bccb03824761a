"""Single frames: which ones a rule takes, what becomes of them, what is counted, what healing gives back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mqcheck.errors import LinkError
from mqcheck.links import frame_rules
from mqcheck.links.frame_rules import FrameCounts, FrameLine, FrameRule, FrameRules
from mqcheck.rocketmq.frame import Command

LINK = "producer-1->broker-a"
SEND, PULL = 310, 11


class Timers:
    """An event loop's `call_later`."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], Any]]] = []

    def call_later(self, seconds: float, call: Callable[[], Any]) -> Timer:
        self.due.append((seconds, call))
        return Timer(self, (seconds, call))


class Timer:
    """What an event loop gives for a call to come."""

    def __init__(self, timers: Timers, call: tuple[float, Callable[[], Any]]) -> None:
        self.timers, self.call = timers, call

    def cancel(self) -> None:
        self.timers.due.remove(self.call)


class Between:
    """One connection, what has come out of it each way."""

    def __init__(self, rules: FrameRules, timers: Timers | None = None) -> None:
        self.line: FrameLine = rules.line(LINK, (timers or Timers()).call_later)
        self.up: list[bytes] = []
        self.down: list[bytes] = []

    def ask(self, opaque: int, code: int = SEND, flag: int = 0) -> None:
        self.line.passing("up", Command(code, opaque, flag), b"q%d" % opaque, self.up.append)

    def answer(self, opaque: int) -> None:
        self.line.passing("down", Command(0, opaque, 1), b"a%d" % opaque, self.down.append)


def rule(verb: Any, side: Any = "response", **options: Any) -> FrameRule:
    return FrameRule(verb, side, frozenset({SEND}), **options)


def test_the_third_answer_of_a_code_is_lost_and_nothing_else() -> None:
    rules = FrameRules()
    third = rule("drop", every=3, times=1)
    rules.begin("producer-*->*", third)
    between = Between(rules)
    for opaque in range(1, 9):
        between.ask(opaque)
        between.answer(opaque)
    between.ask(50, PULL)
    between.answer(50)
    assert between.up == [b"q%d" % opaque for opaque in (*range(1, 9), 50)]
    assert between.down == [b"a%d" % opaque for opaque in (1, 2, 4, 5, 6, 7, 8, 50)]
    assert rules.heal("producer-*->*", third) == FrameCounts(seen=8, acted=1)


def test_a_count_goes_over_all_connections_and_stops_with_the_rule() -> None:
    rules = FrameRules()
    rules.begin("*", rule("drop", "request", every=2))
    first, second = Between(rules), Between(rules)
    for opaque in (1, 2):
        first.ask(opaque)
        second.ask(opaque)
    assert (first.up, second.up) == ([b"q1", b"q2"], [])
    assert rules.heal("*", rule("drop", "request", every=2)).acted == 2
    second.ask(3)
    second.ask(4)
    assert second.up == [b"q3", b"q4"]


def test_the_servers_own_requests_and_their_answers_are_known_too() -> None:
    rules = FrameRules()
    rules.begin(LINK, rule("drop"))
    between = Between(rules)
    between.line.passing("down", Command(SEND, 7, 0), b"asked back", between.down.append)
    between.line.passing("up", Command(0, 7, 1), b"lost", between.up.append)
    between.line.passing("up", Command(0, 7, 1), b"of nothing", between.up.append)
    assert (between.down, between.up) == ([b"asked back"], [b"of nothing"])


def test_a_oneway_request_is_answered_by_nobody() -> None:
    rules = FrameRules()
    rules.begin(LINK, rule("drop"))
    between = Between(rules)
    between.ask(1, flag=2)
    between.answer(1)
    assert between.down == [b"a1"]


def test_twice_is_twice() -> None:
    rules = FrameRules()
    rules.begin(LINK, rule("duplicate", "request"))
    between = Between(rules)
    between.ask(1)
    assert between.up == [b"q1", b"q1"]


def test_a_late_frame_is_overtaken_and_comes_only_while_its_connection_lives() -> None:
    rules, timers = FrameRules(), Timers()
    rules.begin(LINK, rule("delay", every=2, delay_ms=250))
    between, gone = Between(rules, timers), Between(rules, timers)
    for each in (between, gone):
        each.ask(1)
        each.ask(2)
    between.answer(1)
    between.answer(2)
    gone.answer(1)
    gone.answer(2)
    between.ask(3)
    between.answer(3)
    gone.line.close()
    assert between.down == [b"a1", b"a3"]
    assert [seconds for seconds, _ in timers.due] == [0.25, 0.25]
    for _, call in list(timers.due):
        call()
    assert between.down == [b"a1", b"a3", b"a2"]
    assert gone.down == [b"a1"]


@pytest.mark.parametrize("everything", [False, True])
def test_what_is_late_comes_with_the_heal_and_not_again(everything: bool) -> None:
    rules, timers = FrameRules(), Timers()
    late = rule("delay", delay_ms=5_000)
    rules.begin(LINK, late)
    between = Between(rules, timers)
    for opaque in (1, 2):
        between.ask(opaque)
        between.answer(opaque)
    assert between.down == []
    if everything:
        rules.heal_all()
    else:
        assert rules.heal(LINK, late) == FrameCounts(seen=2, acted=2, released=2)
    assert between.down == [b"a1", b"a2"]
    assert timers.due == []


@pytest.mark.parametrize("everything", [False, True])
def test_what_is_held_comes_with_the_heal_where_somebody_is_there(everything: bool) -> None:
    rules = FrameRules()
    rules.begin("*", rule("hold"))
    between, gone = Between(rules), Between(rules)
    for each in (between, gone):
        each.ask(1)
        each.answer(1)
    gone.line.close()
    assert between.down == []
    if everything:
        rules.heal_all()
        assert rules.heal("*", rule("hold")) == FrameCounts()
    else:
        assert rules.heal("*", rule("hold")) == FrameCounts(seen=2, acted=2, released=1)
    assert (between.down, gone.down) == ([b"a1"], [])


def test_no_more_is_held_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_rules, "HELD_BYTES_MAX", 3)
    monkeypatch.setattr(frame_rules, "ASKED_MAX", 2)
    rules = FrameRules()
    rules.begin("*", rule("hold"))
    between = Between(rules)
    for opaque in (1, 2, 3):
        between.ask(opaque)
    between.answer(1)  # forgotten: two others were asked since
    between.answer(2)
    between.answer(3)
    assert between.down == [b"a1", b"a3"]


def test_the_first_rule_that_acts_wins_and_the_same_one_comes_once() -> None:
    rules = FrameRules()
    rules.begin("*", rule("drop", times=1))
    rules.begin(LINK, rule("duplicate"))
    with pytest.raises(LinkError, match="in force already: heal it first"):
        rules.begin("*", rule("drop", times=1))
    between = Between(rules)
    for opaque in (1, 2):
        between.ask(opaque)
        between.answer(opaque)
    assert between.down == [b"a2", b"a2"]


def test_only_links_that_were_asked_for_are_seen() -> None:
    rules = FrameRules()
    assert not rules.sees(LINK)
    rules.see(("producer-*->broker-*", "search-1->broker-b"))
    assert rules.sees(LINK)
    assert not rules.sees("search-1->broker-a")
