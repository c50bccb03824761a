"""Lengths of time as people write them."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from mqcheck.embedded.durations import milliseconds
from mqcheck.errors import SettingsError


@pytest.mark.parametrize(
    ("duration", "ms"),
    [
        ("2h", 7_200_000),
        ("1h30m", 5_400_000),
        ("90 s", 90_000),
        ("250ms", 250),
        ("1.5s", 1_500),
        ("2d", 172_800_000),
        ("5 min", 300_000),
        (7, 7_000),
        (0.25, 250),
        (timedelta(minutes=1), 60_000),
        ("0s", 0),
    ],
)
def test_what_people_write(duration: object, ms: int) -> None:
    assert milliseconds(duration) == ms  # type: ignore[arg-type]


@pytest.mark.parametrize("duration", ["", "2", "h", "2 weeks", "2h!", "-2h", True, None, math.nan, math.inf])
def test_what_is_no_length(duration: object) -> None:
    with pytest.raises(SettingsError, match="1h30m"):
        milliseconds(duration)  # type: ignore[arg-type]
