"""What the installed, unused plugin adds to pytest's start: processor time with it and with ``-p no:mqcheck``, in turn.

Run: ``python benchmarks/plugin_import.py``. Prints medians; the promise is less than 30 ms between them.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path

ROUNDS = 25
LIMIT_MS = 30.0


def start_ms(arguments: list[str], folder: str) -> float:
    """Processor time of one start of pytest that collects an empty folder: other work on the machine does not count."""
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", *arguments]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime) * 1000


def main() -> int:
    """Measure and compare; the exit status is 1 above the limit."""
    installed = any(point.value == "mqcheck.plugin" for point in entry_points(group="pytest11"))
    with_it = [] if installed else ["-p", "mqcheck.plugin"]
    others = ("randomly", "faker", "hypothesispytest", "asyncio", "xdist")
    quiet = [word for name in others for word in ("-p", f"no:{name}")]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        pairs = []
        for _ in range(ROUNDS):
            pairs.append((start_ms([*quiet, *with_it], folder), start_ms([*quiet, "-p", "no:mqcheck"], folder)))
    with_ms = statistics.median(pair[0] for pair in pairs)
    without_ms = statistics.median(pair[1] for pair in pairs)
    added_ms = statistics.median(pair[0] - pair[1] for pair in pairs)
    print(f"with {with_ms:.1f} ms, without {without_ms:.1f} ms, added {added_ms:.1f} ms (median of {ROUNDS} pairs)")
    return int(added_ms > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
