"""Shared helpers of the reference's tests: the recorded frames and messages, and a power cut."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def golden_frames() -> list[dict[str, Any]]:
    """Whole frames recorded from real brokers, NameServers and clients."""
    return _lines("frames.jsonl")


@pytest.fixture(scope="session")
def golden_messages() -> list[dict[str, Any]]:
    """Stored records recorded from real brokers."""
    return _lines("messages.jsonl")


@pytest.fixture
def cut_power() -> Callable[..., None]:
    """What the package's docstring tells a test tool to do after SIGKILL, rule by rule."""
    return _cut_power


def _cut_power(root: Path, torn: random.Random | None = None) -> None:
    last: dict[str, dict[str, object]] = {}
    for line in (root / "synced.jsonl").read_bytes().split(b"\n")[:-1]:
        entry = json.loads(line)
        last[entry["file"]] = entry
    for name, entry in last.items():
        path = root / name
        earlier = path.with_name(path.name + ".prev")
        if entry.get("removed"):
            continue
        if entry.get("replacing") and earlier.exists():
            earlier.replace(path)
        if path.exists():
            synced_bytes = entry["synced_bytes"]
            assert isinstance(synced_bytes, int)
            size = path.stat().st_size
            kept = min(synced_bytes, size)
            if torn is not None and not entry.get("replacing") and not entry.get("replaced"):
                kept = torn.randint(kept, size)
            with path.open("r+b") as file:
                file.truncate(kept)
    for path in [path for path in root.rglob("*") if path.is_file() and path.name != "synced.jsonl"]:
        entry = last.get(path.relative_to(root).as_posix(), {"removed": True})
        if entry.get("removed") or path.name.endswith((".tmp", ".prev")):
            path.unlink()
