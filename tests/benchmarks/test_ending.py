"""Ctrl-C and SIGTERM end a benchmark and all it has started; neither a process nor a folder stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
PATIENCE_S = 30.0
SLEEPER = """
import sys
sys.path.insert(0, sys.argv[1])
from systems import end_on_signals, folder, running
end_on_signals()
child = "import signal; {}; print('up', flush=True); signal.pause(); signal.pause()"
command = [sys.executable, "-c", child.format(sys.argv[2])]
with folder("kept-") as home, running(command, end_s=0.3, stdout=-1) as process:
    process.stdout.readline()
    (home / "file").write_text("x")
    print("up", flush=True)
    process.wait()
"""
REFERENCE = """
import signal, sys
sys.path.insert(0, sys.argv[1])
from systems import end_on_signals, start
end_on_signals()
with start("reference", "ASYNC_FLUSH") as system:
    used = system.cpu_s()
    assert 0 < used < 60, used
    print("up", flush=True)
    signal.pause()
"""
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)"

pytestmark = pytest.mark.slow


def begun(command: list[str], temporary: Path) -> subprocess.Popen[bytes]:
    """A benchmark in a session of its own, whose temporary folders are all in one place."""
    environment = os.environ | {"TMPDIR": str(temporary)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT, start_new_session=True)


def of_session(session: int) -> list[int]:
    """Processes of a session that run."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its = place.read_text(errors="replace").rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(its) == session and state != "Z":
            found.append(int(place.parent.name))
    return found


def nothing_is_left(process: subprocess.Popen[bytes], temporary: Path) -> None:
    assert process.stdout is not None
    process.stdout.close()
    assert of_session(process.pid) == []
    assert list(temporary.iterdir()) == []


def until(seen: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not seen():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("child", ["pass", DEAF], ids=["willing", "deaf"])
def test_a_signal_ends_child_and_folder(tmp_path: Path, number: signal.Signals, child: str) -> None:
    process = begun([sys.executable, "-c", SLEEPER, str(BENCHMARKS), child], tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    assert len(of_session(process.pid)) == 2
    assert list(tmp_path.glob("kept-*/file"))
    process.send_signal(number)
    process.send_signal(signal.SIGINT)  # whoever is impatient changes nothing
    assert process.wait(PATIENCE_S) in (128 + number, 128 + signal.SIGINT)
    nothing_is_left(process, tmp_path)


def test_the_reference_is_ended(tmp_path: Path) -> None:
    process = begun([sys.executable, "-c", REFERENCE, str(BENCHMARKS)], tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 128 + signal.SIGTERM
    nothing_is_left(process, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.11])
def test_a_benchmark_ends_wherever_it_is(tmp_path: Path, number: signal.Signals, delay_s: float) -> None:
    process = begun([sys.executable, str(BENCHMARKS / "ready.py")], tmp_path)
    until(lambda: any(tmp_path.iterdir()))
    time.sleep(delay_s)  # into whatever it is doing then
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == 128 + number
    nothing_is_left(process, tmp_path)
