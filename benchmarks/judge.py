"""How long loading and judging a history of 100,000 operations takes, against plain scans of the same tables.

Usage: ``python benchmarks/judge.py [OPERATIONS]``. Prints loading, facts and queries apart; the ratio to scans of every
column says how far judging is from merely touching the data.
"""

from __future__ import annotations

import importlib
import itertools
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from mqcheck.history.facts import make_facts
from mqcheck.history.loader import load_tables
from mqcheck.history.tables import FACTS, TABLES
from mqcheck.judge.engine import judge_tables
from mqcheck.judge.plan_file import read_plan
from mqcheck.judge.queries import warm_up
from mqcheck.specs import load_specs

OPERATIONS = 100_000
OPERATIONS_PER_MESSAGE = 16


def histories() -> ModuleType:
    """The generator of healthy histories that the judge's tests use."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "mqcheck" / "judge"))
    return importlib.import_module("histories")


def write_history(folder: Path, operations: int) -> int:
    """A healthy history of about so many operations; returns how many it holds."""
    module = histories()

    class Big(module.Healthy):  # type: ignore[name-defined, misc]
        def steady_load(self) -> None:
            super().steady_load()
            places = [("T", broker, queue) for queue in (0, 1) for broker in ("broker-a", "broker-b")]
            missing = max(0, (operations - 7_500) // OPERATIONS_PER_MESSAGE)
            for number in range(missing):
                self.message_for_all(25_200 + number * 8_000 / max(missing, 1), places[number % 4])

    history = Big()
    history.aims = list(load_specs().ids())
    history.write(folder)
    return sum(len(rows) for rows in history.rows.values())


def main() -> None:
    """Measure once and print."""
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else OPERATIONS
    specs = load_specs()
    with tempfile.TemporaryDirectory(prefix="mqcheck-bench-") as name:
        folder = Path(name)
        warm_up(specs, folder / "ready")
        operations = write_history(folder, operations)
        lines = sum(path.read_bytes().count(b"\n") for path in (folder / "events").iterdir())
        times = [time.perf_counter()]
        connection = load_tables(folder)
        times.append(time.perf_counter())
        make_facts(connection)
        times.append(time.perf_counter())
        verdicts = judge_tables(connection, read_plan(folder), specs)
        times.append(time.perf_counter())
        for table in (*TABLES, *FACTS):
            connection.execute(f"SELECT count(*), max(hash({table})) FROM {table}").fetchall()
        times.append(time.perf_counter())
    load_s, facts_s, queries_s, scans_s = (after - before for before, after in itertools.pairwise(times))
    judging_s = facts_s + queries_s
    counts = {verdict: sum(v.verdict == verdict for v in verdicts) for verdict in sorted({v.verdict for v in verdicts})}
    print(f"{operations} operations, {lines} lines, {len(verdicts)} guarantees: {counts}")
    print(f"load {load_s:.2f} s; facts {facts_s:.2f} s; queries {queries_s:.2f} s; facts + queries {judging_s:.2f} s")
    print(f"scans of every column: {scans_s:.3f} s; facts + queries = {judging_s / scans_s:.1f} times that")
    for verdict in sorted(verdicts, key=lambda v: -v.judge_seconds)[:8]:
        print(
            f"  {verdict.judge_seconds * 1000:7.1f} ms  {verdict.guarantee}  {verdict.verdict} {verdict.reason[:100]}"
        )


if __name__ == "__main__":
    main()
