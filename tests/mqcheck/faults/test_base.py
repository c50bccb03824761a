"""FaultControl: four stamps, effects, double injection, healing everything."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from mqcheck.clock import RealClock
from mqcheck.errors import FaultError, SettingsError
from mqcheck.faults.base import Fault, FaultControl, Ground
from mqcheck.history.recorder import Recorder


class Recorded(Fault):
    """A fault that only notes what was asked of it."""

    kind: ClassVar[str] = "kill"
    needs: ClassVar[str] = "kill"

    def __init__(self, held: int = 1, *, stuck: bool = False) -> None:
        self.calls: list[str] = []
        self.held = held
        self.stuck = stuck

    @property
    def node(self) -> str:
        return "broker-a"

    def parameters(self) -> Mapping[str, Any]:
        return {"delay_ms": 7}

    async def inject(self, ground: Ground) -> Mapping[str, Any]:
        self.calls.append("inject")
        return {"before": 0}

    async def heal(self, ground: Ground) -> Mapping[str, Any]:
        self.calls.append("heal")
        if self.stuck:
            raise FaultError("stuck")
        return {"bytes_held": self.held}


class Clock(RealClock):
    """Each reading is one more than the last."""

    def __init__(self) -> None:
        self.readings = 0

    def monotonic_ns(self) -> int:
        self.readings += 1
        return self.readings


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path, run="r", process="kit", number=0, clock=Clock())


def control(recorder: Recorder, capabilities: tuple[str, ...] = ("kill",)) -> FaultControl:
    ground = Ground(cast("Any", None), cast("Any", None), recorder, recorder.clock, random.Random(1))
    return FaultControl(ground, frozenset(capabilities))


def row(recorder: Recorder) -> dict[str, Any]:
    """The one fault of the stream, later columns over earlier ones."""
    found: dict[str, Any] = {}
    for line in recorder.path.read_text().splitlines():
        data = json.loads(line)
        if data["e"] == "faults":
            assert found.setdefault("op", data["op"]) == data["op"]
            found.update(data)
    return found


def test_a_fault_has_four_stamps_in_order_and_its_effect(recorder: Recorder) -> None:
    faults = control(recorder)

    async def go() -> None:
        async with faults.during(Recorded(held=12)):
            assert len(faults.active) == 1

    asyncio.run(go())
    found = row(recorder)
    assert found["began"] < found["active"] < found["healing"] < found["healed"]
    assert (found["kind"], found["node"], found["confirmed"]) == ("kill", "broker-a", True)
    assert json.loads(found["effect"]) == {"before": 0, "bytes_held": 12}
    assert json.loads(found["parameters"]) == {"delay_ms": 7}
    assert faults.active == ()


def test_a_fault_without_effect_is_not_confirmed(recorder: Recorder) -> None:
    faults = control(recorder)

    async def go() -> None:
        async with faults.during(Recorded(held=0)):
            pass

    asyncio.run(go())
    assert row(recorder)["confirmed"] is False


def test_injecting_twice_is_an_error_and_healing_nothing_is_not(recorder: Recorder) -> None:
    faults, fault = control(recorder), Recorded()

    async def go() -> None:
        await faults.heal(fault)
        await faults.inject(fault)
        with pytest.raises(FaultError, match="already injected"):
            await faults.inject(fault)
        await faults.heal(fault)
        await faults.heal(fault)

    asyncio.run(go())
    assert fault.calls == ["inject", "heal"]


def test_everything_is_healed_latest_first_even_when_one_is_stuck(recorder: Recorder) -> None:
    faults, first, stuck, last = control(recorder), Recorded(), Recorded(stuck=True), Recorded()

    async def go() -> None:
        for fault in (first, stuck, last):
            await faults.inject(fault)
        with pytest.raises(FaultError, match="kill on broker-a: stuck"):
            await faults.heal_all()

    asyncio.run(go())
    assert [fault.calls[-1] for fault in (first, stuck, last)] == ["heal"] * 3
    assert faults.active == (stuck,)


def test_a_fault_that_the_target_cannot_take_says_what_it_can(recorder: Recorder) -> None:
    with pytest.raises(SettingsError, match=r"capability 'kill'.*pause.*needs"):
        asyncio.run(control(recorder, ("pause",)).inject(Recorded()))
    assert row(recorder) == {}
