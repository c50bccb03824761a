"""The control, called as Chaos Toolkit does: before, after, and when it goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chaoslib.exceptions import InterruptExecution, InvalidActivity

from mqcheck import exits
from mqcheck.chaos import actions, control, current
from mqcheck.chaos.ending import status
from mqcheck.errors import FaultError, HarnessError

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


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit(20)])
def test_who_is_interrupted_while_judging_still_gets_a_journal(
    journal: Make, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
) -> None:
    def interrupted(*_: object) -> None:
        raise interruption

    told: list[str] = []
    monkeypatch.setattr(control.current, "under_way", lambda: "here")
    monkeypatch.setattr(control, "conclude", interrupted)
    monkeypatch.setattr(control, "abandoned", lambda here, state, why: told.append(f"{here} {why}"))
    monkeypatch.setattr(control, "lines", lambda state: [])
    state = journal((1, True))
    control.after_experiment_control({}, state)
    assert (state["status"], told) == ("interrupted", ["here interrupted before it was judged"])


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
def test_a_kit_that_breaks_down_fails_the_experiment_and_does_not_accuse_the_broker(
    make_experiment: Make, journal: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = make_experiment()
    control.before_experiment_control(made, {}, {}, load=[{}], warm_up=5, guarantees=["con-alo"])
    here = current.current()

    async def break_down() -> None:
        async def broken() -> None:
            raise FaultError("a proxy died")

        here.stand.world.spawn(broken(), "broken")

    here.bridge.call(break_down())
    with pytest.raises(HarnessError, match=r"cluster is not up: .*a proxy died"):
        actions.wait_until("acknowledged", within_s=60, at_least=10**9)
    state = journal((1, True), after=(12, False), runs=[("wait", "failed")], deviated=True)
    control.after_experiment_control(made, state)
    assert current.under_way() is None
    assert "a proxy died" in state["mqcheck"]["harness_error"]
    assert state["mqcheck"]["guarantees"][0]["verdict"] == "inconclusive"
    assert status(state) == exits.HARNESS_ERROR


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
