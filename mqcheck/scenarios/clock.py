"""Clocks: a broker's wall clock jumps forward by an hour and back, under load."""

from __future__ import annotations

from typing import Final

from mqcheck.faults.clock import ClockJump
from mqcheck.scenarios.base import Scenario, World
from mqcheck.workloads.pattern import traffic_under

HOUR_MS: Final = 3_600_000


async def _jump(world: World) -> None:
    # Neither locks nor retries nor delays: these may follow the wall clock.
    await traffic_under(world, [ClockJump("broker-a", HOUR_MS)])


SCENARIOS: Final = (
    Scenario(
        name="clock-jump",
        summary="Catches brokers whose order, offsets or deliveries lean on the wall clock: it jumps an hour and back.",
        needs=frozenset({"clock"}),
        aims=("con-alo", "con-no-skip", "dur-body-intact", "sto-fifo-queue", "sto-offset-dense", "sto-offset-unique"),
        run=_jump,
        seconds=10,
    ),
)
