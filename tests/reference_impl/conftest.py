"""Shared helpers of the reference's tests: the recorded frames and messages, and a running loop for shells."""

from __future__ import annotations

import json
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
