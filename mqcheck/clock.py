"""Where the kit's time comes from: real clocks over sockets, virtual ones in the simulation."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of time; everything in the kit that stamps or waits is handed one."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of CLOCK_MONOTONIC (shared by all processes of a host), or virtual time."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since 1970, as RocketMQ stamps messages."""
        ...


class RealClock:
    """The host's clocks."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def wall_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000
