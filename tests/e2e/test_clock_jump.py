"""A broker whose clock jumps an hour and back keeps its promises, and nothing of its clock is left behind."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import pytest

from mqcheck.targets.faketime import SHARED_FOLDER, find_library
from tests.e2e.conftest import Run, Start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(find_library() is None, reason="no libfaketime: install it (Debian: faketime)"),
]

HOUR_MS = 3_600_000


def shared(run: Run) -> list[str]:
    """What a run has made of shared memory, for its brokers or by them."""
    return [path.name for path in SHARED_FOLDER.iterdir() if f"mqcheck-{run.process.pid}-" in path.name]


def test_the_reference_holds_while_its_clock_jumps(play: Callable[..., Run]) -> None:
    run = play("--mqcheck-select", "clock-jump")
    assert run.status == 0, run.output
    assert {("clock-jump", "con-alo"), ("clock-jump", "sto-fifo-queue")} <= set(run.verdicts("held"))
    (fault,) = run.rows("clock-jump", "faults")
    effect = json.loads(fault["effect"])
    assert fault["confirmed"]
    assert abs(effect["moved_ms"] - HOUR_MS) < HOUR_MS / 2
    assert abs(effect["off_ms"]) < HOUR_MS / 2
    assert shared(run) == []


def test_a_killed_run_leaves_nothing_of_its_clocks(start: Start) -> None:
    run = start("--mqcheck-select", "clock-jump")
    run.wait_until(lambda: run.rows("clock-jump", "faults"), "the jump")
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.communicate()
    run.assert_nothing_left()
    assert shared(run) == []
