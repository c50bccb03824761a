"""Topics, loads and consumers as a file asks for them, and those that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mqcheck.chaos import actions
from mqcheck.chaos.work import ConsumersWish, LoadWish, TopicWish, consumers_of, load_of, topic_of
from mqcheck.errors import SettingsError


def test_variables_come_as_text() -> None:
    assert load_of({"rate_per_s": "120", "producers": "3", "process": "True"}) == LoadWish(
        producers=3, rate_per_s=120.0, process=True
    )
    assert consumers_of({"members": "3", "work_ms": "0", "orderly": "false"}) == ConsumersWish(members=3)
    assert topic_of({"name": "t", "queues": "8", "brokers": ["a"]}) == TopicWish("t", 8, ["a"])
    assert load_of({"name": "x"}).clients() == ["x-1", "x-2"]


@pytest.mark.parametrize(
    ("make", "given", "told"),
    [
        (load_of, "orders", "load has the entry 'orders'; each must be a table of topic, name, producers, rate_per_s"),
        (load_of, {"topik": "t"}, "load has no 'topik'; it takes topic, name"),
        (load_of, {"producers": 0}, "load: producers is 0; it must be a whole number, 1 or more"),
        (load_of, {"rate_per_s": "0"}, "load: rate_per_s is '0'; it must be more than 0"),
        (load_of, {"rate_per_s": "fast"}, "load: rate_per_s is 'fast'; it must be a number"),
        (load_of, {"rate_per_s": float("nan")}, "load: rate_per_s is nan; it must be a number"),
        (load_of, {"process": "yes"}, "load: process is 'yes'; it must be true or false"),
        (load_of, {"process": True, "workers": 4}, "a producer with `process: true` has one worker"),
        (load_of, {"topic": ""}, "load: topic is ''; it must be a name"),
        (consumers_of, {"members": 1.5}, "consumers: members is 1.5; it must be a whole number"),
        (consumers_of, {"work_ms": -1}, "consumers: work_ms is -1; it must be a whole number, 0 or more"),
        (topic_of, {"brokers": "broker-a"}, "topics: brokers is 'broker-a'; it must be a list of names"),
        (topic_of, {"queues": True}, "topics: queues is True; it must be a whole number"),
    ],
)
def test_a_wrong_word_is_told_with_the_rule(make: Callable[[Any], Any], given: Any, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make(given)
    assert told in str(caught.value)


def test_an_action_refuses_what_the_control_refuses() -> None:
    with pytest.raises(SettingsError, match="load: rate_per_s is 0; it must be more than 0"):
        actions.start_load(rate_per_s=0)
    with pytest.raises(SettingsError, match="consumers: members is 0"):
        actions.start_consumers(members=0)
