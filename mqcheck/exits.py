"""Exit statuses, the same for ``pytest --mqcheck`` and ``mqcheck run``.

pytest's own numbers keep pytest's meaning; two are added for what pytest has no word for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

HELD: Final = 0
VIOLATED: Final = 1
INTERRUPTED: Final = 2
INTERNAL: Final = 3
USAGE: Final = 4
NOTHING_COLLECTED: Final = 5
INCONCLUSIVE: Final = 6
"""Nothing is violated, but something aimed at could not be decided."""
HARNESS_ERROR: Final = 7
"""The kit itself failed: no verdict on the broker."""

OTHER_FAILURE: Final = "other failure"
"""What ``status`` is told about a failed test that is none of ours."""
HARNESS: Final = "harness error"
"""What ``status`` is told about an item that has no verdict because the kit failed."""


def status(pytest_status: int, failures: Iterable[str]) -> int:
    """The run's exit status.

    ``failures``: for each selected item that counts as failed, ``violated``, ``inconclusive``, ``HARNESS`` or
    ``OTHER_FAILURE``. Called once at the end of a session; only 0 and 1 are ever changed.
    """
    if pytest_status not in (HELD, VIOLATED):
        return pytest_status
    kinds = set(failures)
    if kinds & {"violated", OTHER_FAILURE}:
        return VIOLATED
    if HARNESS in kinds:
        return HARNESS_ERROR
    if "inconclusive" in kinds:
        return INCONCLUSIVE
    return pytest_status
