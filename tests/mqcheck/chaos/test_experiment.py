"""Files: what is wrong with them is told before anything starts; what comes out of one that runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chaoslib.experiment import ensure_experiment_is_valid

from mqcheck import exits
from mqcheck.chaos import current
from mqcheck.chaos.experiment import Choice, check, encoded, load, override, run_file
from mqcheck.errors import SettingsError
from tests.mqcheck.chaos.conftest import check_journal

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], Path]:
    """An experiment as a file, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def write(experiment: dict[str, Any]) -> Path:
        path = tmp_path / "tried.json"
        path.write_text(json.dumps(experiment))
        return path

    return write


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"x\.yaml is no file; `mqcheck chaos new .*x\.yaml` writes an example"):
        load(tmp_path / "x.yaml")
    for name, text, told in (
        ("a.yaml", "- [", "Failed parsing YAML"),
        ("b.json", "{", "b.json"),
        ("c.toml", "", "only files with json, yaml or yml extensions"),
        ("d.yaml", "[]", "is no experiment: it must be a table"),
        ("e.yaml", "method: inject", "method is 'inject'; it must be a list"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(SettingsError, match=told):
            load(tmp_path / name)


def test_what_a_user_says_wins_over_the_file(make_experiment: Make) -> None:
    made = make_experiment(target="${target}", seed=3)
    override(made, Choice(target="apache:5.4.0", seed=9, report=Path("there")))
    told = made["controls"][0]["provider"]["arguments"]
    assert told == {"target": "apache:5.4.0", "seed": 9, "report": "there"}


def test_what_is_wrong_is_told_before_anything_starts(make_experiment: Make, action: Make) -> None:
    made = make_experiment(action("heal_all"))
    check(make_experiment(action("heal_all"), seed="${seed}") | {"configuration": {"seed": 3}}, {})
    with pytest.raises(SettingsError, match="chaos\\.control 0 times"):
        check({**made, "controls": []}, {})
    with pytest.raises(SettingsError, match="2 times"):
        check({**made, "controls": made["controls"] * 2}, {})
    with pytest.raises(SettingsError, match="not a valid experiment: experiment requires a description"):
        check({**made, "description": ""}, {})
    with pytest.raises(SettingsError, match="does not expose a function called 'heel'"):
        check(make_experiment(action("heel")), {})
    with pytest.raises(SettingsError, match="no fault is called 'melt'"):
        made = make_experiment(action("inject", fault="${what}", where="broker-a"))
        check({**made, "configuration": {"what": "kill"}}, {"what": "melt"})


def test_an_experiment_that_brings_the_cluster_up_itself_is_looked_at_too(make_experiment: Make, action: Make) -> None:
    up, heal = action("bring_up", load=[{}]), action("heal", name="kil")
    check(make_experiment(up, bring_up=False), {})
    with pytest.raises(SettingsError, match="no fault of this experiment is called 'kil'"):
        check(make_experiment(up, heal, bring_up=False), {})
    with pytest.raises(SettingsError, match="load is 3; it must be a list"):
        check(make_experiment(action("bring_up", load=3), bring_up=False), {})
    with pytest.raises(SettingsError, match="no action bring_up is there: nobody brings it up"):
        check(make_experiment(heal, bring_up=False), {})


def test_a_variable_and_a_strategy_that_cannot_be_are_told(make_experiment: Make, file: Callable[..., Path]) -> None:
    path = file(make_experiment())
    with pytest.raises(SettingsError, match=r"--var rate: .*; write name=value or name:type=value"):
        run_file(path, Choice(variables=("rate",)))
    path = file({**make_experiment(), "runtime": {"rollbacks": {"strategy": "sometimes"}}})
    with pytest.raises(SettingsError, match=r"runtime\.rollbacks\.strategy is 'sometimes'; it must be one of always"):
        run_file(path, Choice())
    path = file({**make_experiment(), "runtime": {"hypothesis": {"strategy": "ever"}}})
    with pytest.raises(SettingsError, match=r"runtime\.hypothesis\.strategy is 'ever'"):
        run_file(path, Choice())


def test_an_interruption_outside_of_every_activity_is_one_too(
    make_experiment: Make,
    file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mqcheck.chaos.experiment.run_experiment", interrupted)
    assert run_file(file(make_experiment()), Choice()) == exits.INTERRUPTED
    assert "interrupted: everything is taken down" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.e2e
def test_a_rollback_that_fails_fails_the_experiment_and_nothing_is_left(
    make_experiment: Make, action: Make, file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    wait = action("wait_until", probe="acknowledged", within_s=60, at_least=5)
    broken = action("wait_until", probe="acknowledged", within_s=0, at_most=0)
    broken["name"] = "impossible"
    path = file(make_experiment(wait, rollbacks=[broken], load=[{}], warm_up=0, seed=7))
    assert run_file(path, Choice(report=Path("out"))) == exits.VIOLATED
    assert current.under_way() is None
    told = capsys.readouterr().out
    assert "experiment failed" in told
    assert "failed: rollback 'impossible': " in told
    journal = json.loads(Path("out/journal.json").read_text())
    assert journal["status"] == "failed"
    ensure_experiment_is_valid(journal["experiment"])
    check_journal(journal)
    assert encoded(journal) == Path("out/journal.json").read_text()
    assert journal["mqcheck"]["replay"] == f"mqcheck chaos run {path} --target reference --seed 7"
