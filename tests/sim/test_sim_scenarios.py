"""The suite's own scenarios, unmodified, in virtual time: what holds over sockets holds, what is broken is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import legal_oddities
import pytest
from planted_bugs import CAUGHT, SIMULATED

from mqcheck.profile import FULL, QUICK

EXPIRY_MS = 120_000
SCAN_MS = 10_000
SHORT = replace(QUICK, load_ms=QUICK.load_ms // 2)
"""One wrong message is enough."""


@pytest.mark.parametrize(
    "name",
    [
        "steady",
        "consumer-kill",
        "oneway-from-broker",
        "lost-answers",
        "mixed",
        "nameserver-cut",
        "power-cut",
        "broker-kill",
        "consumer-fails",
        "consumer-silent",
        "delay",
        "delay-restart",
        "transactions",
        "transactions-restart",
        "disk-damage",
        "disk-error",
        "disk-full",
        "disk-nearly-full",
        "locks",
        "orderly-fails",
        "backlog",
        "orderly-rebalance",
        "protocol",
        "wire",
        "reading",
        "filters",
        "administration",
        "nameserver-requests",
    ],
)
def test_every_pair_aimed_at_is_held(name: str, play: Any) -> None:
    assert play(name).all_held()


@pytest.mark.parametrize("bug", SIMULATED)
def test_a_planted_bug_is_caught(bug: str, play: Any) -> None:
    guarantee, scenario = CAUGHT[bug]
    judged = play(scenario, SHORT, sabotage=bug)
    assert judged.plan["harness_error"] is None
    verdict = judged.verdict(guarantee)
    assert verdict.verdict == "violated", verdict.reason
    assert verdict.evidence


@pytest.mark.parametrize("odd", legal_oddities.SIMULATED)
def test_an_oddity_is_seen_and_no_violation(odd: str, play: Any) -> None:
    from mqcheck.history.loader import load

    scenario, guarantee = legal_oddities.SHOWN[odd]
    judged = play(scenario, odd=odd)
    assert load(judged.folder).execute(legal_oddities.SEEN[odd]).fetchone() == (True,)
    assert judged.all_held()
    assert judged.verdicts[guarantee].verdict == "held", judged.verdicts[guarantee].reason


def test_real_numbers_a_silent_broker_is_forgotten_after_two_minutes(play: Any) -> None:
    judged = play("broker-paused", FULL)
    assert judged.all_held()
    assert judged.simulated.virtual_seconds > (EXPIRY_MS + SCAN_MS) / 1000
    (pause,) = judged.rows("faults")
    paused, resumed = (pause[stamp] / 1e6 for stamp in ("active", "healing"))
    listed = [
        row
        for row in judged.rows("routes")
        if row.get("broker") == "broker-b" and row.get("listed") and paused < row["t"] / 1e6 < resumed
    ]
    last_ms = max(row["t"] / 1e6 for row in listed) - paused
    register_ms = FULL.broker.get("reference.registerPeriodMs", 30_000)
    assert EXPIRY_MS - register_ms <= last_ms <= EXPIRY_MS + SCAN_MS + 1_000
    assert resumed - paused > last_ms + 10_000  # it stayed away until it went on


def test_one_seed_is_one_run(play: Any) -> None:
    first, again, other = (play("rebalance", seed=seed, hashed=True) for seed in (7, 7, 8))
    streams = [
        {path.name: path.read_bytes() for path in (judged.folder / "events").iterdir()}
        for judged in (first, again, other)
    ]
    assert first.simulated == again.simulated
    assert streams[0] == streams[1]
    assert len(streams[0]["kit.0.jsonl"]) > 100_000
    assert first.simulated.trace_hash != other.simulated.trace_hash
    assert streams[0] != streams[2]
