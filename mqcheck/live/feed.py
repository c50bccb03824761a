"""What a process with scenarios tells while they run: one JSON line per event in ``<run folder>/live/<process>.jsonl``.

Written from the kit's thread alone, by whoever runs scenarios (pytest itself, or an xdist worker); read by `follow`.
Rows of the history are counted as they are written, so nothing of a history is ever read again for it. Clients in
processes of their own write histories of their own and are not counted.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mqcheck.judge.verdicts import VIOLATED
from mqcheck.report.outcomes import Outcome, attempt_of
from mqcheck.report.summary import NO_OPERATION

FOLDER: Final = "live"
"""In a run's folder."""
RATES_NS: Final = 1_000_000_000
"""A scenario's rates are told once in so long, when a row is written after it. Ours."""
WINDOW_NS: Final = 5_000_000_000
"""Latencies are those of send calls that ended in the last so many ns. Ours."""
SENDS_MAX: Final = 5_000
"""Send calls looked at for a latency: the latest ones. Ours."""
FAULT_STATES: Final = ("healed", "healing", "active")
"""Stamps that a row of `faults` may bring, latest first; each is the state it begins."""

Row = Mapping[str, Any]
"""A line of the history: its table in `e`, `w` of `b` or `e` for a span's two ends, its stamp `t` in ns."""
Tell = Callable[[dict[str, Any]], None]


class Feed:
    """One process's events. Times are ns of CLOCK_MONOTONIC, the same for all processes of a host.

    Raises OSError when the file cannot be written to.
    """

    def __init__(self, run_folder: Path, process: str, now: Callable[[], int] = time.monotonic_ns) -> None:
        self._path = run_folder / FOLDER / f"{process}.jsonl"
        self._now = now
        self._fd: int | None = None

    def scenario(self, name: str, history: Path) -> Callable[[Row], None]:
        """A scenario begins; what is returned wants every row of its kit's own stream. Called by the runner."""
        who = {"scenario": name, "attempt": attempt_of(history)}
        self._tell({"event": "scenario", "t": self._now(), **who})
        return Tally(who, self._tell)

    def judged(self, outcome: Outcome) -> None:
        """A scenario has its verdicts: those aimed at, and every violation."""
        told = [each for each in outcome.verdicts if each.aimed or each.verdict == VIOLATED]
        self._tell(
            {
                "event": "verdicts",
                "t": self._now(),
                "scenario": outcome.scenario,
                "attempt": outcome.attempt,
                "seconds": round(outcome.seconds, 3),
                "harness_error": outcome.harness_error,
                "verdicts": [
                    {
                        "guarantee": each.guarantee,
                        "verdict": each.verdict,
                        "aimed": each.aimed,
                        "evidence": each.evidence_total,
                        "reason": each.reason,
                    }
                    for each in told
                ],
            }
        )

    def close(self) -> None:
        """No more events. Idempotent."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _tell(self, event: dict[str, Any]) -> None:
        if self._fd is None:  # not before the run's folder has been made
            self._path.parent.mkdir(exist_ok=True)
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        os.write(self._fd, json.dumps(event, separators=(",", ":")).encode() + b"\n")


@dataclass(slots=True)
class Tally:
    """Counts the rows of one scenario, and tells of phases and faults at once and of rates once a second."""

    who: Mapping[str, Any]
    """`scenario` and `attempt`, repeated in every event."""
    tell: Tell
    operations: int = 0
    """Begun so far."""
    _told_at: int = 0
    _told: int = 0
    _phases: dict[int, str] = field(default_factory=dict)
    _faults: dict[int, dict[str, Any]] = field(default_factory=dict)
    _sends: dict[int, int] = field(default_factory=dict)
    _took: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=SENDS_MAX))

    def __call__(self, row: Row) -> None:
        """One more row."""
        table, end, t = row["e"], row.get("w"), row["t"]
        if table not in NO_OPERATION:
            self.operations += end == "b"
            if table == "sends":
                self._send(row["op"], end, t)
        elif table == "phases":
            self._phase(row, end)
        elif table == "faults":
            self._fault(row, end)
        if t - self._told_at >= RATES_NS:
            self._rates(t)

    def _send(self, op: int, end: str | None, t: int) -> None:
        if end == "b":
            self._sends[op] = t
        elif (began := self._sends.pop(op, None)) is not None:
            self._took.append((t, (t - began) / 1e6))

    def _phase(self, row: Row, end: str | None) -> None:
        name = row.get("name") or self._phases.pop(row["op"], "")
        if end == "b":
            self._phases[row["op"]] = name
        self._event("phase", row["t"], phase=name, state="began" if end == "b" else "ended")

    def _fault(self, row: Row, end: str | None) -> None:
        op = row["op"]
        if end != "e":
            self._faults[op] = {"fault": op, "kind": row.get("kind"), "on": row.get("link") or row.get("node")}
        state = next((stamp for stamp in FAULT_STATES if row.get(stamp) is not None), "injecting")
        known = self._faults.pop(op, {"fault": op}) if state == "healed" else self._faults.get(op, {"fault": op})
        confirmed = {"had_effect": bool(row.get("confirmed"))} if state == "healed" else {}
        self._event("fault", row["t"], **known, state=state, **confirmed)

    def _rates(self, t: int) -> None:
        if self._told_at:
            while self._took and self._took[0][0] < t - WINDOW_NS:
                self._took.popleft()
            took = sorted(each[1] for each in self._took)
            self._event(
                "rates",
                t,
                operations=self.operations,
                operations_per_s=round((self.operations - self._told) * 1e9 / (t - self._told_at), 1),
                send_p50_ms=percentile(took, 50),
                send_p99_ms=percentile(took, 99),
            )
        self._told_at, self._told = t, self.operations

    def _event(self, event: str, t: int, **values: Any) -> None:
        self.tell({"event": event, "t": t, **self.who, **values})


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The value that so many of 100 do not exceed, in the unit given, to 0.1; None of nothing."""
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)], 1)
