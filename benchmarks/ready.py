"""How soon is the reference ready? Median of 20 starts of ``python -m reference_impl all``, against a bare interpreter.

The ratio to ``python -c pass`` in the same run is what compares machines; the milliseconds are for this one.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 20


def ready_ms(folder: str) -> float:
    """Milliseconds from the start of the process to its ready line."""
    command = [sys.executable, "-m", "reference_impl", "all", "-p", "namesrv.listenPort=0", "-p", "broker.listenPort=0"]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "-p", f"storePathRootDir={folder}"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = process.stdout.readline()
    elapsed = (time.perf_counter() - began) * 1000
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    process.stdout.close()
    if json.loads(line)["role"] != "all":
        raise SystemExit(f"unexpected ready line: {line!r}")
    return elapsed


def bare_ms() -> float:
    """Milliseconds of an interpreter that does nothing."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Run both in turn and print medians and their ratio."""
    readies, bares = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            readies.append(ready_ms(folder))
        bares.append(bare_ms())
    ready, bare = statistics.median(readies), statistics.median(bares)
    print(f"ready: median {ready:.0f} ms of {RUNS} (min {min(readies):.0f}, max {max(readies):.0f})")
    print(f"bare interpreter: median {bare:.0f} ms; ratio {ready / bare:.1f}")


if __name__ == "__main__":
    main()
