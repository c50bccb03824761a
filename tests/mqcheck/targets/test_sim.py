"""The simulated target where nothing is simulated: importing needs no simloop, and its lack is said clearly."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mqcheck.errors import MissingToolError, NodeError
from mqcheck.targets import sim
from mqcheck.targets.base import CAPABILITIES
from reference_impl.effects import Effect


def test_without_simloop_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"mqcheck\[sim\]"):
        sim.sim_loop(1)


def test_a_real_network_is_refused() -> None:
    opening = cast("Any", SimpleNamespace(network=object()))
    with pytest.raises(NodeError, match="simulated stage"):
        sim.SimCluster(opening, "1")


def test_what_it_can_take_is_known_vocabulary() -> None:
    assert sim.SimTarget.capabilities < CAPABILITIES


def test_the_gate_holds_and_ends() -> None:
    class Core:
        def __init__(self) -> None:
            self.calls: list[tuple[str, int]] = []

        def closed(self, now_ms: int, conn: int) -> list[Effect]:
            self.calls.append(("closed", now_ms))
            return []

        def tick(self, now_ms: int) -> list[Effect]:
            self.calls.append(("tick", now_ms))
            return []

        def next_deadline_ms(self) -> int:
            return 5

        def stop(self, now_ms: int) -> list[Effect]:
            self.calls.append(("stop", now_ms))
            return []

    core = Core()
    gate = sim.Gate()
    assert gate.as_wrapper("broker").wrap_core(cast("Any", core), cast("Any", None)) is gate
    gate.closed(1, 7)
    assert gate.next_deadline_ms() == 5
    gate.shut()
    gate.closed(2, 7)
    gate.tick(3)
    assert gate.next_deadline_ms() is None
    assert core.calls == [("closed", 1)]
    gate.open(9)
    assert core.calls == [("closed", 1), ("closed", 9)]
    gate.die()
    gate.closed(10, 7)
    gate.tick(11)
    gate.stop(12)
    assert len(core.calls) == 2
