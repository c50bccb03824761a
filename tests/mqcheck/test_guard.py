"""The guard: what a run made is gone after its death, and nothing else is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mqcheck.errors import HarnessError
from mqcheck.guard import Guard, Ward, process_state, start_time

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]

RUNNER = """
import subprocess, sys, time
from pathlib import Path
from mqcheck.guard import Guard
sleeper = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
folder = Path(sys.argv[1])
folder.mkdir()
(folder / "file").write_text("x")
guard = Guard()
guard.folder(folder)
registered = subprocess.Popen(sleeper, process_group=0, stdout=subprocess.PIPE)
guard.process(registered.pid)
marked = subprocess.Popen(sleeper, process_group=0, stdout=subprocess.PIPE, env=guard.environment())
registered.stdout.readline(); marked.stdout.readline()
registered.send_signal(19)
print(guard.pid, registered.pid, marked.pid, flush=True)
time.sleep(60)
"""


def eventually(condition: Callable[[], bool]) -> None:
    """Poll with a generous deadline; the event itself is what is asserted."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def ignores(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    mask = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")), 16)
    return bool(mask >> (number - 1) & 1)


def sleeper(**options: object) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(SLEEPER, stdout=subprocess.PIPE, process_group=0, **options)  # type: ignore[call-overload]
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    process.stdout.close()
    return process  # type: ignore[no-any-return]


@pytest.mark.slow
def test_kill_9_of_the_runner_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(folder)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert runner.stdout is not None
    with runner.stdout:
        pids = [int(word) for word in runner.stdout.readline().split()]
    assert all(start_time(pid) for pid in pids)
    runner.kill()
    runner.wait()
    eventually(lambda: not any(start_time(pid) for pid in pids))
    assert not folder.exists()


@pytest.mark.slow
def test_an_orderly_close_cleans_up_too_and_waits(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    kept = tmp_path / "kept"
    kept.mkdir()
    guard = Guard()
    process = sleeper(env=guard.environment())
    for path in (folder, kept):
        guard.folder(path)
    guard.release(kept)
    guard.close()
    assert not folder.exists()
    assert kept.exists()
    assert process.wait(10) == -signal.SIGKILL
    guard.close()


@pytest.mark.slow
def test_ctrl_c_of_the_terminal_does_not_reach_the_guard() -> None:
    guard = Guard()
    try:
        assert os.getsid(guard.pid) != os.getsid(0)
        eventually(lambda: ignores(guard.pid, signal.SIGINT))
        os.kill(guard.pid, signal.SIGINT)
        process = sleeper(env=guard.environment())
        guard.process(process.pid)
    finally:
        guard.close()
    assert process.wait(10) == -signal.SIGKILL


@pytest.mark.slow
def test_a_dead_guard_is_a_harness_error() -> None:
    guard = Guard()
    os.kill(guard.pid, signal.SIGKILL)
    eventually(lambda: start_time(guard.pid) is None)
    with pytest.raises(HarnessError, match="guard process"):
        guard.process(os.getpid())
    guard.close()


def test_a_recycled_pid_is_never_killed() -> None:
    process = sleeper()
    ward = Ward("no such mark")
    ward.take(json.dumps({"do": "process", "pid": process.pid, "start": "12"}).encode())
    ward.clean()
    assert process.poll() is None
    process.kill()
    process.wait()


def test_what_was_forgotten_or_released_is_left_alone(tmp_path: Path) -> None:
    ward = Ward("no such mark")
    for told in (
        {"do": "process", "pid": os.getpid(), "start": start_time(os.getpid())},
        {"do": "forget", "pid": os.getpid()},
        {"do": "folder", "path": str(tmp_path)},
        {"do": "mount", "path": str(tmp_path)},
        {"do": "release", "path": str(tmp_path)},
    ):
        ward.take(json.dumps(told).encode())
    ward.take(b'{"do": "folder", "pa')
    assert (ward.processes, ward.folders, ward.mounts) == ({}, [], [])
    ward.clean()
    assert tmp_path.exists()


def test_children_may_keep_what_they_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    guard = Guard()
    try:
        assert "PYTHONDONTWRITEBYTECODE" not in guard.environment()
    finally:
        guard.close()


def test_a_stopped_process_is_seen_as_such() -> None:
    process = sleeper()
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: process_state(process.pid) == "T")
    process.kill()
    process.wait()
    assert start_time(process.pid) is None
    assert process_state(process.pid) is None
