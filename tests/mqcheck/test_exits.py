"""Exit statuses: pytest's own are kept, ours are put where pytest would say only "failed"."""

from __future__ import annotations

import pytest

from mqcheck import exits


@pytest.mark.parametrize(
    ("pytest_status", "failures", "status"),
    [
        (0, [], 0),
        (1, ["violated", exits.HARNESS], 1),
        (1, [exits.OTHER_FAILURE, "inconclusive"], 1),
        (1, ["inconclusive", exits.HARNESS], 7),
        (1, ["inconclusive"], 6),
        (0, ["violated"], 1),
        (1, [], 1),
        (2, ["violated"], 2),
        (3, [], 3),
        (4, [], 4),
        (5, [], 5),
    ],
)
def test_status(pytest_status: int, failures: list[str], status: int) -> None:
    assert exits.status(pytest_status, failures) == status
