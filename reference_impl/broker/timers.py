"""What the broker does again and again: each job on a grid of its period.

Must not know what the jobs are.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from reference_impl.effects import Effect

Job = Callable[[int], list[Effect]]
"""Called with the time in ms."""

Period = int | Callable[[], int]
"""ms, or what gives them: a period that may change, which counts from the next run on."""


class _Timer(Struct):
    period: Period
    job: Job
    next_ms: int

    @property
    def period_ms(self) -> int:
        return self.period if isinstance(self.period, int) else self.period()


class Timers(Struct):
    """Periodic jobs. A late tick runs each overdue job once, and the grid stays where it was; a clock that is
    set back moves the grid."""

    timers: list[_Timer] = field(default_factory=list)
    next_ms: int | None = None
    """When ``run`` has something to do."""
    shortest_ms: int = 0
    """Shortest period: nothing is due later than that, unless the clock was set back."""

    def every(self, period: Period, job: Job, now_ms: int) -> None:
        """Run a job every period, first one period from now."""
        timer = _Timer(period, job, now_ms)
        timer.next_ms += timer.period_ms
        self.timers.append(timer)
        self._plan()

    def run(self, now_ms: int) -> list[Effect]:
        """Run what is due."""
        effects: list[Effect] = []
        if self.next_ms is None:
            return effects
        if self.next_ms - now_ms > self.shortest_ms:
            self._follow_clock(now_ms)
        if now_ms < self.next_ms:
            return effects
        for timer in self.timers:
            if now_ms >= timer.next_ms:
                period_ms = timer.period_ms
                missed = (now_ms - timer.next_ms) // period_ms
                timer.next_ms += (missed + 1) * period_ms
                effects += timer.job(now_ms)
        self._plan()
        return effects

    def _follow_clock(self, now_ms: int) -> None:
        for timer in self.timers:
            timer.next_ms = min(timer.next_ms, now_ms + timer.period_ms)
        self._plan()

    def _plan(self) -> None:
        self.shortest_ms = min(timer.period_ms for timer in self.timers)
        self.next_ms = min(timer.next_ms for timer in self.timers)
