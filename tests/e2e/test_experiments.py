"""Every ready experiment on the reference, and what a run that ends halfway leaves behind: nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqcheck import exits
from mqcheck.guard import start_time
from mqcheck.targets.faketime import missing_clock

pytest.importorskip("chaoslib", reason='needs Chaos Toolkit: pip install "mqcheck[chaos]"')

import jsonschema
from chaoslib.experiment import ensure_experiment_is_valid

from mqcheck.chaos.numbers import schema
from tests.mqcheck.chaos.conftest import check_journal

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted((ROOT / "docs" / "experiments").glob("*.yaml"))
ATTEMPTS_MAX = 3
"""On a machine that stands still while the experiment runs."""
STALLED_MS_MAX = 500

LASTING = """
title: One that lasts
description: until it is ended from outside
controls:
- name: mqcheck
  provider:
    type: python
    module: mqcheck.chaos.control
    arguments: {load: [{}], consumers: [{process: true}], warm_up: 5, report: out}
method:
- type: action
  name: freeze
  provider: {type: python, module: mqcheck.chaos.actions, func: inject, arguments: {fault: pause, where: broker-a}}
- type: action
  name: cut
  provider:
    type: python
    module: mqcheck.chaos.actions
    func: inject
    arguments: {fault: blackhole, where: "producer-1->broker-a"}
  pauses: {after: 600}
"""

SHORT = """
title: A short one
description: that Chaos Toolkit's own command line runs
configuration: {rate: 60, most: 0}
runtime: {rollbacks: {strategy: always}}
controls:
- name: mqcheck
  provider:
    type: python
    module: mqcheck.chaos.control
    arguments: {load: [{rate_per_s: "${rate}"}], consumers: [{}], guarantees: [con-alo], report: out, seed: 7}
method:
- type: action
  name: freeze
  provider: {type: python, module: mqcheck.chaos.actions, func: inject, arguments: {fault: pause, where: broker-a}}
  pauses: {after: 0.3}
- type: action
  name: go-on
  provider: {type: python, module: mqcheck.chaos.actions, func: heal, arguments: {name: pause}}
- type: action
  name: catch-up
  provider:
    type: python
    module: mqcheck.chaos.actions
    func: wait_until
    arguments: {probe: consumer_lag, within_s: 60, at_most: 20}
rollbacks:
- type: action
  name: few
  provider:
    type: python
    module: mqcheck.chaos.actions
    func: wait_until
    arguments: {probe: acknowledged, within_s: 0, at_most: "${most}"}
"""


def run(experiment: Path, folder: Path) -> tuple[int, dict[str, Any], str]:
    """Exit status, journal and output."""
    command = [sys.executable, "-m", "mqcheck", "chaos", "run", str(experiment), "--report", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    path = folder / "journal.json"
    journal = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return done.returncode, journal, done.stdout + done.stderr


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda path: path.stem)
def test_a_ready_experiment_holds_on_the_reference(experiment: Path, tmp_path: Path) -> None:
    if experiment.stem == "clock-jump" and (why := missing_clock()):
        pytest.skip(why)
    for attempt in range(ATTEMPTS_MAX):
        status, journal, told = run(experiment, tmp_path / str(attempt))
        assert journal, told
        numbers = journal["mqcheck"]["numbers"]
        if status == exits.HELD or numbers["stalled_ms"] < STALLED_MS_MAX:
            break
    else:
        pytest.skip(f"the machine stood still for {numbers['stalled_ms']} ms of {numbers['observed_ms']} ms")
    assert status == exits.HELD, told
    ensure_experiment_is_valid(journal["experiment"])
    check_journal(journal)
    jsonschema.validate(numbers, schema())
    assert all(each["verdict"] == "held" for each in journal["mqcheck"]["guarantees"]), told
    if experiment.stem == "power-cut":
        assert numbers["rpo"]["lost_by_broker"]["broker-sync"] == 0
        assert numbers["rpo"]["lost_by_broker"]["broker-async"] > 0
    else:
        assert numbers["rpo"]["lost_messages"] == 0, told


def descendants(pid: int) -> dict[int, str]:
    """Live processes below one, with the time at which each began."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(entry.name))
    found, waiting = {}, [pid]
    while waiting:
        for child in parents.get(waiting.pop(), ()):
            waiting.append(child)
            if (began := start_time(child)) is not None:
                found[child] = began
    return found


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 400
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_run_that_ends_halfway_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "lasting.yaml").write_text(LASTING)
    log = tmp_path / "log"
    with log.open("wb") as output:
        runner = subprocess.Popen(
            [sys.executable, "-m", "mqcheck", "chaos", "run", "lasting.yaml"],
            cwd=tmp_path,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    try:
        eventually(lambda: b"cut: succeeded" in log.read_bytes() or runner.poll() is not None, "it never began")
        assert runner.poll() is None, log.read_text()
        left = descendants(runner.pid)
        assert len(left) >= 4, left
        runner.send_signal(number)
        runner.wait(120)
    finally:
        runner.kill()
        runner.wait()
    eventually(lambda: not any(start_time(pid) == began for pid, began in left.items()), f"left: {left}")
    assert not list((tmp_path / "out" / "history").glob("*/nodes"))
    if number != signal.SIGKILL:
        assert runner.returncode == exits.INTERRUPTED, log.read_text()
        journal = json.loads((tmp_path / "out" / "journal.json").read_text())
        check_journal(journal)
        assert journal["status"] == "interrupted"


@pytest.mark.parametrize("mends", [True, False], ids=["mended", "rollback fails"])
def test_chaos_toolkits_own_command_runs_an_experiment(mends: bool, tmp_path: Path) -> None:
    pytest.importorskip("chaostoolkit", reason="needs Chaos Toolkit's command line: pip install chaostoolkit")
    (tmp_path / "short.yaml").write_text(SHORT)
    command = [sys.executable, "-m", "chaostoolkit", "--no-version-check", "run", "short.yaml"]
    command += ["--journal-path", "there.json", "--var", "rate=80", "--var", f"most={10**9 if mends else 0}"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=env)
    told = done.stdout + done.stderr
    assert done.returncode == (0 if mends else 1), told
    journal = json.loads((tmp_path / "there.json").read_text())
    check_journal(journal)
    assert (journal["status"], journal["deviated"]) == ("completed" if mends else "failed", False)
    own = journal["mqcheck"]
    (promise,) = own["guarantees"]
    assert promise["guarantee"] == "con-alo"
    assert promise["verdict"] in ("held", "inconclusive")  # the latter on a machine that stands still
    assert own["numbers"]["episodes"][0]["faults"] == ["pause"]
    assert (tmp_path / "out" / "report.html").is_file()
    assert f"mqcheck: guarantee con-alo: {promise['verdict']}" in told
    assert ("mqcheck: failed: rollback 'few': " in told) != mends
