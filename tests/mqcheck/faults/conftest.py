"""A ground with one node that only notes what is done to it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mqcheck.clock import RealClock
from mqcheck.faults.base import Ground


class NotingNode:
    """Stands for a broker; each verb leaves its name."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.running = True

    def __getattr__(self, verb: str) -> Any:
        async def note(*arguments: object, **options: object) -> Mapping[str, object]:
            self.calls.append((verb, options) if options else verb)
            self.running = verb not in {"kill", "stop", "power_cut"}
            return {"unsynced_bytes_dropped": 5} if verb == "power_cut" else {"delayed_fsyncs": 3}

        return note


@pytest.fixture
def noting_node() -> NotingNode:
    return NotingNode()


@pytest.fixture
def ground_of_one(noting_node: NotingNode) -> Ground:
    cluster = SimpleNamespace(nodes={"broker-a": noting_node})
    return Ground(cast("Any", None), cast("Any", cluster), cast("Any", None), RealClock(), random.Random(1))
