"""`mqcheck matrix`: one target's end leaves the others, progress is told, Ctrl-C leaves a page and no process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mqcheck import exits
from mqcheck.errors import SettingsError
from mqcheck.matrix import prepare, pytest_words, run_folders

TARGETS = """

from mqcheck.targets.reference import ReferenceTarget


def pytest_mqcheck_targets(config):
    return {name: ReferenceTarget() for name in ("house", "dying", "silent", "slow")}


def pytest_configure(config):
    target = config.option.mqcheck_target
    if target == "dying":
        print("mqcheck: about to die", flush=True)
        os._exit(9)
    if target == "house":
        WORLD["scenarios"]["kill"]["verdicts"] = {"dur-two": "violated"}
    if target == "slow":
        WORLD["scenarios"]["kill"]["delay"] = 300
"""
POLL_SECONDS = 0.05
SECONDS_MAX = 60.0


@pytest.fixture
def house(sandbox: Any) -> Any:
    """A sandbox with more targets: one that breaks a promise, one whose process dies, one that never ends."""
    sandbox.write("conftest.py", (sandbox.folder / "conftest.py").read_text() + TARGETS)
    return sandbox


def begin(sandbox: Any, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mqcheck", "matrix", *arguments],
        cwd=sandbox.folder,
        env=sandbox.environment(PYTEST_ADDOPTS="-p no:randomly -p no:asyncio"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def matrix(sandbox: Any, *arguments: str) -> tuple[int, str]:
    process = begin(sandbox, *arguments)
    output = process.communicate(timeout=SECONDS_MAX)[0]
    return process.returncode, output


def made(sandbox: Any, folder: str = "out") -> dict[str, Any]:
    data: dict[str, Any] = json.loads((sandbox.folder / folder / "matrix.json").read_text())
    return data


@pytest.mark.slow
def test_targets_stand_side_by_side_and_a_crash_leaves_the_others(house: Any) -> None:
    status, output = matrix(house, "reference", "dying", "house", "--report", "out", "--seed", "5")
    assert status == exits.VIOLATED, output
    data = made(house)
    assert [column["title"] for column in data["columns"]] == ["reference", "dying", "house"]
    assert [column["seed"] for column in data["columns"]] == [5, None, 5]
    assert [column["status"] for column in data["columns"]] == [0, 9, 1]
    assert data["columns"][1]["trouble"] == "ended with status 9: mqcheck: about to die"
    (row,) = [row for row in data["rows"] if row["group"] == "different"]
    assert row["id"] == "dur-two"
    assert [cell and cell["verdict"] for cell in row["cells"]] == ["held", None, "violated"]
    assert row["cells"][2]["link"] == "house/report.html#see-dur-two"
    assert 'id="see-dur-two"' in (house.folder / "out" / "house" / "report.html").read_text()
    for told in ("reference: pytest --mqcheck", "kill: 2 held (", "kill: 1 violated", "matrix: out/matrix.html"):
        assert told in output
    assert "1 differ" in output
    again, output = matrix(house, "--from", "out/reference", "out/house", "--report", "again")
    assert again == exits.VIOLATED, output
    assert made(house, "again")["columns"][0]["report"] == "../out/reference/report.html"


@pytest.mark.slow
def test_a_run_that_dies_in_the_middle_keeps_what_it_had_judged(house: Any) -> None:
    house.world(cut={"dies": True}, kill={"verdicts": {"dur-two": "violated"}})
    status, output = matrix(house, "reference", "--report", "out", "--concurrency", "1")
    assert status == exits.VIOLATED, output
    (column,) = made(house)["columns"]
    assert (column["status"], column["scenarios"]) == (9, 2)
    assert column["trouble"].startswith("ended with status 9")
    cells = {row["id"]: row["cells"][0]["verdict"] for row in made(house)["rows"]}
    assert (cells["dur-one"], cells["dur-two"]) == ("held", "violated")
    assert (house.folder / "out" / "reference" / "report.html").is_file()


@pytest.mark.slow
def test_held_undecided_and_wrong_targets_have_their_own_status(house: Any) -> None:
    assert matrix(house, "reference", "--report", "one", "--select", "steady")[0] == exits.HELD
    house.world(kill={"verdicts": {"dur-two": "inconclusive"}})
    assert matrix(house, "reference", "--report", "two", "-n", "2")[0] == exits.INCONCLUSIVE
    status, output = matrix(house, "reference", "refrence", "--report", "three")
    assert status == exits.USAGE
    assert "no target is called 'refrence'" in output
    assert made(house, "three")["columns"][0]["status"] == exits.INCONCLUSIVE


@pytest.mark.slow
def test_interrupted_it_ends_its_run_and_writes_what_there_is(house: Any) -> None:
    process = begin(house, "reference", "slow", "house", "--report", "out")
    wait_for((house.folder / "out" / "slow" / "history" / "steady" / "verdicts.json").exists)
    os.kill(process.pid, signal.SIGINT)
    output = process.communicate(timeout=SECONDS_MAX)[0]
    assert process.returncode == exits.INTERRUPTED, output
    assert house.log("cancelled"), output
    first, second, third = made(house)["columns"]
    assert (first["trouble"], first["scenarios"]) == ("", 3)
    assert second["trouble"].startswith("interrupted")
    assert second["scenarios"] == 2
    assert third["trouble"] == "not run: interrupted before its turn"
    assert not alive(house.folder)


@pytest.mark.slow
def test_killed_it_leaves_no_process(house: Any) -> None:
    process = begin(house, "slow", "--report", "out")
    wait_for((house.folder / "out" / "slow" / "history" / "kill").exists)
    assert alive(house.folder)
    process.kill()
    process.wait()
    wait_for(lambda: not alive(house.folder))
    assert process.stdout is not None
    process.stdout.close()


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)


def alive(folder: Path) -> list[str]:
    """Runs that work in the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"--mqcheck" in words and (entry / "cwd").resolve() == folder.resolve():
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_each_target_has_a_folder_of_its_own() -> None:
    assert run_folders(["reference", "apache:5.4.0", "exec:files/My Broker.toml"]) == [
        *("reference", "apache-5.4.0", "exec-My-Broker")
    ]
    with pytest.raises(SettingsError, match="name each target once"):
        run_folders(["reference", "reference"])


