"""README.md for a stranger: the promise, the evidence, the steps, the tables, the files."""

from __future__ import annotations

import re
from typing import Any

import histories

from mqcheck.judge.verdicts import Verdict
from mqcheck.repro.choose import chosen_operations, timetable
from mqcheck.repro.readme import BY_HAND, readme
from mqcheck.specs import FAULT_KINDS, load_specs

PLAN = {
    "target": "house <b>",
    "target_version": "1",
    "profile": "quick",
    "seed": 7,
    "started": "2026-11-28T22:00:00+00:00",
    "sabotage": "ack-before-sync",
    "odd": None,
}


def text_of(connection: Any, configuration: list[str]) -> str:
    evidence = ({"message": 0, "broker": "broker-a", "queue": 0, "topic": "T", "life": ["x"]},)
    verdict = Verdict(
        guarantee="dur-ack-power-sf",
        scenario="power-cut",
        aimed=True,
        verdict="violated",
        exercised=9,
        enough=5,
        evidence_total=40,
        evidence=evidence,
        reason="40 rows of evidence",
        judge_seconds=0.1,
        replay="pytest --mqcheck --mqcheck-seed 7",
        subject="broker",
        level="MUST",
    )
    operations = chosen_operations(connection, [*evidence, {**evidence[0], "message": 2}])
    logs = [{"name": "a.log", "lines": 9, "kept": 3, "how": "10:00:00 to 10:00:10", "whole": "/run/a.log"}]
    spec = load_specs().get("dur-ack-power-sf")
    return readme(
        spec, verdict, PLAN, operations, timetable(connection, histories.ns(0)), logs, histories.ns(0), configuration
    )


def test_everything_a_stranger_needs_is_told(connection: Any) -> None:
    text = text_of(connection, ["broker-a/broker.conf"])
    for told in (
        "# dur-ack-power-sf is violated: An acknowledged message survives a power cut",
        "**Promised** (MUST, broker): Under flushDiskType = SYNC",
        "house \\<b\\> 1, with ack-before-sync planted, scenario power-cut, profile quick, seed 7",
        "- message 0, broker broker-a, queue 0, topic T",
        "1. Start the NameServer",
        "power-cut, on broker-a at +60 ms",
        "take away what it had not fsynced",
        "mqadmin queryMsgByUniqueKey -n NAMESERVER -t T -i K0",
        "    pytest --mqcheck --mqcheck-seed 7",
        "| **power-cut** on broker-a |",
        "1 of 40 row(s) of evidence",
        "`logs/a.log`: 3 of 9 lines",
    ):
        assert told in text, told


def test_tables_are_tables_whatever_stands_in_them(connection: Any) -> None:
    lines = text_of(connection, []).splitlines()
    rows = [line for line in lines if line.startswith("| +")]
    assert rows
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4, 5}
    assert any("no `configuration/`" in line for line in lines)


def test_every_fault_that_a_promise_can_name_has_a_way_by_hand_or_is_named() -> None:
    assert set(BY_HAND) - {"disk-full"} <= set(FAULT_KINDS)
