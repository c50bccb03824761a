"""How long judging a history of 1,000,000 operations takes, how much memory, and whether exactly ten violations that
were planted in it are found.

Usage: ``python benchmarks/million.py [OPERATIONS] [--rounds N]``. Writes a healthy history and the same with ten
defects of different kinds, and judges both in processes of their own, as the kit does. The lowest of the rounds
counts: what else the machine does only adds. Ends with 1 where a healthy history is not held or the ten are not found.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from judge import big_history, lines_of, measure, operations_of

from mqcheck.judge.queries import cache_folder, warm_up
from mqcheck.judge.verdicts import VIOLATED
from mqcheck.specs import load_specs

OPERATIONS: Final = 1_000_000
ROUNDS: Final = 3
SLOWEST: Final = 12

PLANTED: Final = (
    "dur-body-intact",
    "rep-resume",
    "ns-empty-17",
    "con-alo",
    "con-offset-persist",
    "con-retry-alo",
    "con-expire",
    "ord-queue-fifo",
    "dly-not-early",
    "prt-opaque",
)
"""Guarantees that are broken, each by the smallest defect that the judge's tests know, which breaks no other."""


def planted(history: Any) -> Any:
    """The same history, with all ten defects."""
    plants = importlib.import_module("defects").PLANTS
    for guarantee in PLANTED:
        plants[guarantee](history)
    return history


def judge_here(folder: Path) -> dict[str, Any]:
    """What a process of its own finds and needs."""
    specs = load_specs()
    warm_up(specs, cache_folder(os.environ))
    found = measure(folder, specs)
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Of this program alone: the figure in ``used`` is no less than that of the process which started it.
    (peak_kib,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return {
        "load_s": found.load_s,
        "facts_s": found.facts_s,
        "queries_s": found.queries_s,
        "cpu_s": used.ru_utime + used.ru_stime,
        "memory_mib": int(peak_kib) / 1024,
        "violated": sorted(v.guarantee for v in found.verdicts if v.verdict == VIOLATED),
        "undecided": sorted(v.guarantee for v in found.verdicts if v.aimed and v.verdict == "inconclusive"),
        "guarantees": len(found.verdicts),
        "slowest": found.slowest(SLOWEST),
    }


def judge_apart(folder: Path, rounds: int) -> dict[str, Any]:
    """The lowest figures of several processes; what they found must be the same."""
    runs = []
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, __file__, "--judge", str(folder)], stdout=subprocess.PIPE, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    best: dict[str, Any] = min(runs, key=lambda run: float(run["load_s"] + run["facts_s"] + run["queries_s"]))
    for run in runs:
        if run["violated"] != best["violated"]:
            raise SystemExit(f"two judgements of one history differ: {run['violated']}, {best['violated']}")
    for figure in ("cpu_s", "memory_mib"):
        best[figure] = min(run[figure] for run in runs)
    return best


def shown(name: str, found: dict[str, Any]) -> str:
    """The figures of one history."""
    whole_s = found["load_s"] + found["facts_s"] + found["queries_s"]
    return (
        f"{name}: load {found['load_s']:.2f} s, facts {found['facts_s']:.2f} s, queries {found['queries_s']:.2f} s "
        f"of {found['guarantees']} guarantees: {whole_s:.2f} s; user + system {found['cpu_s']:.2f} s, "
        f"with Python's start; peak memory {found['memory_mib']:.0f} MiB; "
        f"violated: {', '.join(found['violated']) or 'nothing'}"
    )


def main() -> int:
    """Write, judge, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("operations", nargs="?", type=int, default=OPERATIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--judge", type=Path, help="only judge this history, here, and print the figures as JSON")
    options = parser.parse_args()
    if options.judge:
        print(json.dumps(judge_here(options.judge)))
        return 0
    with tempfile.TemporaryDirectory(prefix="mqcheck-bench-") as name:
        history = big_history(options.operations)
        healthy = history.write(Path(name) / "healthy")
        broken = planted(history).write(Path(name) / "broken")
        small = planted(big_history(0)).write(Path(name) / "small")
        print(f"{operations_of(history)} operations, {lines_of(healthy)} lines, {len(PLANTED)} violations planted")
        del history
        known = set(judge_apart(small, 1)["violated"])
        found = {folder.name: judge_apart(folder, options.rounds) for folder in (healthy, broken)}
    for name, figures in found.items():
        print(shown(name, figures))
    print("\n".join(found["broken"]["slowest"]))
    wrong = set(found["healthy"]["violated"]) | set(found["healthy"]["undecided"])
    # A defect may break more than one promise: what it breaks in a history of thousands, it breaks in one of a million.
    missed = (set(PLANTED) | known) - set(found["broken"]["violated"])
    more = set(found["broken"]["violated"]) - known
    for what, names in (("not held though healthy", wrong), ("missed", missed), ("found beside them", more)):
        if names:
            print(f"{what}: {', '.join(sorted(names))}")
    return 1 if wrong or missed or more else 0


if __name__ == "__main__":
    sys.exit(main())
