"""Lengths of time as people write them in tests. Pure."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

from mqcheck.errors import SettingsError

UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
"""What may stand behind a number, and how long it is."""

_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


def milliseconds(duration: str | float | timedelta) -> int:
    """Milliseconds of "2h", "1h30m", "90 s", "250ms", of a number of seconds, or of a timedelta.

    Raises SettingsError for what is no such length. Called by `advance`.
    """
    if isinstance(duration, timedelta):
        return round(duration / timedelta(milliseconds=1))
    if isinstance(duration, (int, float)) and not isinstance(duration, bool) and math.isfinite(duration):
        return round(duration * 1000)
    total, at = 0.0, 0
    text = str(duration)
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or part[2] not in UNITS_MS:
            break
        total += float(part[1]) * UNITS_MS[part[2]]
        at = part.end()
    if not text or at < len(text):
        raise SettingsError(
            f'{duration!r} is no length of time: write "2h", "1h30m", "90s" or "250ms" ({", ".join(UNITS_MS)}), '
            f"a number of seconds, or a timedelta"
        )
    return round(total)
