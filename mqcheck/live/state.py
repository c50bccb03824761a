"""What is known of a run at a moment, folded from its events; pure.

Times are seconds since the run began, given by the caller.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

JUDGED: Final = "judging"
"""The phase of a scenario that has ended and has no verdicts yet."""
LAST_PHASE: Final = "final-read"
"""After which a scenario is judged."""
RATE_SECONDS: Final = 3.0
"""A rate that was told longer ago is none: nothing is being written. Ours."""


@dataclass(slots=True)
class Running:
    """One scenario between its begin and its verdicts."""

    name: str
    attempt: int
    began_s: float
    phase: str = "starting"
    faults: dict[int, str] = field(default_factory=dict)
    """Not healed yet, by the history's id: ``partition on producer-1->broker-a``."""
    rated_s: float = -RATE_SECONDS
    operations_per_s: float = 0.0
    send_p50_ms: float | None = None
    send_p99_ms: float | None = None

    def title(self) -> str:
        """Its name, and which repetition it is."""
        return f"{self.name} (rerun {self.attempt})" if self.attempt else self.name

    def rate(self, now_s: float) -> float:
        """Operations per second of the last seconds."""
        return self.operations_per_s if now_s - self.rated_s <= RATE_SECONDS else 0.0


@dataclass(slots=True)
class RunState:
    """A run that is on."""

    expected: Mapping[str, float]
    """Estimated seconds of every scenario that is to run, by name."""
    at_once: int
    """How many of them run at the same time, over all processes."""
    running: dict[tuple[str, int], Running] = field(default_factory=dict)
    judged: set[str] = field(default_factory=set)
    """Scenarios whose first attempt has its verdicts."""
    verdicts: Counter[str] = field(default_factory=Counter)
    """Pairs by verdict, of first attempts."""
    _longer: list[float] = field(default_factory=list)
    """For each that was judged, how many times its estimate it took."""

    def fold(self, event: Mapping[str, Any], at_s: float) -> None:
        """One more event."""
        key = (event["scenario"], event["attempt"])
        if event["event"] == "scenario":
            self.running[key] = Running(*key, began_s=at_s)
        elif event["event"] == "verdicts":
            self._ended(key, event)
        elif (one := self.running.get(key)) is not None:
            _fold_into(one, event, at_s)

    def operations_per_s(self, now_s: float) -> float:
        """Over all scenarios."""
        return sum(one.rate(now_s) for one in self.running.values())

    def send_p99_ms(self) -> float | None:
        """The worst of the scenarios' own."""
        return max((one.send_p99_ms for one in self.running.values() if one.send_p99_ms is not None), default=None)

    def left_s(self, now_s: float) -> float:
        """About how long it will take yet: the longest that is left, or all that is left side by side."""
        factor = statistics.median(self._longer) if self._longer else 1.0
        left = {name: seconds * factor for name, seconds in self.expected.items() if name not in self.judged}
        for one in self.running.values():
            left[one.name] = max(1.0, self.expected.get(one.name, 0.0) * factor - (now_s - one.began_s))
        return max([*left.values(), sum(left.values()) / self.at_once], default=0.0)

    def _ended(self, key: tuple[str, int], event: Mapping[str, Any]) -> None:
        name, attempt = key
        self.running.pop(key, None)
        if attempt == 0 and name not in self.judged:
            self.judged.add(name)
            self.verdicts.update(each["verdict"] for each in event["verdicts"])
            if self.expected.get(name):
                self._longer.append(event["seconds"] / self.expected[name])


def _fold_into(one: Running, event: Mapping[str, Any], at_s: float) -> None:
    if event["event"] == "phase":
        ended = event["state"] == "ended"
        one.phase = JUDGED if ended and event["phase"] == LAST_PHASE else event["phase"]
    elif event["event"] == "fault":
        if event["state"] == "healed":
            one.faults.pop(event["fault"], None)
        else:
            one.faults[event["fault"]] = f"{event.get('kind')} on {event.get('on')}"
    elif event["event"] == "rates":
        one.rated_s = at_s
        one.operations_per_s = event["operations_per_s"]
        one.send_p50_ms, one.send_p99_ms = event["send_p50_ms"], event["send_p99_ms"]
