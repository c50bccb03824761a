"""Each planted bug is caught, by the guarantee it breaks; without it the same scenario holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqcheck.specs import load_specs
from reference_impl.sabotage import SABOTAGES

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

CAUGHT = {
    "ack-before-sync": ("dur-ack-power-sf", "power-cut"),
    "ack-before-replicate": ("rep-sync-ack", "replication"),
    "lose-offsets-on-restart": ("con-offset-persist", "broker-kill"),
    "never-expire-brokers": ("ns-expire", "broker-blackhole"),
    "expire-early": ("ns-no-early-expire", "nameserver-cut"),
    "no-redelivery": ("con-retry-alo", "consumer-fails"),
    "redeliver-forever": ("con-retry-max", "consumer-fails"),
    "skip-message-on-rebalance": ("con-alo", "rebalance"),
    "two-lock-owners": ("ord-queue-lock", "orderly-rebalance"),
    "reorder-queue": ("sto-fifo-queue", "orderly-rebalance"),
    "corrupt-body": ("dur-body-intact", "steady"),
    "ack-failed-sync": ("dur-ack-fsync-error", "disk-error"),
    "ack-refused-write": ("dur-ack-disk-full", "disk-full"),
    "hide-recovered": ("dur-power-readable", "power-cut"),
    "answer-twice": ("prt-opaque", "protocol"),
    "unknown-code-succeeds": ("prt-unknown-code", "protocol"),
    "hold-too-long": ("con-longpoll-timeout", "protocol"),
    "empty-route": ("ns-empty-17", "protocol"),
    "deliver-early": ("dly-not-early", "delay"),
    "lose-delayed": ("dly-alo", "delay"),
    "retry-at-once": ("con-retry-delay", "consumer-fails"),
    "corrupt-retry-copy": ("con-retry-identity", "consumer-fails"),
    "never-expire-members": ("con-expire", "consumer-silent"),
    "ignore-closed-brokers": ("ns-close", "nameserver-cut"),
    "ack-before-write": ("dur-ack-kill", "broker-kill"),
    "lose-metadata-on-restart": ("dur-meta-power", "power-cut"),
}
"""Planted bug → guarantee that must catch it, and the shortest scenario in which it does."""

WITHOUT_MESSAGES = {
    "con-offset-persist": ("consumer_group", "broker", "queue", "expected_at_least", "seen"),
    "ns-expire": ("nameserver", "broker", "silent_ms", "limit_ms"),
    "ns-no-early-expire": ("nameserver", "broker", "registered_ms_ago", "expiry_ms"),
    "ns-close": ("nameserver", "broker", "closed_for_ms"),
    "ns-empty-17": ("nameserver", "topic", "expected", "seen"),
    "ord-queue-lock": ("broker", "queue", "owner", "granted_to"),
    "con-expire": ("consumer_group", "member", "expected", "seen"),
    "con-longpoll-timeout": ("topic", "broker", "expected", "seen"),
    "dur-meta-power": ("node", "kind", "name", "seen"),
    "prt-opaque": ("node", "request_code", "expected", "seen"),
    "prt-unknown-code": ("node", "request_code", "expected", "seen"),
}
"""Guarantees that are about no message: what their evidence names instead, beside the operation."""


def test_every_planted_bug_is_here() -> None:
    caught = {name: guarantee for name, (guarantee, _) in CAUGHT.items()}
    assert {name: bug.guarantee for name, bug in SABOTAGES.items()} == caught
    assert {name: guarantee.id for guarantee in load_specs() for name in guarantee.sabotage} == caught


@pytest.mark.parametrize("bug", CAUGHT)
def test_a_planted_bug_is_caught(bug: str, play: Callable[..., Any]) -> None:
    guarantee, scenario = CAUGHT[bug]
    run = play("--mqcheck-select", scenario, "--mqcheck-sabotage", bug)
    assert run.report["run"]["sabotage"] == bug
    violated = run.verdicts("violated")
    assert (scenario, guarantee) in violated, run.output
    verdict = violated[scenario, guarantee]
    assert run.status == (0 if load_specs().get(guarantee).level == "SHOULD" else 1), run.output
    assert verdict["aimed"]
    assert verdict["evidence_total"] >= len(verdict["evidence"]) >= 1
    for row in verdict["evidence"]:
        assert_names_what_it_is_about(guarantee, row)
    if run.status:
        assert f"mqcheck::{scenario}::{guarantee}" in run.output


@pytest.mark.parametrize("bug", CAUGHT)
def test_without_the_bug_it_holds(bug: str, healthy: Path) -> None:
    guarantee, scenario = CAUGHT[bug]
    report = json.loads((healthy / "report.json").read_text(encoding="utf-8"))
    mine = {each["guarantee"]: each for each in report["verdicts"] if each["scenario"] == scenario}
    assert mine[guarantee]["aimed"]
    assert mine[guarantee]["verdict"] == "held", mine[guarantee]["reason"]
    assert [each for each in mine.values() if each["verdict"] == "violated"] == []


def assert_names_what_it_is_about(guarantee: str, row: dict[str, Any]) -> None:
    """A message and its life, or the operation with nodes and numbers."""
    assert row["life"]
    if guarantee in WITHOUT_MESSAGES:
        assert type(row["op"]) is int
        assert all(row[key] not in (None, "") for key in WITHOUT_MESSAGES[guarantee])
    else:
        assert type(row["message"]) is int
        assert any(" sends: " in line for line in row["life"])
