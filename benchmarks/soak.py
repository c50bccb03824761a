"""Run the suite again and again and count verdicts: no violation on a healthy broker, no inconclusive without a stall.

``python benchmarks/soak.py --runs 20`` prints one line a run and a sum; ``--busy 2`` keeps two cores busy. What it does
not know goes to pytest: ``--mqcheck-target apache:4.9.7`` runs another broker, whose known violations count apart.
Exit status 1 when any run had a violation or a harness error, or an inconclusive whose reason names no stall.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systems import end_on_signals, folder, running

SPIN = "while True: pass"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the suite said; pairs are ``scenario/guarantee``."""

    exit: int
    seconds: float
    peak_rss_bytes: int
    verdicts: dict[str, str]
    """Verdicts of aimed pairs, and violations of any; a known one is ``known``."""
    undecided: list[str]
    """Aimed pairs that are inconclusive, with the reason."""

    def violated(self) -> list[str]:
        """Pairs with a violation that nobody knew."""
        return [pair for pair, verdict in self.verdicts.items() if verdict == "violated"]


def one_run(number: int, report: Path, extra: list[str]) -> Run:
    """Run the suite once and read its report."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "--mqcheck", "-q", "--mqcheck-report", str(report), *extra]
    # Ended by Ctrl-C, pytest ends what it has started.
    with running(command, by=signal.SIGINT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as done:
        done.wait()
    seconds = time.monotonic() - began
    run = run_of(json.loads((report / "report.json").read_text(encoding="utf-8")), done.returncode, seconds)
    print(f"run {number}: exit {run.exit}, {seconds:.1f} s, aimed {len(run.verdicts)}")
    print(f"  violated {run.violated()}, undecided {run.undecided}", flush=True)
    return run


def run_of(report: dict[str, Any], status: int, seconds: float) -> Run:
    """What counts of a ``report.json``."""
    verdicts, undecided = {}, []
    for row in report["verdicts"]:
        pair = f"{row['scenario']}/{row['guarantee']}"
        if row["aimed"] or row["verdict"] == "violated":
            verdicts[pair] = "known" if row.get("known") else row["verdict"]
        if row["aimed"] and row["verdict"] == "inconclusive":
            undecided.append(f"{pair}: {row['reason']}")
    return Run(status, seconds, report["run"]["peak_rss_bytes"], verdicts, undecided)


def differing(runs: Sequence[Run]) -> dict[str, str]:
    """Pairs that did not get the same verdict in every run, and how often they got which."""
    told = {}
    for pair in sorted({pair for run in runs for pair in run.verdicts}):
        counts = Counter(run.verdicts.get(pair, "not there") for run in runs)
        if len(counts) > 1:
            told[pair] = ", ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items()))
    return told


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
    aimed = sum(len(run.verdicts) for run in runs)
    violated = [pair for run in runs for pair in run.violated()]
    known = sum(verdict == "known" for run in runs for verdict in run.verdicts.values())
    undecided = [reason for run in runs for reason in run.undecided]
    unexplained = [reason for reason in undecided if "stall" not in reason]
    seconds = sorted(run.seconds for run in runs)
    peak = max(run.peak_rss_bytes for run in runs)
    for pair, verdicts in differing(runs).items():
        print(f"not the same in every run: {pair}: {verdicts}")
    print(
        f"{len(runs)} runs, median {seconds[len(seconds) // 2]:.1f} s (longest {seconds[-1]:.1f} s), largest process "
        f"{peak / 2**20:.0f} MiB: {aimed} aimed pairs, {len(violated)} violated and {known} known to be, "
        f"{len(undecided)} inconclusive ({100 * len(undecided) / max(1, aimed):.2f} %), "
        f"{len(unexplained)} of them without a stall"
    )
    return 1 if violated or unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
