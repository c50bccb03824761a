"""The reference loses its power in two ways, by its own record and by a file system under it: the same verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from planted_bugs import LATER

from mqcheck.disks.tools import missing_disk

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing_disk()), reason=missing_disk() or "a disk can be mounted"),
]

SCENARIOS = ("power-cut", "disk-error", "disk-full")


def aimed(verdicts: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Verdicts of what these scenarios aim at."""
    return {
        (each["scenario"], each["guarantee"]): each["verdict"]
        for each in verdicts
        if each["aimed"] and each["scenario"] in SCENARIOS
    }


def test_both_ways_give_the_same_verdicts(play: Callable[..., Any], healthy: Path) -> None:
    run = play("--mqcheck-disk", "fuse", *(word for name in SCENARIOS for word in ("--mqcheck-select", name)))
    assert run.status == 0, run.output
    own = json.loads((healthy / "report.json").read_text(encoding="utf-8"))
    found = aimed(run.report["verdicts"])
    assert found == aimed(own["verdicts"])
    assert set(found.values()) == {"held"}
    assert "by ext4-like" in run.output
    for name in SCENARIOS:
        (cut, *_) = [row for row in run.rows(name, "faults") if row["kind"] == "power-cut"]
        assert json.loads(cut["effect"])["model"] == "ext4-like"


@pytest.mark.parametrize(
    ("bug", "scenario", "guarantee"),
    [
        ("ack-before-sync", "power-cut", "dur-ack-power-sf"),
        pytest.param("ack-failed-sync", "disk-error", "dur-ack-fsync-error", marks=LATER),
        pytest.param("ack-refused-write", "disk-full", "dur-ack-disk-full", marks=LATER),
    ],
)
def test_a_planted_bug_is_caught_on_a_file_system_too(
    play: Callable[..., Any], bug: str, scenario: str, guarantee: str
) -> None:
    run = play("--mqcheck-disk", "fuse", "--mqcheck-select", scenario, "--mqcheck-sabotage", bug)
    assert (scenario, guarantee) in run.verdicts("violated"), run.output
