"""The sum of many runs: what counts of a report, and what was not the same in every run."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def soak(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2] / "benchmarks"), *sys.path])
    import soak

    return soak


def report(*rows: tuple[str, str, bool, str], known: bool = False) -> dict[str, Any]:
    return {
        "run": {"peak_rss_bytes": 2**20},
        "verdicts": [
            {
                "scenario": scenario,
                "guarantee": guarantee,
                "aimed": aimed,
                "verdict": verdict,
                "reason": "stall of 2 s",
                **({"known": {"what": "w"}} if known else {}),
            }
            for scenario, guarantee, aimed, verdict in rows
        ],
    }


def test_a_violation_counts_aimed_at_or_not(soak: ModuleType) -> None:
    run = soak.run_of(
        report(("s", "g", True, "held"), ("s", "h", False, "violated"), ("s", "i", False, "held")), 1, 2.0
    )
    assert run.verdicts == {"s/g": "held", "s/h": "violated"}
    assert run.violated() == ["s/h"]


def test_a_known_violation_counts_apart(soak: ModuleType) -> None:
    run = soak.run_of(report(("s", "g", True, "violated"), known=True), 0, 2.0)
    assert run.verdicts == {"s/g": "known"}
    assert run.violated() == []


def test_what_is_undecided_has_its_reason(soak: ModuleType) -> None:
    run = soak.run_of(report(("s", "g", True, "inconclusive"), ("s", "h", False, "inconclusive")), 6, 2.0)
    assert run.undecided == ["s/g: stall of 2 s"]


def test_verdicts_that_differ_are_told(soak: ModuleType) -> None:
    held = soak.run_of(report(("s", "g", True, "held"), ("s", "h", True, "held")), 0, 2.0)
    other = soak.run_of(report(("s", "g", True, "inconclusive"), ("s", "h", True, "held")), 6, 2.0)
    assert soak.differing([held, other]) == {"s/g": "held 1, inconclusive 1"}
    assert soak.differing([held, held]) == {}
    shorter = soak.run_of(report(("s", "g", True, "held")), 0, 2.0)
    assert soak.differing([held, shorter]) == {"s/h": "held 1, not there 1"}
