"""A wall clock of one's own: only it moves, both ways, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqcheck.guard import Guard
from mqcheck.targets.faketime import CACHE_SECONDS, LIBRARY, SHARED_FOLDER, NodeClock, find_library

needs_library = pytest.mark.skipif(find_library() is None, reason="no libfaketime: install it (Debian: faketime)")

SECONDS_MAX = 30.0
SAY = "import sys, time\nfor line in sys.stdin: print(time.time(), time.monotonic(), flush=True)"


def test_the_library_is_found_where_packages_put_it(tmp_path: Path) -> None:
    assert find_library([f"{tmp_path}/*/faketime"]) is None
    place = tmp_path / "x86_64-linux-gnu" / "faketime"
    place.mkdir(parents=True)
    (place / LIBRARY).touch()
    assert find_library([f"{tmp_path}/none", f"{tmp_path}/*/faketime"]) == place / LIBRARY


def test_the_file_says_seconds_with_a_sign_and_others_preloads_stay(tmp_path: Path) -> None:
    clock = NodeClock(Path("/lib/ft.so"), tmp_path / "nodes" / "broker-a.clock")
    file = tmp_path / "nodes" / "broker-a.clock"
    assert file.read_text(encoding="ascii") == "+0.000\n"
    clock.set(-3_600_500)
    assert file.read_text(encoding="ascii") == "-3600.500\n"
    assert list(file.parent.iterdir()) == [file]
    found = clock.environment({"LD_PRELOAD": "/own.so", "A": "b"})
    name = found.pop("FAKETIME_SHARED").split()[0][1:]
    shared = [SHARED_FOLDER / name, SHARED_FOLDER / f"sem.{name}"]
    assert all(path.exists() for path in shared)
    clock.settle()
    assert not any(path.exists() for path in shared)
    assert found == {
        "A": "b",
        "LD_PRELOAD": "/lib/ft.so:/own.so",
        "FAKETIME_TIMESTAMP_FILE": str(file.resolve()),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "NO_FAKE_STAT": "1",
    }


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], NodeClock]]:
    """A process that says what time it is whenever it is asked, and its clock."""
    library = find_library()
    assert library is not None
    clock = NodeClock(library, tmp_path / "clock")
    with subprocess.Popen(
        [sys.executable, "-c", SAY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **clock.environment({})},
    ) as child:
        try:
            yield child, clock
        finally:
            child.kill()
            clock.settle()


def times(child: subprocess.Popen[str]) -> tuple[float, float]:
    """How far its wall and monotonic clocks are from ours, in seconds."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("?\n")
    child.stdin.flush()
    wall, monotonic = map(float, child.stdout.readline().split())
    return wall - time.time(), monotonic - time.monotonic()


@needs_library
def test_the_wall_clock_jumps_there_and_back_and_the_monotonic_one_stays(
    process: tuple[subprocess.Popen[str], NodeClock],
) -> None:
    child, clock = process
    for offset_s in (3_600, -1_800, 0):
        clock.set(offset_s * 1_000)
        deadline = time.monotonic() + SECONDS_MAX
        while abs(times(child)[0] - offset_s) > 60:
            assert time.monotonic() < deadline, f"{times(child)} instead of {offset_s} after {CACHE_SECONDS} s"
            time.sleep(0.05)
        assert abs(times(child)[1]) < SECONDS_MAX


SLEEPER = """
public class Sleeper {
    public static void main(String[] words) throws Exception {
        Thread[] threads = new Thread[8];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(() -> { try { Thread.sleep(3000); } catch (InterruptedException e) { } });
            threads[i].start();
        }
        for (Thread thread : threads) thread.join();
        System.out.println(((com.sun.management.OperatingSystemMXBean)
            java.lang.management.ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1000000);
    }
}
"""


@needs_library
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("javac") is None, reason="no javac: install a JDK")
@pytest.mark.parametrize("offset_ms", [0, 3_600_000])
def test_threads_of_a_jvm_that_wait_do_not_spin(tmp_path: Path, offset_ms: int) -> None:
    (tmp_path / "Sleeper.java").write_text(SLEEPER, encoding="ascii")
    library = find_library()
    assert library is not None
    clock = NodeClock(library, tmp_path / "clock")
    clock.set(offset_ms)
    java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", str(tmp_path), "Sleeper"]
    subprocess.run(["javac", "-d", tmp_path, tmp_path / "Sleeper.java"], check=True, timeout=120)
    environment = {**os.environ, **clock.environment({})}
    try:
        done = subprocess.run(java, env=environment, check=True, capture_output=True, text=True, timeout=120)
    finally:
        clock.settle()
    assert int(done.stdout) < 2_000, "eight threads that sleep for 3 s took ms of CPU"


@needs_library
def test_a_killed_process_leaves_no_shared_memory(process: tuple[subprocess.Popen[str], NodeClock]) -> None:
    child, clock = process
    times(child)
    clock.settle()
    clock.set(7_200_000)
    deadline = time.monotonic() + SECONDS_MAX
    while abs(times(child)[0] - 7_200) > 60:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.kill()
    child.wait()
    assert not [path for path in SHARED_FOLDER.iterdir() if path.name.endswith(f"_{child.pid}")]
    assert not list(SHARED_FOLDER.glob(f"*mqcheck-{os.getpid()}-*"))


def test_a_life_that_never_settles_is_left_to_the_guard(tmp_path: Path) -> None:
    guard = Guard()
    try:
        clock = NodeClock(Path("/lib/ft.so"), tmp_path / "clock", guard)
        name = clock.environment({})["FAKETIME_SHARED"].split()[0][1:]
        shared = [SHARED_FOLDER / name, SHARED_FOLDER / f"sem.{name}"]
        assert all(path.exists() for path in shared)
    finally:
        guard.close()
    assert not any(path.exists() for path in shared)
