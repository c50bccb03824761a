"""What a scenario may do with its world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from mqcheck.scenarios.base import World


class Watching(World):
    """A world on a clock of its own, whose loop comes to each timer late by what `late_ms` says."""

    def __init__(self, late_ms: Callable[[int], float]) -> None:
        self.now_ms, self.turns, self.late_ms = 0.0, 0, late_ms

    async def sleep_ms(self, ms: float) -> None:
        self.now_ms += ms + self.late_ms(self.turns)
        self.turns += 1

    def watch(self, ms: float) -> float:
        """How long a watch takes, in ms."""
        loop = asyncio.new_event_loop()
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(loop, "time", lambda: self.now_ms / 1000)
                loop.run_until_complete(self.watch_ms(ms))
        finally:
            loop.close()
        return self.now_ms


def test_a_watch_makes_up_for_stalls_and_for_nothing_less() -> None:
    assert Watching(lambda _: 0.0).watch(1000) == pytest.approx(1000)
    assert Watching(lambda _: -1e-9).watch(1000.1) == pytest.approx(1000.1)
    assert Watching(lambda _: 5.0).watch(1000) == pytest.approx(1000, abs=25)
    assert Watching(lambda turn: 300.0 if turn == 3 else 0.0).watch(1000) == pytest.approx(1300)


def test_a_watch_ends_though_everything_stalls() -> None:
    assert Watching(lambda _: 100.0).watch(1000) == pytest.approx(2000, abs=120)
