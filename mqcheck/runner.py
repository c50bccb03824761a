"""Runs one scenario: brings up, acts, heals, lets recover, reads back, takes down; leaves a history folder.

``<folder>/plan.json`` says what was meant, ``events/`` what happened, ``logs/`` what the nodes said. What goes wrong
with the harness goes into the plan as `harness_error`; verdicts are not given here. Nothing in this file knows
whether the world is real: clocks, network and launcher come with the `Stage`, nodes with the target.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mqcheck.clock import Clock, RealClock
from mqcheck.errors import MqcheckError, RefusedError
from mqcheck.faults.base import FaultControl, Ground
from mqcheck.guard import Guard
from mqcheck.history.recorder import Recorder, StallWatch
from mqcheck.links.base import NetworkLike
from mqcheck.profile import Profile
from mqcheck.sabotage import CLIENT_SABOTAGES
from mqcheck.scenarios.base import Launcher, Scenario, World, unfit
from mqcheck.scenarios.ending import final_read, recover
from mqcheck.targets.base import DISK_CAPABILITIES, Cluster, DiskChoice, Opening, Target

if TYPE_CHECKING:
    from mqcheck.links.toxiproxy import ToxiproxyServer

PLAN_FORMAT: Final = 1
"""Version of plan.json."""

KIT: Final = "kit"
"""The runner's own name in the history, as process and as node of its settings."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What scenarios share in one process: the world they run in. Made once per session."""

    clock: Clock
    guard: Guard | None
    """None in the simulation, where nothing outlives the process."""
    network: Callable[[Recorder, str], NetworkLike]
    """Makes a scenario's network; the text is a prefix for its links' names."""
    launcher: Callable[[], Launcher]
    """Makes a scenario's launcher of client processes."""
    stalls: bool = True
    """Whether the loop can be late, and is watched for it; in virtual time it cannot."""


def real_stage(server: ToxiproxyServer, guard: Guard) -> Stage:
    """The real world: this host's clocks, links through a running Toxiproxy server, client processes."""
    from mqcheck.links.pulse import Pulses
    from mqcheck.links.topology import Network
    from mqcheck.workloads.launcher import ProcessLauncher

    pulses = Pulses(server, RealClock())

    def network(recorder: Recorder, prefix: str) -> NetworkLike:
        # The kit's own clients never use the VIP port.
        return Network(recorder, server, prefix=prefix, vip=False, pulses=pulses)

    return Stage(RealClock(), guard, network, lambda: ProcessLauncher(guard))


@dataclass(slots=True)
class _PlanFile:
    """plan.json: written at the start, rewritten once at the end, whole or not at all."""

    path: Path
    content: dict[str, Any]

    def write(self, **changes: Any) -> None:
        self.content.update(changes)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self.content)) + b"\n")
        os.replace(temporary, self.path)


async def run_scenario(
    scenario: Scenario,
    target: Target,
    profile: Profile,
    seed: int,
    folder: Path,
    *,
    run: str,
    stage: Stage,
    sabotage: str | None = None,
    odd: str | None = None,
    replay: str = "",
    disk: DiskChoice | None = None,
    on_row: Callable[[Mapping[str, Any]], None] | None = None,
) -> None:
    """Run a scenario once and leave its history in `folder` (made if need be, must hold no history).

    One that the target cannot take leaves a plan that says why, and a history without events.
    Called by the session, in any thread's loop. Never raises for what goes wrong on the way: that is `harness_error`
    in plan.json; but RefusedError when a node refused what the user had asked for. Cancelling it takes everything down
    before CancelledError goes on. `on_row` is the recorder's.
    """
    disk = (disk or DiskChoice()) if scenario.needs & DISK_CAPABILITIES else None
    plan = _PlanFile(folder / "plan.json", _plan(scenario, target, profile, seed, run, sabotage, odd, replay))
    plan.write(not_applicable=unfit(scenario, target, profile) or None)
    began = stage.clock.monotonic_ns()
    recorder = Recorder(folder / "events", run=run, process=KIT, number=0, clock=stage.clock, on_row=on_row)
    watch = StallWatch(recorder, asyncio.get_running_loop())
    if stage.stalls:
        watch.start()
    trouble: str | None = "cancelled before its end"
    try:
        for key, value in profile.client_config().items():
            recorder.point("config", node=KIT, key=key, setting=str(value))
        if plan.content["not_applicable"]:
            trouble = None
            return
        async with asyncio.timeout(profile.scenario_ms / 1000):
            await _play(_Call(scenario, target, profile, seed, folder, run, stage, sabotage, odd, disk), recorder)
        trouble = None
    except TimeoutError as error:
        trouble = f"broken off after {profile.scenario_ms} ms: {_describe(error)}"
    except Exception as error:  # whatever it is, the history says so and the others go on
        trouble = _describe(error)
        if (refused := _refusal(error)) is not None:
            raise refused from error
    finally:
        watch.stop()
        recorder.close()
        seconds = (stage.clock.monotonic_ns() - began) / 1e9
        plan.write(seconds=round(seconds, 3), harness_error=trouble)


