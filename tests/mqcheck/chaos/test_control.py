"""The control, called as Chaos Toolkit does: before, after, and when it goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chaoslib.exceptions import InterruptExecution, InvalidActivity

from mqcheck.chaos import actions, control, current

Make = Callable[..., dict[str, Any]]


def test_arguments_are_looked_at_before_anything_runs() -> None:
    provider = {"type": "python", "module": "mqcheck.chaos.control"}
    control.validate_control(
        {"name": "m", "provider": {**provider, "arguments": {"seed": "${seed}", "bring_up": False}}}
    )
    with pytest.raises(InvalidActivity, match="has no argument 'targget'"):
        control.validate_control({"name": "m", "provider": {**provider, "arguments": {"targget": "reference"}}})


def test_what_cannot_be_brought_up_interrupts_the_experiment(
    make_experiment: Make, action: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = make_experiment(action("inject", fault="${what}", where="broker-a"))
    with pytest.raises(InterruptExecution, match=r"mqcheck: no fault is called 'melt'"):
        control.before_experiment_control(made, {"what": "melt"}, {})
    assert current.under_way() is None
    control.cleanup_control()


@pytest.mark.slow
@pytest.mark.e2e
def test_an_interrupted_experiment_is_taken_down_and_says_so(
    make_experiment: Make, action: Make, journal: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = make_experiment(action("inject", fault="pause", where="broker-a"))
    control.before_experiment_control(made, {}, {}, load=[{}], warm_up=5)
    here = current.current()
    actions.inject("pause", "broker-a")
    state = journal(status="interrupted")
    control.after_experiment_control(made, state, load=[{}])
    assert current.under_way() is None
    assert state["mqcheck"]["harness_error"] == "interrupted before its end"
    assert state["status"] == "interrupted"
    assert "cancelled" in (here.stand.folder / "plan.json").read_text()


@pytest.mark.slow
@pytest.mark.e2e
def test_the_method_may_bring_the_cluster_up_itself(
    make_experiment: Make, journal: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = make_experiment(bring_up=False)
    control.before_experiment_control(made, {}, {}, bring_up=False)
    assert current.under_way() is None
    told = actions.bring_up(load=[{}], consumers=[{}], seed=7, guarantees=["con-alo"])
    assert told == {"target": "reference", "seed": 7, "nodes": ["nameserver-1", "broker-a"]}
    folder = current.current().run.folder
    state = journal((1, True), [(11, False), (12, True)], (13, True), rollbacks=[("mend", "failed")])
    control.after_experiment_control(made, state)
    own = state["mqcheck"]
    assert state["status"] == "failed"
    assert [each["guarantee"] for each in own["guarantees"]] == ["con-alo"]
    assert own["numbers"]["rpo"]["lost_messages"] == 0
    assert own["steady_state"]["broken"][0]["after_s"] == 1
    assert {"report.json", "report.html", "numbers.json", "experiment.md", "history"} <= {
        path.name for path in folder.iterdir()
    }
    assert "Numbers of the experiment" in (folder / "report.html").read_text(encoding="utf-8")
