"""Each planted bug is caught, by the guarantee it breaks; without it the same scenario holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from planted_bugs import ADMINISTRATION, ALL, CAUGHT, LANE, OVER_SOCKETS, WIRE

from mqcheck import exits
from mqcheck.sabotage import CLIENT_SABOTAGES
from mqcheck.specs import load_specs
from reference_impl.sabotage import SABOTAGES

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

WITHOUT_MESSAGES = {
    **dict.fromkeys(WIRE.values(), ("node", "expected", "seen")),
    **{guarantee: ("expected", "seen") for guarantee, _ in ADMINISTRATION.values()},
    "con-offset-persist": ("consumer_group", "broker", "queue", "expected_at_least", "seen"),
    "ns-expire": ("nameserver", "broker", "silent_ms", "limit_ms"),
    "ns-no-early-expire": ("nameserver", "broker", "registered_ms_ago", "expiry_ms"),
    "ns-close": ("nameserver", "broker", "closed_for_ms"),
    "ns-isolated": ("nameserver", "topic", "broker", "expected", "seen"),
    "dur-power-start": ("node", "broker", "nth_life", "seen"),
    "ns-empty-17": ("nameserver", "topic", "expected", "seen"),
    "ord-queue-lock": ("broker", "queue", "owner", "granted_to"),
    "ord-lock-expiry": ("broker", "queue", "owner", "refused_to"),
    "ord-lock-renew": ("broker", "queue", "owner", "seen"),
    "ord-unlock": ("broker", "queue", "given_back_by", "refused_to"),
    "con-no-skip": ("consumer_group", "broker", "queue", "committed", "unfinished_offset"),
    "con-members-list": ("consumer_group", "node", "member", "expected", "seen"),
    "con-rebalance-cover": ("consumer_group", "topic", "broker", "expected", "seen"),
    "con-unregister": ("consumer_group", "node", "member", "expected", "seen"),
    "con-expire-close": ("consumer_group", "node", "member", "expected", "seen"),
    "con-notify-ids": ("consumer_group", "node", "what", "member", "expected", "seen"),
    "cli-heartbeat": ("consumer_group", "member", "node", "expected", "seen"),
    "cli-route-poll": ("member", "topic", "expected", "seen"),
    "cli-persist": ("consumer_group", "member", "broker", "queue", "seen"),
    "con-threshold-count": ("consumer_group", "member", "broker", "queue", "seen"),
    "con-threshold-size": ("consumer_group", "member", "broker", "queue", "seen"),
    "con-threshold-span": ("consumer_group", "member", "broker", "queue", "seen"),
    "con-flow-resume": ("consumer_group", "member", "broker", "queue", "seen"),
    "con-pull-position": ("consumer_group", "member", "broker", "queue", "expected", "seen"),
    "con-expire": ("consumer_group", "member", "expected", "seen"),
    "con-longpoll-timeout": ("topic", "broker", "expected", "seen"),
    "dur-meta-power": ("node", "kind", "name", "seen"),
    "sto-offset-dense": ("topic", "broker", "queue", "missing_from", "missing_to"),
    "ns-register-visible": ("nameserver", "broker", "expected", "seen"),
    "ns-restart-heal": ("nameserver", "broker", "expected", "ready_for_ms"),
    "con-restart-resume": ("consumer_group", "broker", "queue", "committed_at_most", "begins_at"),
    "con-group-indep": ("consumer_group", "broker", "queue", "committed_at_most", "answered"),
    "rep-slave-read": ("node", "topic", "queue", "position", "seen"),
    "rep-slave-refuse": ("node", "request_code", "expected", "seen"),
    "rep-redirect": ("node", "topic", "queue", "expected", "seen"),
    "rep-meta-topics": ("node", "name", "expected", "seen"),
    "rep-meta-offsets": ("node", "consumer_group", "expected", "seen"),
    "sto-bad-tail": ("node", "expected", "seen"),
    "sto-diskfull": ("node", "topic", "queue", "expected", "seen"),
    "sto-retention": ("node", "topic", "queue", "expected", "seen"),
    "prt-opaque": ("node", "request_code", "expected", "seen"),
    "prt-oneway": ("node", "request_code", "expected", "seen"),
    "prt-unknown-code": ("node", "request_code", "expected", "seen"),
    "con-pull-batch": ("topic", "broker", "queue", "expected", "seen"),
    "con-pull-order": ("topic", "broker", "queue", "expected", "seen"),
    "con-pull-next": ("topic", "broker", "queue", "expected", "seen"),
    "con-pull-bounds": ("topic", "broker", "queue", "expected", "seen"),
    "con-offset-moved": ("topic", "broker", "queue", "expected", "seen"),
    "sto-query-time": ("topic", "broker", "queue", "expected", "seen"),
    "flt-progress": ("topic", "broker", "queue", "expected", "seen"),
    "flt-sql-bad": ("node", "request_code", "expected", "seen"),
    "con-perm": ("node", "request_code", "expected", "seen"),
    "con-sub-latest": ("node", "request_code", "expected", "seen"),
    "con-pull-topic-unknown": ("node", "request_code", "expected", "seen"),
    "con-pull-group-unknown": ("node", "request_code", "expected", "seen"),
    "con-pull-queue-range": ("node", "request_code", "expected", "seen"),
    "sto-topic-limit": ("node", "request_code", "expected", "seen"),
    "sto-max-offset": ("topic", "broker", "queue", "answered_before", "seen"),
    "sto-min-offset": ("node", "topic", "queue", "answered_before", "seen"),
}
"""Guarantees that are about no message: what their evidence names instead, beside the operation."""


def test_every_planted_bug_is_here() -> None:
    caught = {name: guarantee for name, (guarantee, _) in CAUGHT.items()}
    assert SABOTAGES.keys().isdisjoint(CLIENT_SABOTAGES)
    planted: dict[str, str | None] = {name: bug.guarantee for name, bug in SABOTAGES.items()}
    assert planted | {name: bug.guarantee for name, bug in CLIENT_SABOTAGES.items()} == caught
    assert {name: guarantee.id for guarantee in load_specs() for name in guarantee.sabotage} == caught


@pytest.mark.parametrize("bug", CAUGHT)
def test_a_planted_bug_is_caught(bug: str, broken: Callable[[str], Any]) -> None:
    if not ALL and bug not in OVER_SOCKETS:
        pytest.skip(LANE)
    guarantee, scenario = CAUGHT[bug]
    run = broken(bug)
    assert run.report["run"]["sabotage"] == bug
    violated = run.verdicts("violated")
    assert (scenario, guarantee) in violated, run.output
    verdict = violated[scenario, guarantee]
    levels = {load_specs().get(broken).level for _, broken in violated}
    # What a bug keeps from being seen is inconclusive, and a broken SHOULD fails no run.
    assert run.status in ((exits.HELD, exits.INCONCLUSIVE) if levels == {"SHOULD"} else (exits.VIOLATED,)), run.output
    assert verdict["aimed"]
    assert verdict["evidence_total"] >= len(verdict["evidence"]) >= 1
    for row in verdict["evidence"]:
        assert_names_what_it_is_about(guarantee, row)
    assert f"mqcheck::{scenario}::{guarantee}" in run.output


@pytest.mark.parametrize("bug", CAUGHT)
def test_without_the_bug_it_holds(bug: str, healthy: Path) -> None:
    if not ALL and bug not in OVER_SOCKETS:
        pytest.skip(LANE)
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
