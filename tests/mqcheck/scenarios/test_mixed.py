"""The plan of `mixed`: the same for the same seed, another for another, longer under `full`, within what it names."""

from __future__ import annotations

from fnmatch import fnmatchcase

from mqcheck.faults.frame import FrameFault
from mqcheck.profile import FULL, QUICK
from mqcheck.scenarios.mixed import FAULTS, SCENARIOS, SPANS, plan_of
from mqcheck.targets.base import CAPABILITIES

(MIXED,) = SCENARIOS
LINKS_ONLY = frozenset({"latency", "partition"})
SEEDS = range(30)


def test_one_seed_is_one_plan() -> None:
    texts = [tuple(plan_of(seed, QUICK, CAPABILITIES).lines()) for seed in SEEDS]
    assert texts == [tuple(plan_of(seed, QUICK, CAPABILITIES).lines()) for seed in SEEDS]
    assert len(set(texts)) == len(SEEDS)


def test_full_is_longer_than_quick() -> None:
    assert (SPANS["full"], FAULTS["full"]) > (SPANS["quick"], FAULTS["quick"])
    for seed in SEEDS:
        quick, full = (plan_of(seed, profile, CAPABILITIES).timetable for profile in (QUICK, FULL))
        assert len(quick) == FAULTS["quick"]
        assert len(full) == FAULTS["full"]
        assert max(entry.ends_ms for entry in quick) <= SPANS["quick"] * QUICK.load_ms
        assert max(entry.ends_ms for entry in full) > max(entry.ends_ms for entry in quick)


def test_single_frames_are_only_hurt_where_they_are_seen() -> None:
    hurt = [
        str(entry.fault.link)
        for seed in SEEDS
        for entry in plan_of(seed, FULL, CAPABILITIES).timetable
        if isinstance(entry.fault, FrameFault)
    ]
    assert len(hurt) > len(SEEDS)
    for link in hurt:
        assert "->nameserver-" in link or any(fnmatchcase(link, pattern) for pattern in MIXED.frames), link


def test_a_target_that_can_do_little_gets_a_plan_of_that() -> None:
    for seed in SEEDS:
        plan = plan_of(seed, QUICK, LINKS_ONLY)
        assert plan.timetable
        assert all(entry.fault.needs in LINKS_ONLY for entry in plan.timetable)