def test_a_folder_with_something_else_in_it_is_not_cleared(tmp_path: Path) -> None:
    prepare(tmp_path / "new", ["reference"])
    (tmp_path / "new" / "reference" / "history").mkdir(parents=True)
    (tmp_path / "new" / "matrix.json").touch()
    prepare(tmp_path / "new", ["reference"])
    assert not list((tmp_path / "new").iterdir())
    (tmp_path / "new" / "reference").mkdir()
    (tmp_path / "new" / "reference" / "thesis.txt").touch()
    with pytest.raises(SettingsError, match=r"holds 'reference/thesis\.txt'"):
        prepare(tmp_path / "new", ["reference"])
    with pytest.raises(SettingsError, match="holds 'reference'"):
        prepare(tmp_path / "new", ["house"])
    with pytest.raises(SettingsError, match="cannot be used"):
        prepare(tmp_path / "new" / "reference" / "thesis.txt", ["house"])


def test_the_command_of_a_target_repeats_lists_and_leaves_out_what_nobody_asked_for() -> None:
    words = pytest_words({"select": ["dur-*", "con-*"], "strict": True, "profile": None, "-n": "2", "seed": 0}, [])
    assert words("apache:5.4.0", Path("out"))[2:] == [
        *("pytest", "--mqcheck", "--mqcheck-target=apache:5.4.0", "--mqcheck-report=out"),
        *("--mqcheck-select=dur-*", "--mqcheck-select=con-*", "--mqcheck-strict", "-n", "2", "--mqcheck-seed=0"),
    ]
