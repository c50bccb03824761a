"""How long loading and judging a history of 100,000 operations takes, against plain scans of the same tables.

Usage: ``python benchmarks/judge.py [OPERATIONS]``. Prints loading, facts and queries apart; the ratio to scans of every
column says how far judging is from merely touching the data.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from mqcheck.history.facts import make_facts
from mqcheck.history.loader import load_tables
from mqcheck.history.tables import FACTS, TABLES
from mqcheck.judge.engine import judge_tables
from mqcheck.judge.plan_file import read_plan
from mqcheck.judge.queries import cache_folder, warm_up
from mqcheck.judge.verdicts import Verdict
from mqcheck.specs import Specs, load_specs

OPERATIONS = 100_000
OPERATIONS_PER_MESSAGE = 16
DENSE_MS = 25_200
"""When the further messages begin, in ms of the run."""
DENSE_FOR_MS = 8_000
"""How long they go on, in ms."""
MEMBERS = (("g1", "c1@1"), ("g2", "c2@2"), ("g3", "c4@3"), ("go", "co@5"))
"""Who commits what it has handled of them: member of each clustering group, as the healthy history has them."""
HANDLED_MS = 0.2
"""How long a listener takes for one of them: a million operations leave no more between two of a queue."""


def histories() -> ModuleType:
    """The generator of healthy histories that the judge's tests use."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "mqcheck" / "judge"))
    return importlib.import_module("histories")


def big_history(operations: int) -> Any:
    """A healthy history of about so many operations, in memory: a message of the tests' history, again and again."""
    module = histories()

    class Big(module.Healthy):  # type: ignore[name-defined, misc]
        def deliver(self, at: float, *rest: Any, **more: Any) -> Any:
            row = super().deliver(at, *rest, **more)
            if at >= DENSE_MS:
                result = self.rows["results"][-1]
                result.at = result.until = at + HANDLED_MS
            return row

        def steady_load(self) -> None:
            super().steady_load()
            places = [("T", broker, queue) for queue in (0, 1) for broker in ("broker-a", "broker-b")]
            missing = max(0, (operations - 7_500) // OPERATIONS_PER_MESSAGE)
            for number in range(missing):
                self.message_for_all(DENSE_MS + number * DENSE_FOR_MS / max(missing, 1), places[number % 4])
            # A consumer commits each period, also when no more comes.
            for place in places if missing else ():
                for group, member in MEMBERS:
                    self.commit(DENSE_MS + DENSE_FOR_MS + 1_000, group, member, place, self.offsets[place])

    history = Big()
    history.aims = list(load_specs().ids())
    return history


def operations_of(history: Any) -> int:
    """How many it holds."""
    return sum(len(rows) for rows in history.rows.values())


def lines_of(folder: Path) -> int:
    """Lines of a history's streams."""
    return sum(path.read_bytes().count(b"\n") for path in (folder / "events").iterdir())


@dataclass(frozen=True, slots=True)
class Measured:
    """Loading and judging one history, in seconds."""

    load_s: float
    facts_s: float
    queries_s: float
    scans_s: float
    verdicts: Sequence[Verdict]

    @property
    def judging_s(self) -> float:
        """What comes after loading."""
        return self.facts_s + self.queries_s

    def slowest(self, count: int) -> list[str]:
        """A line for each of the guarantees that took longest."""
        slow = sorted(self.verdicts, key=lambda verdict: -verdict.judge_seconds)[:count]
        return [f"  {v.judge_seconds * 1000:7.1f} ms  {v.guarantee}  {v.verdict} {v.reason[:100]}" for v in slow]


def measure(folder: Path, specs: Specs) -> Measured:
    """Load and judge once, then touch every column."""
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
    return Measured(load_s, facts_s, queries_s, scans_s, verdicts)


def main() -> None:
    """Measure once and print."""
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else OPERATIONS
    specs = load_specs()
    warm_up(specs, cache_folder(os.environ))
    with tempfile.TemporaryDirectory(prefix="mqcheck-bench-") as name:
        folder = Path(name)
        history = big_history(operations)
        history.write(folder)
        operations, lines = operations_of(history), lines_of(folder)
        found = measure(folder, specs)
    verdicts = found.verdicts
    counts = {verdict: sum(v.verdict == verdict for v in verdicts) for verdict in sorted({v.verdict for v in verdicts})}
    print(f"{operations} operations, {lines} lines, {len(verdicts)} guarantees: {counts}")
    print(
        f"load {found.load_s:.2f} s; facts {found.facts_s:.2f} s; queries {found.queries_s:.2f} s; "
        f"facts + queries {found.judging_s:.2f} s"
    )
    print(
        f"scans of every column: {found.scans_s:.3f} s; "
        f"facts + queries = {found.judging_s / found.scans_s:.1f} times that"
    )
    print("\n".join(found.slowest(8)))


if __name__ == "__main__":
    main()
