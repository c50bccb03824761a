"""A journal in words: the terminal's lines, the page, the report's section."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqcheck.chaos.told import lines, markdown, section

LATENCY = {"p50": 1.5, "p95": 4.0, "p99": 9.25, "max": 10.0}
SHARE = {"operations": 100, "ended_well": 97, "share": 0.97}
NUMBERS: dict[str, Any] = {
    "observed_ms": 9_000,
    "stalled_ms": 120.5,
    "availability": {"send": {**SHARE, "down_ms": 1_234}},
    "latency_ms": {"send": LATENCY},
    "episodes": [
        {
            "number": 1,
            "faults": ["kill"],
            "on": ["broker-a"],
            "rto": {
                "send": {"disturbed": True, "after_begin_ms": 1_500.4, "after_heal_ms": 300.0},
                "deliver": {"disturbed": True, "after_begin_ms": None, "after_heal_ms": None},
                "commit": {"disturbed": False, "after_begin_ms": 0, "after_heal_ms": 0},
            },
            "latency_ms": {"before": {"send": LATENCY}, "during": {}, "after": {"send": LATENCY}},
            "availability": {"before": {}, "during": {"send": SHARE}, "after": {}},
        }
    ],
    "rpo": {"acknowledged": 97, "lost_messages": 3, "unread": 2, "lost_by_broker": {"broker-a": 3}, "ms": 800},
    "redelivery": {
        "groups": {
            "g": {
                "deliveries": 100,
                "redeliveries": 2,
                "redelivery_rate": 0.02,
                "duplicates": 1,
                "duplicate_rate": 0.01,
            }
        },
        "stored_more_than_once": 4,
    },
    "backlog": {"g": [[0, 0], [250, 7], [500, 14]]},
    "definitions": {"rto": "what it means"},
}
OWN: dict[str, Any] = {
    "folder": "run",
    "target": "reference",
    "target_version": "1",
    "profile": "quick",
    "seed": 7,
    "replay": "mqcheck chaos run x.yaml --seed 7",
    "failed": ["rollback 'heal': it broke"],
    "harness_error": None,
    "steady_state": {"asked": 5, "broken": [{"probe": "sends", "output": 0.2, "after_s": 1.5, "lasted_s": None}]},
    "guarantees": [{"guarantee": "dur-ack-kill", "verdict": "violated", "reason": "3 rows of evidence"}],
    "numbers": NUMBERS,
}


def test_the_terminal_is_told_everything_that_matters(journal: Callable[..., dict[str, Any]]) -> None:
    told = "\n".join(lines(journal(mqcheck=OWN, deviated=True)))
    for part in (
        "experiment deviated",
        "failed: rollback 'heal': it broke",
        "steady state: broke 1.5 s after the method's begin, not whole again (sends: 0.2)",
        "guarantee dur-ack-kill: violated: 3 rows of evidence",
        "RTO, 1: kill on broker-a: send 1500 ms, deliver not again, commit undisturbed",
        "from its heal: send 300 ms, deliver not again",
        "latency p50/p99 of send, 1: kill on broker-a: before 1.5/9.2, during –, after 1.5/9.2",
        "RPO: 3 of 97 acknowledged messages lost, up to 800 ms before the broker's fault; 2 could not be read back",
        "by broker: broker-a 3",
        "availability of send: 97.00% (97 of 100), 1234 ms interrupted",
        "group g: 2 redeliveries (2.00%), 1 duplicates (1.00%) of 100 deliveries",
        "backlog of g: at most 14 messages ▁▅█",
        "the kit itself stood still for 120.5 of 9000 ms",
    ):
        assert part in told, part


def test_the_page_has_tables_and_says_what_the_numbers_mean(journal: Callable[..., dict[str, Any]]) -> None:
    page = markdown(journal(mqcheck=OWN))
    assert page.startswith("# Tried\n")
    assert "| 1: kill on broker-a | send | 1500 ms | 300 ms | 97.00% |" in page
    assert "| 1: kill on broker-a | send | 1.5/9.2 | – | 1.5/9.2 |" in page
    assert "- **rto**: what it means" in page
    assert "Again: `mqcheck chaos run x.yaml --seed 7`" in page


def test_an_experiment_without_numbers_is_told_all_the_same(journal: Callable[..., dict[str, Any]]) -> None:
    own = {**OWN, "numbers": None, "failed": [], "guarantees": [], "harness_error": "interrupted"}
    made = journal(mqcheck={**own, "steady_state": {"asked": 4, "broken": []}}, status="interrupted")
    assert "steady state: met each of 4 times" in lines(made)
    assert "harness error: interrupted" in lines(made)
    assert "experiment interrupted" in markdown(made)
    assert section(NUMBERS).rows[0]["operation"] == "send"
