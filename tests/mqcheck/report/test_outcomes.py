"""verdicts.json: written whole, read back as it was, and honest after a harness error."""

from __future__ import annotations

import json
from pathlib import Path

from mqcheck.report.outcomes import (
    Outcome,
    attempt_of,
    planned_trouble,
    read_outcome,
    read_outcomes,
    undecided,
    write_outcome,
)


def test_round_trip(run_folder: Path, tmp_path: Path) -> None:
    outcomes = list(read_outcomes(run_folder))
    assert [outcome.scenario for outcome in outcomes] == ["kill", "steady"]
    copy = Outcome("copy", 0, tmp_path / "copy", 1.0, outcomes[1].verdicts, "trouble")
    copy.folder.mkdir()
    write_outcome(copy)
    assert read_outcome(copy.folder) == copy
    assert [path.name for path in copy.folder.iterdir()] == ["verdicts.json"]
    assert read_outcome(tmp_path) is None
    assert copy.of("dur-held") == outcomes[1].verdicts[0]
    assert copy.of("nothing") is None


def test_a_harness_error_leaves_violations_and_undoes_what_was_held(run_folder: Path) -> None:
    kill = read_outcome(run_folder / "history" / "kill")
    assert kill is not None
    told = {
        verdict.guarantee: verdict
        for verdict in undecided(kill.verdicts, "kill", ("dur-held", "dur-violated", "new-one"), "no proxy")
    }
    assert told["dur-held"].reason == "harness error: no proxy"
    assert told["dur-held"].harness_error
    assert told["dur-violated"].verdict == "violated"
    assert told["new-one"].harness_error
    assert told["con-idle"].verdict == "not exercised"


def test_the_plan_tells_of_trouble(tmp_path: Path) -> None:
    assert "no plan" in str(planned_trouble(tmp_path))
    (tmp_path / "plan.json").write_text(json.dumps({"harness_error": None}))
    assert planned_trouble(tmp_path) is None
    (tmp_path / "plan.json").write_text(json.dumps({"harness_error": "leak"}))
    assert planned_trouble(tmp_path) == "leak"


def test_a_folder_name_tells_the_repetition() -> None:
    assert attempt_of(Path("history/steady")) == 0
    assert attempt_of(Path("history/steady.rerun-2")) == 2
    assert attempt_of(Path("history/odd.rerun-x")) == 0
