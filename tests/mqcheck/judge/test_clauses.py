"""Every clause of a query that accuses or excuses: a history whose verdict hangs on it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from clauses import CASES, Case
from histories import judged

from mqcheck.judge.verdicts import VIOLATED
from mqcheck.specs import Specs


def test_cases_have_names_of_their_own() -> None:
    names = [(case.guarantee, case.clause) for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[f"{case.guarantee}-{case.clause.replace(' ', '-')}" for case in CASES])
def test_the_verdict_hangs_on_the_clause(builder: ModuleType, specs: Specs, tmp_path: Path, case: Case) -> None:
    history = builder.healthy()
    for step in case.steps:
        step(history)
    verdict = judged(history, specs, tmp_path, case.guarantee)
    assert not verdict.harness_error, verdict.reason
    if case.wanted == "excused":
        assert verdict.verdict != VIOLATED, verdict.evidence[:1]
    else:
        assert verdict.verdict == case.wanted, (verdict.reason, verdict.evidence[:1])
