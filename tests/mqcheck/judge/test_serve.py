"""The judging child's loop: lines in, lines out."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from types import ModuleType

import pytest

from mqcheck.judge.serve import serve
from mqcheck.judge.verdicts import Verdict
from mqcheck.specs import Specs


@pytest.fixture
def folder(builder: ModuleType, tmp_path: Path) -> Path:
    """A history in which one raw request was answered twice."""
    history = builder.Builder()
    history.aims = ["prt-opaque"]
    history.span("replies", 90, 95, {"answers": 2}, probe="p", node="broker-a")
    made: Path = history.write(tmp_path / "history")
    return made


def test_each_line_is_answered_by_one(folder: Path, specs: Specs) -> None:
    out = io.StringIO()
    serve([json.dumps({"folder": str(folder)}) + "\n", "\n", json.dumps({"folder": "absent"}) + "\n"], out, specs)
    judged, failed = (json.loads(line) for line in out.getvalue().splitlines())
    verdicts = {verdict["guarantee"]: Verdict.from_dict(verdict) for verdict in judged["verdicts"]}
    assert verdicts["prt-opaque"].verdict == "violated"
    assert len(verdicts) == len(specs)
    assert "plan.json" in failed["error"]
    assert (folder / "tables" / "replies.parquet").exists()


def test_a_query_that_cannot_be_read_does_not_kill_the_judge(folder: Path, specs: Specs) -> None:
    broken = dataclasses.replace(specs.get("prt-opaque"), violations="SELECT (")
    out = io.StringIO()
    serve([json.dumps({"folder": str(folder)})], out, Specs((broken,), ()))
    (verdict,) = json.loads(out.getvalue())["verdicts"]
    assert verdict["reason"].startswith("harness error: a query of prt-opaque failed")
