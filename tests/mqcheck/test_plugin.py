"""The plugin's door: options, precedence, exit statuses, errors, and its price."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mqcheck import exits
from mqcheck.options import SETTINGS


def test_every_setting_is_an_option_with_help(sandbox: Any) -> None:
    text = sandbox.pytest("--help").stdout
    for setting in SETTINGS:
        assert setting.option in text
        assert setting.dest in text, "the ini option"


def test_command_line_wins_over_environment_over_files(sandbox: Any) -> None:
    sandbox.write("pyproject.toml", '[tool.mqcheck]\nprofile = "full"\nseed = 3\n')
    sandbox.write("pytest.ini", "[pytest]\nmqcheck_seed = 2\nmqcheck_target = reference\n")
    header = "profile={} seed={}"
    from_file = sandbox.pytest("--mqcheck", "--collect-only")
    assert header.format("full", 3) in from_file.stdout, from_file.stdout + from_file.stderr
    from_environment = sandbox.pytest("--mqcheck", "--collect-only", MQCHECK_SEED="4")
    assert header.format("full", 4) in from_environment.stdout
    given = sandbox.pytest(
        "--mqcheck", "--collect-only", "--mqcheck-seed=5", "--mqcheck-profile=quick", MQCHECK_SEED="4"
    )
    assert header.format("quick", 5) in given.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--mqcheck-target", "kafka"), "no target is called 'kafka'"),
        (("--mqcheck-profile", "fast"), "'fast' is none of quick, full"),
        (("--mqcheck-select", "dur-onne"), "near: dur-one"),
        (("--mqcheck-sabotage", "a", "--mqcheck-odd", "b"), "choose one"),
        (("-n", "2", "--dist", "each"), "--dist each would split"),
        (("-n", "2", "--dist", "worksteal"), "--dist worksteal would split"),
        (("--mqcheck-report", "."), "write --mqcheck-report="),
        (("--mqcheck-report=conftest.py/report",), "--mqcheck-report"),
    ],
)
def test_what_cannot_be_used_is_a_usage_error(sandbox: Any, arguments: tuple[str, ...], told: str) -> None:
    done = sandbox.pytest("--mqcheck", *arguments)
    assert done.returncode == exits.USAGE, done.stdout + done.stderr
    assert told in done.stderr + done.stdout
    assert not sandbox.log("began")


@pytest.mark.slow
def test_workers_have_the_ini_of_the_run_wherever_the_report_goes(sandbox: Any, tmp_path_factory: Any) -> None:
    sandbox.world(steady={"verdicts": {"con-three": "violated"}})
    sandbox.write("pytest.ini", "[pytest]\naddopts = --mqcheck-strict\n")
    done = sandbox.pytest("--mqcheck", "-n", "2", "--mqcheck-report", str(tmp_path_factory.mktemp("out") / "report"))
    assert done.returncode == exits.VIOLATED, done.stdout + done.stderr


def test_without_the_kit_it_says_what_to_install(sandbox: Any) -> None:
    sandbox.write("conftest.py", "from mqcheck import machinery\nmachinery.KIT_MODULES = ('no_such_module',)\n")
    done = sandbox.pytest("--mqcheck")
    assert done.returncode == exits.USAGE
    assert 'pip install "mqcheck[kit]"' in done.stderr
    assert sandbox.pytest().returncode == exits.NOTHING_COLLECTED


@pytest.mark.parametrize(
    ("change", "arguments", "status"),
    [
        ({}, (), exits.HELD),
        ({"verdicts": {"dur-one": "violated"}}, (), exits.VIOLATED),
        ({"verdicts": {"dur-one": "inconclusive"}}, (), exits.INCONCLUSIVE),
        ({"verdicts": {"dur-one": "not applicable"}}, (), exits.HELD),
        ({"raises": "the proxy is gone"}, (), exits.HARNESS_ERROR),
        ({"harness_error": "the proxy is gone"}, (), exits.HARNESS_ERROR),
        ({"missing": "no toxiproxy-server"}, (), exits.USAGE),
        ({"verdicts": {"con-three": "violated"}}, (), exits.HELD),
        ({"verdicts": {"con-three": "violated"}}, ("--mqcheck-strict",), exits.VIOLATED),
        ({"verdicts": {"dur-two": "violated"}}, (), exits.VIOLATED),
        ({"verdicts": {"dur-two": "violated"}}, ("-k", "dur-one"), exits.HELD),
        ({}, ("-k", "nothing"), exits.NOTHING_COLLECTED),
    ],
)
def test_exit_statuses(sandbox: Any, change: dict[str, Any], arguments: tuple[str, ...], status: int) -> None:
    sandbox.world(steady=change)
    done = sandbox.pytest("--mqcheck", *arguments)
    assert done.returncode == status, done.stdout + done.stderr


def test_a_failing_test_of_ones_own_is_no_verdict(sandbox: Any) -> None:
    sandbox.world(steady={"verdicts": {"dur-one": "inconclusive"}})
    sandbox.write("test_own.py", "def test_own():\n    assert 0\n")
    assert sandbox.pytest("--mqcheck", "test_own.py").returncode == exits.VIOLATED


def test_a_violation_outside_the_selection_is_shown_and_changes_nothing(sandbox: Any) -> None:
    sandbox.world(steady={"verdicts": {"dur-two": "violated"}})
    done = sandbox.pytest("--mqcheck", "-k", "steady and dur-one")
    assert done.returncode == exits.HELD
    assert "violated mqcheck::steady::dur-two" in done.stdout
    assert sandbox.report()["summary"]["violated"] == 1


def test_the_run_folder_is_complete_and_latest_points_at_it(sandbox: Any) -> None:
    done = sandbox.pytest("--mqcheck", "--junitxml", "junit.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    latest = sandbox.folder / ".mqcheck" / "latest"
    assert latest.is_symlink()
    assert {"report.json", "report.html", "history"} <= {path.name for path in latest.iterdir()}
    text = (sandbox.folder / "junit.xml").read_text()
    for name, value in (("level", "SHOULD"), ("guarantee", "con-three"), ("scenario", "steady"), ("verdict", "held")):
        assert f'<property name="{name}" value="{value}"' in text
    assert "MUST: held 2, violated 0, inconclusive 0, not tested 0" in done.stdout


def test_a_given_report_folder_is_used_and_used_again(sandbox: Any) -> None:
    for _ in range(2):
        done = sandbox.pytest("--mqcheck", "--mqcheck-report", "out", "-k", "cut")
        assert done.returncode == 0, done.stdout + done.stderr
    assert (sandbox.folder / "out" / "report.json").exists()
    assert not (sandbox.folder / ".mqcheck").exists()


def test_junit_survives_hostile_evidence(sandbox: Any) -> None:
    import xml.etree.ElementTree as ET

    sandbox.world(steady={"verdicts": {"dur-one": "violated"}})
    sandbox.pytest("--mqcheck", "--junitxml", "junit.xml")
    tree = ET.parse(sandbox.folder / "junit.xml")
    assert "m-17#x00" in "".join(tree.getroot().itertext())


def test_a_bare_import_brings_nothing_heavy() -> None:
    heavy = "{'duckdb', 'sqlglot', 'faker', 'jinja2', 'typer', 'rich', 'asyncio', 'xdist', 'msgspec'}"
    code = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import mqcheck.plugin, mqcheck.hooks, mqcheck.options\n"
        f"print(sorted({{name.split('.')[0] for name in set(sys.modules) - before}} & {heavy}))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
