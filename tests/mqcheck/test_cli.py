"""The command ``mqcheck``: what it prints, what it returns, and that it means the same as the plugin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mqcheck import exits
from mqcheck.cli import main


def mqcheck(sandbox: Any, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mqcheck", *arguments],
        cwd=sandbox.folder,
        env=sandbox.environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for part in ("mqcheck run", "mqcheck check", "mqcheck show dur-ack-kill", "Exit status", "config"):
        assert part in text
    for command in ("run", "matrix", "selftest", "check", "repro", "baseline", "plan", "show", "config", "serve"):
        assert main([command, "--help"]) == 0
        assert len(capsys.readouterr().out) > 150


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["shoe"], "No such command 'shoe'"),
        (["show"], "GUARANTEE"),
        (["show", "dur-ack-kil"], "near: dur-ack-kill"),
        (["check", "/nowhere"], "holds no history"),
        (["matrix"], "name targets to run, or finished runs with --from DIR"),
        (["matrix", "--from", "/nowhere"], "holds no report.json"),
        (["selftest", "--select", "ack-before-snyc"], "names no planted bug, oddity or guarantee; there are "),
    ],
)
def test_misuse_is_told_and_has_status_4(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == exits.USAGE
    assert told in capsys.readouterr().err


def test_without_the_kit_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "mqcheck.commands", raising=False)
    assert main(["list"]) == exits.USAGE
    assert 'pip install "mqcheck[kit]"' in capsys.readouterr().err


def test_list_and_show_know_every_guarantee(capsys: pytest.CaptureFixture[str]) -> None:
    from mqcheck.specs import load_specs

    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    for guarantee in load_specs():
        assert guarantee.id in listed
    assert "not applicable to any target: " in listed
    assert "\n  pop-invisible: from RocketMQ 5.0 on, consumption by POP: no client" in listed
    assert main(["show", "dur-ack-kill"]) == 0
    shown = capsys.readouterr().out
    assert load_specs().get("dur-ack-kill").violations in shown
    assert main(["show", "pop-invisible"]) == 0
    assert "needs of its target:\n  consumption by POP" in capsys.readouterr().out


def test_the_plan_of_a_seed_can_be_read_before_it_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--seed", "7"]) == 0
    told = capsys.readouterr().out
    assert main(["plan", "--seed", "7", "--profile", "full"]) == 0
    assert told.splitlines()[0].startswith("topic orders: ")
    assert len(capsys.readouterr().out) > len(told)
    assert main(["plan", "--seed", "7", "--profile", "slow"]) == exits.USAGE


def test_run_is_pytest_with_mqcheck(sandbox: Any) -> None:
    sandbox.world(kill={"verdicts": {"dur-two": "inconclusive"}})
    done = mqcheck(sandbox, "run", "--select", "kill", "--seed=9", "-q", "-p", "no:randomly")
    assert done.returncode == exits.INCONCLUSIVE, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    assert sandbox.report()["run"]["seed"] == 9


def test_config_says_where_each_value_comes_from(sandbox: Any) -> None:
    sandbox.write("pyproject.toml", '[tool.mqcheck]\nprofile = "full"\nselect = ["dur-*", "con-*"]\n')
    done = mqcheck(sandbox, "config", MQCHECK_SEED="5")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert lines["profile"].split() == ["profile", "full", "[tool.mqcheck]", "of", "pyproject.toml"]
    assert lines["seed"].split() == ["seed", "5", "environment", "MQCHECK_SEED"]
    assert lines["select"].split()[1:3] == ["dur-*", "con-*"]
    assert lines["target"].split() == ["target", "reference", "default"]
    sandbox.write("pyproject.toml", "[tool.mqcheck]\nprofil = 1\n")
    wrong = mqcheck(sandbox, "config")
    assert wrong.returncode == exits.USAGE
    assert "did you mean 'profile'?" in wrong.stderr


def recorded(folder: Path, trouble: str | None = None) -> Path:
    """The smallest history: a plan and one empty stream."""
    history = folder / "history" / "steady"
    (history / "events").mkdir(parents=True)
    header = {"e": "streams", "t": 1, "format": 1, "run": "r", "process": "kit", "number": 0, "life": 0, "pid": 1}
    lines = [{**header, "boot": "b", "wall_ns": 1}, {"e": "streams", "w": "e", "t": 2, "lines": 2}]
    (history / "events" / "kit.0.jsonl").write_text(
        "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    )
    plan = {
        "format": 1,
        "run": "r",
        "scenario": "steady",
        "target": "reference",
        "target_version": "1",
        "profile": "quick",
        "seed": 1,
        "aims": ["dur-ack-kill"],
        "capabilities": ["kill"],
        "sabotage": None,
        "odd": None,
        "started": "2026-01-01T00:00:00+00:00",
        "replay": "pytest --mqcheck",
        "seconds": 1.5,
        "harness_error": trouble,
    }
    (history / "plan.json").write_text(json.dumps(plan))
    return history


@pytest.mark.slow
def test_check_judges_a_recorded_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = recorded(tmp_path)
    assert main(["check", str(tmp_path)]) == exits.INCONCLUSIVE
    assert "inconclusive mqcheck::steady::dur-ack-kill" in capsys.readouterr().out
    assert main(["check", str(history), "--json"]) == exits.INCONCLUSIVE
    report = json.loads(capsys.readouterr().out)
    assert [scenario["name"] for scenario in report["scenarios"]] == ["steady"]
    assert report["run"]["seconds"] == 1.5
    told = {verdict["guarantee"]: verdict["verdict"] for verdict in report["verdicts"]}
    assert told["dur-ack-kill"] == "inconclusive"
