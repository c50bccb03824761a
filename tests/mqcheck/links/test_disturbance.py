"""Verbs as toxics: direction, names, numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mqcheck.errors import LinkError
from mqcheck.links import disturbance
from mqcheck.links.base import Direction
from mqcheck.links.disturbance import Disturbance

MAKERS: dict[str, tuple[Callable[[Direction], Disturbance], str, dict[str, int]]] = {
    "latency": (lambda way: disturbance.latency(5, 2, way), "latency", {"latency": 5, "jitter": 2}),
    "bandwidth": (lambda way: disturbance.bandwidth(9, way), "bandwidth", {"rate": 9}),
    "blackhole": (disturbance.blackhole, "bandwidth", {"rate": 0}),
    "drop": (lambda way: disturbance.drop(3, way), "timeout", {"timeout": 3}),
    "reset": (lambda way: disturbance.reset(4, way), "reset_peer", {"timeout": 4}),
    "slow_close": (lambda way: disturbance.slow_close(6, way), "slow_close", {"delay": 6}),
    "slice": (
        lambda way: disturbance.slice_(8, 2, 1, way),
        "slicer",
        {"average_size": 8, "size_variation": 2, "delay": 1},
    ),
    "limit_data": (lambda way: disturbance.limit_data(7, way), "limit_data", {"bytes": 7}),
}


@pytest.mark.parametrize("verb", MAKERS)
@pytest.mark.parametrize(
    ("way", "streams"), [("up", ["upstream"]), ("down", ["downstream"]), ("both", ["upstream", "downstream"])]
)
def test_a_verb_is_its_toxic_in_the_directions_asked_for(verb: str, way: Direction, streams: list[str]) -> None:
    make, kind, attributes = MAKERS[verb]
    made = make(way)
    assert (made.verb, made.down) == (verb, False)
    assert [(toxic.type, toxic.stream, toxic.attributes, toxic.toxicity) for toxic in made.toxics] == [
        (kind, stream, attributes, 1.0) for stream in streams
    ]
    assert [toxic.name for toxic in made.toxics] == [f"{verb}_{stream}" for stream in streams]


def test_down_is_no_toxic() -> None:
    assert disturbance.down() == Disturbance("down", (), True)


def test_names_of_different_verbs_never_meet() -> None:
    names = [toxic.name for make, _, _ in MAKERS.values() for toxic in make("both").toxics]
    assert len(names) == len(set(names)) == 16


def test_numbers_the_server_cannot_take_are_refused_at_once() -> None:
    with pytest.raises(LinkError, match="variation < average"):
        disturbance.slice_(4, 4, 0, "both")
    with pytest.raises(LinkError, match="rate=-1"):
        disturbance.bandwidth(-1, "up")
