"""Delayed messages with levels that are none, and some that wait while their broker is killed."""

from __future__ import annotations

from histories.figures import DELAY_TOPIC, KILLED_MS, READY_MS
from histories.messages import Messages

ODD_LEVELS = {99: 2_000, -1: 0}
"""Level → delay in ms that it stands for."""


class Waiting(Messages):
    """What the group of the delayed messages gets beside the usual."""

    def odd_levels(self) -> None:
        place = (DELAY_TOPIC, "broker-b", 0)
        for i in range(5):
            for level, delay_ms in ODD_LEVELS.items():
                at = 2_000 + 20 * i
                message, offset = self.send(at, place, delay_level=level, delay_ms=delay_ms)
                self.deliver(at + delay_ms + 60, "gd", "cd@9", message, place, offset)

    def waiting_through_a_kill(self) -> None:
        place = (DELAY_TOPIC, "broker-a", 0)
        self.assign("gd", "cd@9", place, 300)
        for i in range(6):
            message, offset = self.send(KILLED_MS - 300 + 20 * i, place, delay_level=2, delay_ms=2_000)
            self.deliver(READY_MS + 400 + i, "gd", "cd@9", message, place, offset)
