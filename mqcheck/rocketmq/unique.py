"""UNIQ_KEY as the official client makes it (MessageClientIDSetter). Pure: time and randomness are handed in.

Layout, written in hex: address 4 · process id 2 · class loader hash 4 · ms since the month began 4 · counter 2.
"""

from __future__ import annotations

import random
import struct
from datetime import UTC, datetime
from typing import Final

_LAYOUT: Final = struct.Struct(">4sHIIH")
_LOOPBACK: Final = bytes((127, 0, 0, 1))


class UniqueKeys:
    """Makes the unique keys of one client instance."""

    def __init__(self, process_number: int, rng: random.Random) -> None:
        self._process = process_number & 0xFFFF
        self._instance = rng.getrandbits(32)
        self._counter = rng.getrandbits(16)

    def make(self, wall_ms: int) -> str:
        """A key of 32 hex digits; ``wall_ms`` milliseconds since 1970."""
        self._counter = (self._counter + 1) & 0xFFFF
        return (
            _LAYOUT.pack(_LOOPBACK, self._process, self._instance, wall_ms - month_start_ms(wall_ms), self._counter)
            .hex()
            .upper()
        )


def month_start_ms(wall_ms: int) -> int:
    """Milliseconds since 1970 at the beginning of the month (UTC)."""
    now = datetime.fromtimestamp(wall_ms / 1000, tz=UTC)
    return int(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1000