@dataclass(frozen=True, slots=True)
class _Call:
    """The arguments of one run."""

    scenario: Scenario
    target: Target
    profile: Profile
    seed: int
    folder: Path
    run: str
    stage: Stage
    sabotage: str | None
    odd: str | None
    disk: DiskChoice | None
    """None: nothing is done to disks in this scenario."""


async def _play(call: _Call, recorder: Recorder) -> None:
    """Bring up, act, take down in the opposite order; whatever fails, the rest is taken down."""
    stage, profile, scenario = call.stage, call.profile, call.scenario
    async with contextlib.AsyncExitStack() as stack:
        network = stage.network(recorder, scenario.name)
        stack.push_async_callback(network.close)
        if scenario.frames:
            network.see_frames(scenario.frames)
        rng = random.Random(f"{call.seed}/{scenario.name}/ground")  # noqa: S311 - plans, not secrets
        opening = Opening(
            nameserver_settings=profile.nameserver,
            broker_settings=profile.broker,
            folder=call.folder,
            network=network,
            recorder=recorder,
            guard=stage.guard,
            rng=rng,
            sabotage=None if call.sabotage in CLIENT_SABOTAGES else call.sabotage,
            odd=call.odd,
            held_ms=profile.client.pull_timeout_ms,
            needs=scenario.needs,
            disk=call.disk,
        )
        cluster = await _open(call, opening)
        stack.push_async_callback(cluster.close)
        if cluster.prefix:
            may = "destructive" in call.target.capabilities
            profile = replace(profile, client=replace(profile.client, prefix=cluster.prefix, destructive=may))
        ground = Ground(network, cluster, recorder, stage.clock, rng)
        world = World(
            run=call.run,
            scenario=scenario,
            seed=call.seed,
            profile=profile,
            clock=stage.clock,
            recorder=recorder,
            network=network,
            cluster=cluster,
            ground=ground,
            faults=FaultControl(ground, call.target.capabilities),
            launcher=stage.launcher(),
            sabotage=call.sabotage,
        )
        stack.push_async_callback(world.close_clients)
        stack.push_async_callback(world.heal)
        stack.push_async_callback(world.stop_background)
        await _phases(world)


async def _open(call: _Call, opening: Opening) -> Cluster:
    """Bring the cluster up. A bug that the target does not have may have been meant for the kit's own clients."""
    try:
        return await call.target.open(call.scenario.deployment_for(call.profile), opening)
    except RefusedError as error:
        if opening.sabotage is None:
            raise
        raise RefusedError(f"{error}; in the kit's own clients: {', '.join(sorted(CLIENT_SABOTAGES))}") from error


async def _phases(world: World) -> None:
    """What happens, phase by phase; load and fault are written by the scenario."""
    await world.scenario.run(world)
    await world.stop_background()
    await world.network.leak_check()
    async with world.phase("heal"):
        await world.heal()
    async with world.phase("recover"):
        await recover(world)
    await world.network.leak_check()
    async with world.phase("final-read"):
        await final_read(world)


def _plan(
    scenario: Scenario,
    target: Target,
    profile: Profile,
    seed: int,
    run: str,
    sabotage: str | None,
    odd: str | None,
    replay: str,
) -> dict[str, Any]:
    return {
        "format": PLAN_FORMAT,
        "run": run,
        "scenario": scenario.name,
        "target": target.name,
        "target_version": target.version,
        "profile": profile.name,
        "seed": seed,
        "aims": list(scenario.aims),
        "capabilities": sorted(target.capabilities),
        "sabotage": sabotage,
        "odd": odd,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "replay": replay,
        "seconds": None,
        "harness_error": None,
    }


def _refusal(error: BaseException) -> RefusedError | None:
    """The refusal in an error or group of errors, if there is one."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := _refusal(inner)) is not None), None)
    return error if isinstance(error, RefusedError) else None


def _describe(error: BaseException) -> str:
    """One line for the plan: the deepest causes of a group, the kit's own errors without their class."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_describe(inner) for inner in error.exceptions)
    text = str(error) if isinstance(error, MqcheckError) else f"{type(error).__name__}: {error}"
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    if frames is None or isinstance(error, MqcheckError):
        return text
    code = frames.tb_frame.f_code
    return f"{text} ({Path(code.co_filename).name}:{frames.tb_lineno} in {code.co_name})"
