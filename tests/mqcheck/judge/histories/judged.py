"""What the judge says of a made-up history."""

from __future__ import annotations

from pathlib import Path

from histories.rows import Builder
from mqcheck.history.loader import load
from mqcheck.judge.engine import judge_tables
from mqcheck.judge.plan_file import read_plan
from mqcheck.judge.verdicts import Verdict
from mqcheck.specs import Specs


def judged(history: Builder, specs: Specs, folder: Path, guarantee: str, *, aimed: bool = True) -> Verdict:
    """The verdict of one guarantee over a history, written to a folder and loaded from there."""
    history.aims = [guarantee] if aimed else []
    history.write(folder)
    connection = load(folder)
    (verdict,) = judge_tables(connection, read_plan(folder), Specs((specs.get(guarantee),), specs.folders))
    connection.close()
    return verdict
