"""Faults by words: all of the kit's are there, and a wrong word is told with the right ones."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import mqcheck.faults
from mqcheck.chaos.vocabulary import KINDS, described, frames_of, make_faults, on_links, parameters_of
from mqcheck.errors import SettingsError
from mqcheck.faults.base import Fault
from mqcheck.faults.frame import DelayFrame
from mqcheck.faults.link import Blackhole, Latency
from mqcheck.faults.power import PowerCut
from mqcheck.faults.process import Kill
from mqcheck.rocketmq.codes import RequestCode


def test_every_fault_of_the_kit_has_a_word() -> None:
    names = [module.name for module in pkgutil.iter_modules(mqcheck.faults.__path__)]
    found = {
        each
        for name in names
        for each in vars(importlib.import_module(f"mqcheck.faults.{name}")).values()
        if inspect.isclass(each) and issubclass(each, Fault) and not inspect.isabstract(each) and hasattr(each, "kind")
    }
    assert set(KINDS.values()) == found


def test_words_become_faults() -> None:
    (kill, other) = make_faults("kill", ["broker-a", "broker-b"], {})
    assert isinstance(kill, Kill)
    assert (kill.victim, other.node) == ("broker-a", "broker-b")
    (latency,) = make_faults("latency", "producer-*->broker-a", {"ms": 300, "direction": "down"})
    assert isinstance(latency, Latency)
    assert (latency.pattern, latency.ms, latency.way) == ("producer-*->broker-a", 300, "down")
    (text,) = make_faults("latency", "producer-*->broker-a", {"ms": "20"})
    assert text.parameters()["ms"] == 20
    (cut,) = make_faults("power-cut", "broker-a", {"torn": False})
    assert isinstance(cut, PowerCut)
    assert not cut.torn
    (late,) = make_faults("frame-delay", "p->b", {"codes": ["SEND_MESSAGE", 310], "delay_ms": 9, "side": "request"})
    assert isinstance(late, DelayFrame)
    assert (late.codes, late.delay_ms, late.side) == ((RequestCode.SEND_MESSAGE, 310), 9, "request")
    assert frames_of([kill, latency, late, late]) == ("p->b",)
    assert isinstance(make_faults("blackhole", "a->b", {})[0], Blackhole)


@pytest.mark.parametrize(
    ("kind", "where", "parameters", "told"),
    [
        ("kil", "broker-a", {}, "no fault is called 'kil', perhaps 'kill' is meant; there are bad-tail, bandwidth"),
        ("latency", "broker-a", {}, "fault 'latency' cannot be on 'broker-a': it hits links: PEER->SERVER"),
        ("kill", "a->b", {}, "fault 'kill' cannot be on 'a->b': it hits one node"),
        ("kill", [], {}, "fault 'kill' is on []: name a node"),
        ("kill", "broker-a", {"ms": 3}, "fault 'kill' has no parameter 'ms'; it takes no parameter"),
        ("latency", "a->b", {"delay": 3}, "has no parameter 'delay'; it takes direction='both', ms=100, jitter_ms=0"),
        ("slow-fsync", "broker-a", {}, "fault 'slow-fsync' lacks 'delay_ms'; it takes delay_ms"),
        ("latency", "a->b", {"ms": "3OO"}, "ms is '3OO'; it must be a whole number"),
        ("latency", "a->b", {"ms": -1}, "ms is -1; it must be 0 or more"),
        ("latency", "a->b", {"direction": "left"}, "direction is 'left'; it must be one of up, down, both"),
        ("power-cut", "broker-a", {"torn": 1}, "torn is 1; it must be true or false"),
        ("frame-drop", "a->b", {"codes": ["SEND"]}, "no request is called 'SEND'; write a code's number or one of"),
        ("bad-tail", "broker-a", {"how": "bent"}, "how is 'bent'; it must be one of flip, torn, cut"),
    ],
)
def test_a_wrong_word_is_told_with_the_right_ones(kind: str, where: object, parameters: object, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_faults(kind, where, parameters)  # type: ignore[arg-type]
    assert told in str(caught.value)


def test_the_list_says_what_each_does() -> None:
    lines = {kind: (numbers, what) for kind, numbers, what in described()}
    assert lines["latency"][0] == "direction='both', ms=100, jitter_ms=0"
    assert lines["kill"] == ("", Kill.__doc__.split("\n")[0])  # type: ignore[union-attr]
    assert all(what for _, what in lines.values())
    assert {kind for kind in KINDS if on_links(kind)} >= {"latency", "frame-drop", "down"}
    assert [parameter.name for parameter in parameters_of("clock") if parameter.required] == ["ms"]
