"""What JUnit readers get to know of a verdict: properties of the test case.

pytest's own ``--junitxml`` writes the file and escapes what XML cannot hold; this file only says which properties
there are.
"""

from __future__ import annotations

from typing import Final

PROPERTIES: Final = ("level", "guarantee", "scenario", "verdict", "reproduced", "known")
"""In the order they are written, on each case of the conformance suite; ``known`` on known violations alone,
``reproduced`` (``1 of 2``) on those that were tried again."""


def with_property(properties: list[tuple[str, object]], name: str, value: str) -> list[tuple[str, object]]:
    """The properties with one set; an earlier value (of a rerun) is replaced. Raises ValueError for an unknown name."""
    if name not in PROPERTIES:
        raise ValueError(f"{name!r} is none of the properties {', '.join(PROPERTIES)}")
    kept = [pair for pair in properties if pair[0] != name]
    return [*kept, (name, value)]
