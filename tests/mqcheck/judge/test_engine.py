"""Which verdict is chosen, and why: aims, evidence, faults, capabilities, stalls, harness errors."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from mqcheck.errors import HistoryError
from mqcheck.history.loader import load
from mqcheck.judge import engine
from mqcheck.judge.engine import judge_history, judge_tables
from mqcheck.judge.plan_file import read_plan
from mqcheck.judge.verdicts import HELD, INCONCLUSIVE, NOT_APPLICABLE, NOT_EXERCISED, VIOLATED, Verdict
from mqcheck.specs import Guarantee, Specs

BASE = {
    "id": "own-thing",
    "title": "A thing",
    "subject": "broker",
    "level": "MUST",
    "statement": "A thing holds.",
    "applies": "TRUE",
    "needs": (),
    "tolerance_ms": 0,
    "since": None,
    "until": None,
    "exceptions": (),
    "sources": (),
    "exercised": "SELECT count(*) FROM config c",
    "enough": 2,
    "violations": "SELECT c.op FROM config c WHERE FALSE",
    "inconclusive": "",
    "seen": "",
    "sabotage": (),
    "legal_odd": (),
    "area": "own",
    "path": "own.toml",
}
ROWS = "SELECT s.message, s.broker, s.queue, s.invoked FROM sent s"


LOADED: dict[Any, duckdb.DuckDBPyConnection] = {}
"""Histories by what their rows say: most tests ask the same one."""


def judge(history: Any, folder: Path, *, aimed: bool = True, **fields: Any) -> Verdict:
    """The verdict of a guarantee of our own over a history, which is loaded once."""
    guarantee = Guarantee(**{**BASE, **fields})
    history.aims = [guarantee.id] if aimed else []
    history.write(folder)
    said = tuple(row.content() for rows in history.rows.values() for row in rows)
    if said not in LOADED:
        LOADED[said] = load(folder)
    (verdict,) = judge_tables(LOADED[said], read_plan(folder), Specs((guarantee,), ()))
    return verdict


@pytest.fixture
def history(builder: ModuleType) -> Any:
    """Three settings, one send with its answer, a confirmed and an unconfirmed fault."""
    made = builder.Builder()
    for key in ("a_ms", "b_ms", "c_ms"):
        made.point("config", 1, node="kit", key=key, setting="1000")
    columns = {"message": 7, "topic": "T"}
    end = {"code": 0, "queue_offset": 0}
    made.span("sends", 10, 20, {**end, "broker": "broker-a", "queue": 0}, mode="sync", **columns)
    made.span("attempts", 11, 19, end, attempt=0, node="broker-a", broker="broker-a", queue=0, **columns)
    made.entry("faults", kind="kill", node="broker-a", began=5, active=6, healing=7, healed=8, confirmed=True)
    made.entry("faults", kind="latency", link="p->broker-a", began=5, active=6, healing=7, healed=8, confirmed=False)
    return made


def test_enough_evidence_and_no_violation_is_held(history: Any, tmp_path: Path) -> None:
    verdict = judge(history, tmp_path)
    assert (verdict.verdict, verdict.exercised, verdict.enough) == (HELD, 3, 2)
    assert verdict.replay == "pytest --mqcheck mqcheck::synthetic"
    assert (verdict.scenario, verdict.subject, verdict.level, verdict.title) == (
        "synthetic",
        "broker",
        "MUST",
        "A thing",
    )


def test_rows_are_a_violation_with_the_life_of_their_message(history: Any, tmp_path: Path) -> None:
    verdict = judge(history, tmp_path, violations=ROWS)
    assert verdict.verdict == VIOLATED
    assert verdict.evidence_total == 1
    assert verdict.reason == "1 rows of evidence (broker-a/0: 1)"
    (row,) = verdict.evidence
    assert (row["message"], row["broker"]) == (7, "broker-a")
    assert [line.split(": ")[0].split(" ms ")[1] for line in row["life"]] == ["sends", "attempts"]


@pytest.mark.parametrize("aimed", [True, False])
def test_a_violation_counts_whether_aimed_at_or_not(history: Any, tmp_path: Path, aimed: bool) -> None:
    verdict = judge(history, tmp_path, violations=ROWS, aimed=aimed)
    assert (verdict.verdict, verdict.aimed) == (VIOLATED, aimed)


@pytest.mark.parametrize(
    ("exercised", "aimed", "wanted", "reason"),
    [
        ("SELECT 1", True, INCONCLUSIVE, "too little happened: 1 of the 2"),
        ("SELECT 1", False, NOT_EXERCISED, "1 of 2"),
        ("SELECT 0", False, NOT_EXERCISED, ""),
        ("SELECT sum(c.op) FROM config c WHERE FALSE", True, INCONCLUSIVE, "too little happened: 0"),
        ("SELECT 2", False, HELD, ""),
    ],
)
def test_too_little_evidence(
    history: Any, tmp_path: Path, exercised: str, aimed: bool, wanted: str, reason: str
) -> None:
    verdict = judge(history, tmp_path, exercised=exercised, aimed=aimed)
    assert verdict.verdict == wanted
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("needs", "aimed", "wanted"),
    [
        (("kill",), True, HELD),
        (("power-cut", "kill"), True, HELD),
        (("latency",), True, INCONCLUSIVE),
        (("latency",), False, NOT_EXERCISED),
    ],
)
def test_a_fault_without_effect_satisfies_nobody(
    history: Any, tmp_path: Path, needs: tuple[str, ...], aimed: bool, wanted: str
) -> None:
    verdict = judge(history, tmp_path, needs=needs, aimed=aimed)
    assert verdict.verdict == wanted
    if wanted == INCONCLUSIVE:
        assert "none of the faults it needs (latency) had a confirmed effect" in verdict.reason


def test_a_missing_capability_makes_it_not_applicable(history: Any, tmp_path: Path) -> None:
    history.capabilities = ["latency", "partition"]
    verdict = judge(history, tmp_path, needs=("power-cut",))
    assert verdict.verdict == NOT_APPLICABLE
    assert "power-cut" in verdict.reason
    assert judge(history, tmp_path, needs=("reset",)).verdict == INCONCLUSIVE
    assert judge(history, tmp_path, needs=("kill",)).verdict == HELD, "the fault happened, whatever the target says"


def test_a_condition_that_is_not_met_makes_it_not_applicable(history: Any, tmp_path: Path) -> None:
    verdict = judge(history, tmp_path, applies="EXISTS (SELECT 1 FROM config c WHERE c.key = 'none')", violations=ROWS)
    assert verdict.verdict == NOT_APPLICABLE
    assert "c.key = 'none'" in verdict.reason


def test_undecidable_rows_count_only_without_violation(history: Any, tmp_path: Path) -> None:
    undecided = "SELECT 'stall: kit 900 ms' AS reason UNION ALL SELECT 'other'"
    verdict = judge(history, tmp_path, inconclusive=undecided)
    assert (verdict.verdict, verdict.reason) == (INCONCLUSIVE, "stall: kit 900 ms (and 1 more)")
    assert judge(history, tmp_path, inconclusive=undecided, violations=ROWS).verdict == VIOLATED
    assert judge(history, tmp_path, inconclusive=undecided, aimed=False).verdict == NOT_EXERCISED


def test_a_stall_is_named_with_process_and_length(history: Any, tmp_path: Path) -> None:
    history.entry("stalls", began=12, ended=512)
    verdict = judge(
        history, tmp_path, inconclusive="SELECT 'stall: ' || worst_stall(s.invoked, s.returned) AS reason FROM sends s"
    )
    assert (verdict.verdict, verdict.reason) == (INCONCLUSIVE, "stall: kit 500 ms")


@pytest.mark.parametrize("query", ["SELECT nonsense FROM sent", "SELECT (1", "SELECT ms(1, 2)"])
@pytest.mark.parametrize("field", ["exercised", "violations", "inconclusive", "applies"])
def test_a_query_that_fails_is_a_harness_error(history: Any, tmp_path: Path, field: str, query: str) -> None:
    verdict = judge(history, tmp_path, **{field: query.removeprefix("SELECT ") if field == "applies" else query})
    assert verdict.verdict == INCONCLUSIVE
    assert verdict.harness_error
    assert "a query of own-thing failed" in verdict.reason
    unaimed = judge(history, tmp_path, aimed=False, **{field: query})
    assert unaimed.verdict in (NOT_EXERCISED, NOT_APPLICABLE)


def test_a_harness_error_of_the_run_proves_nothing(history: Any, tmp_path: Path) -> None:
    history.harness_error = "Toxiproxy did not heal"
    verdict = judge(history, tmp_path)
    assert (verdict.verdict, verdict.reason) == (INCONCLUSIVE, "harness error: Toxiproxy did not heal")
    verdict = judge(history, tmp_path, violations=ROWS)
    assert verdict.verdict == INCONCLUSIVE
    assert verdict.evidence_total == 1
    assert judge(history, tmp_path, aimed=False).verdict == HELD


def test_a_history_that_cannot_be_loaded_is_a_harness_error(history: Any, tmp_path: Path) -> None:
    judge(history, tmp_path)
    with (tmp_path / "events" / "kit.0.jsonl").open("ab") as file:
        file.write(b"garbage\n")
    (verdict,) = judge_history(tmp_path, Specs((Guarantee(**BASE),), ()))
    assert (verdict.verdict, verdict.harness_error) == (INCONCLUSIVE, True)
    (neutral,) = judge_history(tmp_path, Specs((dataclasses.replace(Guarantee(**BASE), id="not-aimed"),), ()))
    assert neutral.verdict == NOT_EXERCISED


def test_a_not_promised_entry_is_counted_and_never_judged(history: Any, tmp_path: Path) -> None:
    verdict = judge(history, tmp_path, level="NOT-PROMISED", violations="", seen=ROWS)
    assert (verdict.verdict, verdict.exercised, verdict.level) == (NOT_APPLICABLE, 1, "NOT-PROMISED")
    assert verdict.reason == "not promised: seen 1 times among 3"


def test_a_not_promised_entry_tells_its_figures(history: Any, tmp_path: Path) -> None:
    figures = "SELECT s.topic || ' took ' || (s.returned - s.invoked) // 1000000 || ' ms' AS figure FROM sends s"
    verdict = judge(history, tmp_path, level="NOT-PROMISED", violations="", seen=ROWS, figures=figures)
    assert verdict.reason == "not promised: seen 1 times among 3; T took 10 ms"
    broken = judge(history, tmp_path, level="NOT-PROMISED", violations="", seen=ROWS, figures="SELECT nonsense")
    assert broken.harness_error


def test_without_plan_it_is_no_history(tmp_path: Path, history: Any) -> None:
    judge(history, tmp_path)
    (tmp_path / "plan.json").unlink()
    with pytest.raises(HistoryError, match=r"plan\.json"):
        judge_history(tmp_path, Specs((), ()))


def test_tables_are_stored_on_request_and_judged_alike(history: Any, tmp_path: Path) -> None:
    history.aims = ["own-thing"]
    history.write(tmp_path)
    specs = Specs((dataclasses.replace(Guarantee(**BASE), violations=ROWS),), ())
    (first,) = judge_history(tmp_path, specs, parquet=True)
    assert (tmp_path / "tables" / "sends.parquet").exists()
    (tmp_path / "events" / "kit.0.jsonl").unlink()
    (again,) = judge_history(tmp_path, specs)
    assert dataclasses.replace(again, judge_seconds=0) == dataclasses.replace(first, judge_seconds=0)


@pytest.mark.slow
def test_a_large_history_is_judged_alike(
    builder: ModuleType, specs: Specs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = builder.healthy()
    history.aims = list(specs.ids())
    for delivery in history.find("deliveries")[:3]:
        delivery.set(body_digest=1)
    connection = load(history.write(tmp_path))

    def judged() -> list[dict[str, Any]]:
        verdicts = judge_tables(connection, read_plan(tmp_path), specs)
        return [{**verdict.as_dict(), "judge_seconds": 0} for verdict in verdicts]

    alone = judged()
    monkeypatch.setattr(engine, "TOGETHER_LINES_MIN", 0)
    assert judged() == alone
    assert [each["guarantee"] for each in alone if each["verdict"] == VIOLATED] == ["dur-body-intact"]
