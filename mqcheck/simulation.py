"""Runs a scenario, unmodified, in a simulated world: hours in seconds, and one seed is one exact run.

Needs simloop (Python ≥ 3.12), which is imported only when a simulation starts. Leaves the same history folder as any
run; judging is done afterwards, outside the loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mqcheck.history.recorder import Recorder
from mqcheck.links.base import NetworkLike
from mqcheck.links.sim_network import SimNetwork
from mqcheck.profile import Profile
from mqcheck.runner import Stage, run_scenario
from mqcheck.scenarios.base import Scenario
from mqcheck.targets.sim import SimClock, SimTarget, end_loop, sim_loop
from mqcheck.workloads.sim_launcher import SimLauncher

LATENCY_SECONDS: Final = (0.000_05, 0.000_2)
"""How long a packet takes on every simulated line, uniformly. Ours: a host's own sockets, about."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What one simulation came to."""

    trace_hash: str
    """Equal for two runs that made the same decisions in the same order; empty if not asked for."""
    virtual_seconds: float
    """How long it took for those inside."""


def sim_stage(loop: Any, seed: int) -> Stage:
    """The simulated world of one scenario; one loop is one scenario's."""
    loop.net.set_defaults(latency=LATENCY_SECONDS)

    def network(recorder: Recorder, prefix: str) -> NetworkLike:
        return SimNetwork(loop, recorder, f"{seed}/{prefix}")

    return Stage(SimClock(loop), None, network, lambda: SimLauncher(loop), stalls=False)


def simulate(
    scenario: Scenario,
    profile: Profile,
    seed: int,
    folder: Path,
    *,
    run: str = "sim",
    sabotage: str | None = None,
    odd: str | None = None,
    hashed: bool = False,
) -> Simulated:
    """Run a scenario once and leave its history in `folder`; see `run_scenario`. Blocks; no loop may be running.

    `hashed`: also the trace's hash, which takes about two seconds per million events.

    Raises MissingToolError where there is no simloop, and whatever escaped into the loop's exception handler.
    """
    loop = sim_loop(seed)
    try:
        work = run_scenario(
            scenario,
            SimTarget(),
            profile,
            seed,
            folder,
            run=run,
            stage=sim_stage(loop, seed),
            sabotage=sabotage,
            odd=odd,
        )
        loop.run_until_complete(work)
        return Simulated(loop.trace_hash() if hashed else "", loop.time())
    finally:
        end_loop(loop)
