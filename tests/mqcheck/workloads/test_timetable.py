"""Timetables of faults: the same for the same seed, nothing that a target cannot take, nothing that undoes another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import combinations
from typing import Any, cast

import pytest

from mqcheck.faults.link import Blackhole, Latency
from mqcheck.faults.process import Kill
from mqcheck.scenarios.base import World
from mqcheck.targets.base import CAPABILITIES
from mqcheck.workloads import timetable
from mqcheck.workloads.timetable import Entry, Field, act_out, drawn

LINKS_ONLY = frozenset({"latency", "partition"})
SEEDS = range(40)


def field(capabilities: frozenset[str]) -> Field:
    return Field(
        capabilities,
        ("producer-1", "producer-2"),
        ("billing-1",),
        ("billing-apart",),
        ("broker-a", "broker-b"),
        ("nameserver-1", "nameserver-2"),
    )


def of(seed: int, capabilities: frozenset[str] = CAPABILITIES, count: int = 12) -> tuple[Entry, ...]:
    return drawn(random.Random(seed), field(capabilities), 4_000, count)


def test_one_seed_is_one_timetable() -> None:
    texts = {seed: [str(entry) for entry in of(seed)] for seed in SEEDS}
    assert texts == {seed: [str(entry) for entry in of(seed)] for seed in SEEDS}
    assert len({tuple(text) for text in texts.values()}) == len(SEEDS)


def test_every_kind_is_drawn_some_time_and_only_what_the_target_can_take() -> None:
    kinds = {entry.fault.kind for seed in SEEDS for entry in of(seed)}
    assert {"kill", "stop", "pause", "blackhole", "down", "frame-drop", "frame-hold", "frame-duplicate"} <= kinds
    for seed in SEEDS:
        for entry in of(seed, LINKS_ONLY):
            assert entry.fault.needs in LINKS_ONLY
            assert entry.fault.node is None
            assert not str(entry.fault.link).startswith("broker-"), "the links of brokers are somebody else's"


def test_faults_overlap_and_none_undoes_another() -> None:
    overlaps = 0
    for seed in SEEDS:
        for one, other in combinations(of(seed), 2):
            assert 0 <= one.at_ms < one.ends_ms <= 4_000
            if one.at_ms >= other.ends_ms or other.at_ms >= one.ends_ms:
                continue
            overlaps += 1
            assert (one.fault.kind, one.fault.link, one.fault.node) != (
                other.fault.kind,
                other.fault.link,
                other.fault.node,
            )
            nodes = {one.fault.node, other.fault.node}
            assert not nodes <= {"broker-a", "broker-b"}
            assert not nodes <= {"nameserver-1", "nameserver-2"}
    assert overlaps > len(SEEDS) * 5


def test_where_nothing_more_fits_fewer_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timetable, "_MAKERS", (lambda rng, field: Latency("a->b"),))
    assert 3 <= len(of(1)) <= 10


def test_an_entry_says_when_what_and_how_much() -> None:
    assert str(Entry(100, 50, Latency("a->b", "up", ms=7))) == (
        "   100 to    150 ms: latency on a->b up ms=7 jitter_ms=0"
    )
    assert str(Entry(0, 9, Kill("broker-a"))) == "     0 to      9 ms: kill on broker-a"


class Acting:
    """A world that notes what is done to it, and at what time it was to be done."""

    def __init__(self, fails: bool = False) -> None:
        self.log: list[str] = []
        self.faults, self.fails = self, fails

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[None]:
        self.log.append(name)
        yield
        self.log.append(f"{name} ended")

    async def sleep_ms(self, ms: float) -> None:
        if self.fails and len(self.log) > 2:
            raise RuntimeError("a producer failed")

    async def inject(self, fault: Any) -> None:
        self.log.append(f"inject {fault}")

    async def heal(self, fault: Any) -> None:
        self.log.append(f"heal {fault}")

    async def heal_all(self) -> None:
        self.log.append("heal all")


def test_faults_begin_and_end_in_their_order() -> None:
    world = Acting()
    entries = (Entry(0, 20, Latency("a->b")), Entry(10, 30, Blackhole("a->b")), Entry(20, 5, Kill("broker-a")))
    asyncio.run(act_out(cast("World", world), entries))
    assert world.log == [
        "fault",
        "inject latency on a->b",
        "inject blackhole on a->b",
        "heal latency on a->b",
        "inject kill on broker-a",
        "heal kill on broker-a",
        "heal blackhole on a->b",
        "heal all",
        "fault ended",
    ]


def test_what_fails_on_the_way_leaves_everything_healed() -> None:
    world = Acting(fails=True)
    with pytest.raises(RuntimeError, match="a producer failed"):
        asyncio.run(act_out(cast("World", world), (Entry(0, 9, Latency("a->b")), Entry(1, 9, Kill("broker-a")))))
    assert world.log[-1] == "heal all"
