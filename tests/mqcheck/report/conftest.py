"""A run with one of everything: five verdicts, a SHOULD, a client's promise, one that is not promised, hostile text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqcheck.judge.verdicts import Verdict
from mqcheck.report.outcomes import Outcome, write_outcome
from mqcheck.specs import Guarantee, Specs

HOSTILE = "<script>alert('x')</script>\x00\x1b[31m\udcff"


def guarantee(name: str, level: str = "MUST", subject: str = "broker", area: str = "storage") -> Guarantee:
    promised = level != "NOT-PROMISED"
    return Guarantee(
        id=name,
        title=f"Title of {name}",
        subject=subject,
        level=level,
        statement="Every message that was acknowledged is there after a restart.",
        applies="TRUE",
        needs=("kill",),
        tolerance_ms=0,
        since="4.0",
        until=None,
        exceptions=("not for one-way sends",),
        sources=("docs/en/Feature.md", "apache/rocketmq#2706", "https://rocketmq.apache.org"),
        exercised="SELECT count(*) FROM sent",
        enough=5,
        violations="SELECT * FROM sent WHERE 1 < 0" if promised else "",
        inconclusive="",
        seen="" if promised else "SELECT 1",
        sabotage=(),
        legal_odd=(),
        area=area,
        path="x.toml",
    )


GUARANTEES = (
    guarantee("dur-held"),
    guarantee("dur-violated"),
    guarantee("sto-undecided"),
    guarantee("sto-harness"),
    guarantee("con-inapplicable", area="consumption"),
    guarantee("con-idle", area="consumption"),
    guarantee("con-should", "SHOULD", area="consumption"),
    guarantee("ord-client", subject="client", area="order"),
    guarantee("no-power", "NOT-PROMISED"),
)


def verdict(name: str, told: str, scenario: str = "kill", aimed: bool = True, **more: Any) -> Verdict:
    levels = {each.id: each for each in GUARANTEES}
    base: dict[str, Any] = {
        "guarantee": name,
        "scenario": scenario,
        "aimed": aimed,
        "verdict": told,
        "exercised": 9,
        "enough": 5,
        "evidence_total": 0,
        "evidence": (),
        "reason": "",
        "judge_seconds": 0.25,
        "replay": "pytest --mqcheck --mqcheck-seed 7",
        "subject": levels[name].subject,
        "level": levels[name].level,
        "title": levels[name].title,
    }
    return Verdict(**{**base, **more})


def write_history(folder: Path, name: str, verdicts: list[Verdict], attempt: int = 0) -> None:
    history = folder / "history" / (f"{name}.rerun-{attempt}" if attempt else name)
    (history / "events").mkdir(parents=True)
    plan = {"format": 1, "run": "r1", "scenario": name, "target": "reference", "target_version": "0.1", "seconds": 2.5}
    more = {"profile": "quick", "seed": 7, "aims": [], "harness_error": None, "started": "2026-11-23T20:00:00+00:00"}
    (history / "plan.json").write_text(json.dumps({**plan, **more, "sabotage": None, "odd": None}))
    lines = [
        {"e": "streams", "t": 1, "format": 1},
        {"e": "sends", "w": "b", "t": 2, "op": 1},
        {"e": "sends", "w": "e", "t": 3, "op": 1},
        {"e": "faults", "w": "b", "t": 4, "op": 2, "kind": "power-cut", "node": "broker-a", "began": 4},
        {"e": "faults", "w": "e", "t": 5, "op": 2, "healed": 900_000_004, "effect": '{"dropped_bytes": 512}'},
        {"e": "faults", "w": "b", "t": 6, "op": 3, "kind": "latency", "link": "producer-1->broker-a", "began": 9},
        {"e": "stalls", "t": 7, "op": 4, "began": 1_000_000, "ended": 43_500_000},
    ]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (history / "events" / "kit.0.jsonl").write_text(text + '{"e":"sends","w":"b"')
    write_outcome(Outcome(name, attempt, history, 2.5, tuple(verdicts), None))


@pytest.fixture
def specs() -> Specs:
    """Nine guarantees."""
    return Specs(GUARANTEES, ())


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Two scenarios, judged."""
    life = ["sends 12 acked at queue 3 offset 17", "missing in the final read of broker-a"]
    evidence = ({"message": 12, "body": HOSTILE, "life": life}, {"message": 13, "body": "ü", "life": []})
    told = [
        verdict("dur-held", "held"),
        verdict("dur-violated", "violated", evidence=evidence, evidence_total=40, reason="2 acknowledged are missing"),
        verdict("sto-undecided", "inconclusive", reason="too little happened: 3 of 5"),
        verdict("sto-harness", "inconclusive", reason="harness error: no proxy"),
        verdict("con-inapplicable", "not applicable", reason="the target cannot cut power; use reference"),
        verdict("con-idle", "not exercised", aimed=False, exercised=0),
        verdict("con-should", "violated", aimed=False, evidence_total=1, evidence=({"message": 1},)),
        verdict("ord-client", "violated"),
        verdict("no-power", "not exercised", aimed=False, exercised=4),
    ]
    write_history(tmp_path, "kill", told)
    write_history(tmp_path, "steady", [verdict("dur-held", "held", "steady"), verdict("con-idle", "held", "steady")])
    return tmp_path
