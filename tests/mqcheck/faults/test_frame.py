"""Faults of single frames: which rule, which effect, what confirms them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from mqcheck.clock import RealClock
from mqcheck.faults.base import Ground
from mqcheck.faults.frame import DelayFrame, DropFrame, DuplicateFrame, FrameFault, HoldFrame
from mqcheck.links.frame_rules import FrameCounts, FrameRule
from mqcheck.specs import FAULT_KINDS

LINK = "producer-1->broker-a"
EFFECTS = {
    DropFrame: {"frames_dropped": 2},
    DelayFrame: {"frames_delayed": 2},
    HoldFrame: {"frames_held": 2, "frames_released": 1},
    DuplicateFrame: {"frames_duplicated": 2},
}


class Network:
    """Remembers rules; counts what it is told to."""

    def __init__(self, counts: FrameCounts) -> None:
        self.rules: list[tuple[str, FrameRule]] = []
        self.counts = counts

    async def frames(self, pattern: str, rule: FrameRule) -> None:
        self.rules.append((pattern, rule))

    async def heal_frames(self, pattern: str, rule: FrameRule) -> FrameCounts:
        self.rules.remove((pattern, rule))
        return self.counts


def through(fault: FrameFault, counts: FrameCounts) -> tuple[FrameRule, Mapping[str, Any]]:
    network: Any = Network(counts)
    ground = Ground(network, SimpleNamespace(), SimpleNamespace(), RealClock(), random.Random(0))  # type: ignore[arg-type]

    async def go() -> tuple[FrameRule, Mapping[str, Any]]:
        await fault.inject(ground)
        ((pattern, rule),) = network.rules
        assert pattern == fault.link == LINK
        return rule, await fault.heal(ground)

    return asyncio.run(go())


@pytest.mark.parametrize("kind", EFFECTS, ids=lambda kind: kind.kind)
def test_a_frame_that_was_dealt_with_confirms_it_and_one_that_was_seen_does_not(kind: type[FrameFault]) -> None:
    fault = kind(LINK, (10, 310))
    rule, effect = through(fault, FrameCounts(seen=7, acted=2, released=1))
    assert effect == {**EFFECTS[kind], "frames_seen": 7}
    assert fault.confirmed(effect)
    assert (rule.verb, rule.side, rule.codes) == (fault.verb, "response", frozenset({10, 310}))
    _, nothing = through(fault, FrameCounts(seen=7))
    assert not fault.confirmed(nothing)
    assert fault.kind in FAULT_KINDS
    assert (fault.node, fault.direction, str(fault)) == (None, None, f"{fault.kind} on {LINK}")


def test_which_frames_reaches_the_network_and_the_history() -> None:
    fault = DelayFrame(LINK, (11,), "request", every=3, times=1, delay_ms=250)
    rule, _ = through(fault, FrameCounts())
    assert rule == FrameRule("delay", "request", frozenset({11}), 3, 1, 250)
    assert fault.parameters() == {"codes": [11], "side": "request", "every": 3, "times": 1, "delay_ms": 250}
    assert DropFrame(LINK, (11,)).parameters() == {"codes": [11], "side": "response", "every": 1, "times": None}
