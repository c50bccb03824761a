"""Run the suite again and again and count verdicts: no violation on a healthy broker, no inconclusive without a stall.

``python benchmarks/soak.py --runs 20`` prints one line a run and a sum; ``--busy 2`` keeps two cores busy.
Exit status 1 when any run had a violation or a harness error, or an inconclusive whose reason names no stall.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from systems import end_on_signals, folder, running

SPIN = "while True: pass"


def one_run(number: int, report: Path, extra: list[str]) -> dict[str, object]:
    """Run the suite once; the summary of its report and the reasons of its inconclusive pairs."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "--mqcheck", "-q", "--mqcheck-report", str(report), *extra]
    # Ended by Ctrl-C, pytest ends what it has started.
    with running(command, by=signal.SIGINT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as done:
        done.wait()
    seconds = time.monotonic() - began
    data = json.loads((report / "report.json").read_text(encoding="utf-8"))
    undecided = [
        f"{verdict['scenario']}/{verdict['guarantee']}: {verdict['reason']}"
        for verdict in data["verdicts"]
        if verdict["aimed"] and verdict["verdict"] == "inconclusive"
    ]
    violated = [f"{v['scenario']}/{v['guarantee']}" for v in data["verdicts"] if v["verdict"] == "violated"]
    aimed = sum(1 for verdict in data["verdicts"] if verdict["aimed"])
    print(f"run {number}: exit {done.returncode}, {seconds:.1f} s, aimed {aimed}")
    print(f"  violated {violated}, undecided {undecided}", flush=True)
    return {"seconds": seconds, "aimed": aimed, "violated": violated, "undecided": undecided, "exit": done.returncode}


def main() -> int:
    """Parse the command line, run, sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--busy", type=int, default=0, help="processes that keep a core busy each")
    parser.add_argument("--keep", type=Path, help="keep the reports below this folder")
    arguments, extra = parser.parse_known_args()
    end_on_signals()
    with ExitStack() as stack:
        for _ in range(arguments.busy):
            stack.enter_context(running([sys.executable, "-c", SPIN]))
        base = arguments.keep or stack.enter_context(folder("soak-"))
        runs = [one_run(number, base / f"run-{number}", extra) for number in range(1, arguments.runs + 1)]
    aimed = sum(int(str(run["aimed"])) for run in runs)
    violated = [place for run in runs for place in run["violated"]]  # type: ignore[attr-defined]
    undecided = [reason for run in runs for reason in run["undecided"]]  # type: ignore[attr-defined]
    unexplained = [reason for reason in undecided if "stall" not in reason]
    seconds = sorted(float(str(run["seconds"])) for run in runs)
    print(
        f"{len(runs)} runs, median {seconds[len(seconds) // 2]:.1f} s: {aimed} aimed pairs, {len(violated)} violated, "
        f"{len(undecided)} inconclusive ({100 * len(undecided) / max(1, aimed):.2f} %), "
        f"{len(unexplained)} of them without a stall"
    )
    return 1 if violated or unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
