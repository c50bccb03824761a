"""How soon is the reference ready? Median of 20 starts of ``python -m reference_impl all``, against a bare interpreter.

The ratio to ``python -c pass`` in the same run is what compares machines; the milliseconds are for this one. Processor
time until ready is printed too: other work on the machine counts less there. Modules are compiled once, before.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from systems import end_on_signals, folder, running

RUNS = 20
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def ready_ms(home: Path) -> tuple[float, float]:
    """Milliseconds from the start of the process to its ready line: by the clock, and of processor time (Linux)."""
    command = [sys.executable, "-m", "reference_impl", "all", "-p", "namesrv.listenPort=0", "-p", "broker.listenPort=0"]
    began = time.perf_counter()
    with running([*command, "-p", f"storePathRootDir={home}"], stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        elapsed = (time.perf_counter() - began) * 1000
        used = int(Path(f"/proc/{process.pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e6
    if json.loads(line)["role"] != "all":
        raise SystemExit(f"unexpected ready line: {line!r}")
    return elapsed, used


def bare_ms() -> float:
    """Milliseconds of an interpreter that does nothing."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Run both in turn and print medians and their ratio."""
    readies: list[float] = []
    used: list[float] = []
    bares: list[float] = []
    end_on_signals()
    with folder("ready-") as home:
        ready_ms(home)
    for _ in range(RUNS):
        with folder("ready-") as home:
            by_clock, of_processor = ready_ms(home)
        readies.append(by_clock)
        used.append(of_processor)
        bares.append(bare_ms())
    ready, bare = statistics.median(readies), statistics.median(bares)
    print(f"ready: median {ready:.0f} ms of {RUNS} (min {min(readies):.0f}, max {max(readies):.0f})")
    print(f"processor time until ready: median {statistics.median(used):.0f} ms (min {min(used):.0f})")
    print(f"bare interpreter: median {bare:.0f} ms; ratio {ready / bare:.1f}")


if __name__ == "__main__":
    main()
