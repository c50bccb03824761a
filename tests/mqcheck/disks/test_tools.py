"""Whether a disk can be mounted: what is missing is named with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqcheck.disks import tools


@pytest.fixture(autouse=True)
def forget() -> None:
    tools.missing_disk.cache_clear()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda name: None)
    assert tools.missing_disk().startswith("mfusepy is not installed: it needs pip install")
    tools.missing_disk.cache_clear()


def test_without_the_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda name: object())
    monkeypatch.setattr(tools, "DEVICE", tmp_path / "fuse")
    assert "fuse: it needs" in tools.missing_disk()
    assert "libfuse3-3" in tools.missing_disk()
    tools.missing_disk.cache_clear()


def test_a_mount_that_fails_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "fuse").touch()
    monkeypatch.setattr(tools, "find_spec", lambda name: object())
    monkeypatch.setattr(tools, "DEVICE", tmp_path / "fuse")
    monkeypatch.setattr(tools.sys, "executable", "/bin/false")
    assert tools.missing_disk().startswith("status 1: it needs")
    tools.missing_disk.cache_clear()
