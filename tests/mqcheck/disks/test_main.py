"""The process: a clean unmount keeps everything, a second life begins with it, a mount that fails says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqcheck.disks.__main__ import main
from mqcheck.guard import unmount

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def test_a_clean_unmount_makes_everything_durable_and_the_next_life_begins_with_it(mount: Callable[..., Any]) -> None:
    disk = mount("strict-posix")
    (disk.point / "a").write_bytes(b"never synced")
    assert unmount(disk.point)
    assert disk.process.wait(20) == 0
    assert disk.left() == {"a": b"never synced"}
    again = mount("strict-posix")
    assert (again.point / "a").read_bytes() == b"never synced"


def test_it_answers_orders_that_make_no_sense(mount: Callable[..., Any]) -> None:
    disk = mount()
    assert not disk.ask(do="explode")["ok"]
    assert not disk.ask(do="cut")["ok"]
    assert disk.ask(do="halt")["ok"]


def test_a_mount_that_fails_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str], mount: object) -> None:
    assert main(["serve", str(tmp_path / "disk"), str(tmp_path / "nowhere"), "ext4-like", "/", "--control", "9999"])
    assert "no disk can be mounted" in capsys.readouterr().err


def test_a_probe_leaves_nothing(mount: object) -> None:
    before = Path("/proc/self/mounts").read_text(encoding="utf-8").count("mqcheck-disk-")
    assert main(["probe"]) == 0
    after = Path("/proc/self/mounts").read_text(encoding="utf-8").count("mqcheck-disk-")
    assert after == before
