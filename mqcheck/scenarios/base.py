"""What a scenario is, and the world it acts in.

A `Scenario` names what must stand, what it aims at, and a coroutine that acts. The coroutine sees a `World` and
nothing else: no sockets, processes, files or clocks of its own, so it runs unmodified in the simulation. The runner
makes the world, and after the coroutine has returned it heals, lets the cluster recover and reads everything back.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import pkgutil
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from mqcheck.clock import Clock
from mqcheck.errors import HarnessError, SettingsError
from mqcheck.faults.base import FaultControl, Ground
from mqcheck.history.recorder import STALL_PERIOD_MS, Recorder
from mqcheck.links.base import NetworkLike
from mqcheck.profile import Profile, config_of
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.models import ClientSettings
from mqcheck.rocketmq.names import owned
from mqcheck.sabotage import seam_of
from mqcheck.targets.base import Cluster, Deployment, Role, Setting, Target, Victim

Phase = Literal["load", "fault", "heal", "recover", "final-read"]
"""The phases of every scenario, in this order; `fault` may be missing or come several times."""

WATCHED_TIMES_MAX: Final = 2
"""A watch takes at most so many times what it would take without stalls; ours."""

POLL_MS: Final = 20
"""How often a condition is looked at that nobody announces. Ours."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A deployment, a workload and a timetable of faults; it knows no guarantee but by the ids it aims at."""

    name: str
    summary: str
    """What it would catch, in one sentence."""
    aims: tuple[str, ...]
    """Ids of guarantees that this scenario is meant to exercise: too little of it is inconclusive."""
    run: Callable[[World], Awaitable[None]]
    """Acts out load and faults; returns when the last fault has been injected and has lasted."""
    deployment: Deployment | Callable[[Profile], Deployment] = field(default_factory=Deployment)
    """What must stand; a function where it depends on the profile."""
    needs: frozenset[str] = frozenset()
    """Capabilities without which a target cannot take it."""
    waits: frozenset[str] = frozenset()
    """Properties that decide how long it takes: a target that cannot be told to be as quick as the profile is none for
    it."""
    frames: tuple[str, ...] = ()
    """Patterns of links between peers and brokers that frame faults are to hit: a frame proxy stands on these alone."""
    alone: bool = False
    """Nothing else may run at the same time: its timing is too tight."""
    seconds: float = 20.0
    """About how long it takes under `quick`, for sharing scenarios out between workers."""

    def deployment_for(self, profile: Profile) -> Deployment:
        """What must stand under this profile."""
        return self.deployment(profile) if callable(self.deployment) else self.deployment


class Expectation(Protocol):
    """Something that must come true once every fault is healed; `recover` waits for it."""

    def missing(self) -> int:
        """How much is still to come; 0 when it has come true."""
        ...

    def progress(self) -> int:
        """A count that grows with every step forward."""
        ...

    async def behind(self) -> int:
        """How much only the brokers know to be still to come; asked when nothing is missing any more."""
        ...


class Launcher(Protocol):
    """Starts clients in processes of their own (tasks of their own, in the simulation)."""

    def launch(self, world: World, plan: Any, on_line: Callable[[Mapping[str, Any]], None]) -> Victim:
        """A client that is not started yet; `on_line` gets what it says about its work."""
        ...

    async def close(self) -> None:
        """End every client that still runs."""
        ...


@dataclass(slots=True)
class World:
    """Everything a scenario may touch."""

    run: str
    """Id of the run; part of every message's MQC property."""
    scenario: Scenario
    seed: int
    profile: Profile
    clock: Clock
    recorder: Recorder
    network: NetworkLike
    cluster: Cluster
    ground: Ground
    faults: FaultControl
    launcher: Launcher
    sabotage: str | None = None
    """A bug planted in the clients, by name; one of the target's is none of theirs."""
    expectations: list[Expectation] = field(default_factory=list)
    """What `recover` waits for."""
    clients: list[Client] = field(default_factory=list)
    """Clients of this process, closed before the final read."""
    _admins: dict[str, Admin] = field(default_factory=dict)
    _tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    _closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _healed: bool = False

    def rng(self, purpose: str) -> random.Random:
        """Randomness of its own for each purpose: the same seed gives the same plan, whatever runs beside it."""
        if self.cluster.prefix:
            purpose = purpose.replace(self.cluster.prefix, "")  # it differs from run to run
        return random.Random(f"{self.seed}/{self.scenario.name}/{purpose}")  # noqa: S311 - plans, not secrets

    @asynccontextmanager
    async def phase(self, name: Phase) -> AsyncIterator[None]:
        """A phase of the run; both its boundaries are written to the history."""
        op = self.recorder.begin("phases", name=name, began=self.clock.monotonic_ns())
        try:
            yield
            if name in {"load", "fault"}:
                await self.network.leak_check()
        finally:
            self.recorder.end("phases", op, ended=self.clock.monotonic_ns())

    async def sleep_ms(self, ms: float) -> None:
        """Let time pass; a background task that failed in the meantime is raised."""
        await asyncio.sleep(ms / 1000)
        self.check_background()

    async def watch_ms(self, ms: float) -> None:
        """Let so much time pass in which this process can see: stalls do not count, as the judge subtracts them.

        Ends after WATCHED_TIMES_MAX times as long in any case; then the judge says that too little was seen.
        """
        loop = asyncio.get_running_loop()
        deadline, left_ms = loop.time() + WATCHED_TIMES_MAX * ms / 1000, ms
        while left_ms > 0 and loop.time() < deadline:
            began, turn_ms = loop.time(), min(left_ms, STALL_PERIOD_MS)
            await self.sleep_ms(turn_ms)
            took_ms = (loop.time() - began) * 1000
            left_ms -= turn_ms if took_ms > turn_ms + STALL_PERIOD_MS else max(took_ms, turn_ms)

    async def wait_until(self, condition: Callable[[], bool | Awaitable[bool]], deadline_ms: int, what: str) -> None:
        """Wait for something; raises HarnessError naming `what` when it does not come true in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_ms / 1000
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            if loop.time() > deadline:
                raise HarnessError(f"waited {deadline_ms} ms for {what}, in vain; see the nodes' logs/")
            await self.sleep_ms(POLL_MS)

    async def client(self, name: str, **overrides: Any) -> Client:
        """A started client whose every connection runs through links of its own; `overrides` of `ClientSettings`."""
        settings = self.client_settings(name, overrides)
        addresses = await self.network.nameserver_addresses(name)
        names = [node.name for node in self.cluster.nameservers()]
        client = Client(
            name,
            addresses,
            self.recorder,
            settings,
            self.clock,
            self.rng(f"client {name}"),
            nameserver_names=names,
            seam=seam_of(self.sabotage),
        )
        self.clients.append(client)
        await client.start()
        return client

    def client_settings(self, name: str, overrides: Mapping[str, Any]) -> ClientSettings:
        """The profile's numbers with some changed; what was changed is written to `config` under the client's name."""
        if not overrides:
            return self.profile.client
        settings = dataclasses.replace(self.profile.client, **overrides)
        for key, value in config_of(settings, self.profile.max_reconsume, self.profile.recover_ms).items():
            self.recorder.point("config", node=name, key=key, setting=str(value))
        return settings

    async def admin(self, name: str = "admin") -> Admin:
        """Administration and probes through links of their own; made once per name."""
        if name not in self._admins:
            client = await self.client(name)
            nodes = {node.name: await self.network.broker_address(name, node.name) for node in self.cluster.brokers()}
            self._admins[name] = Admin(client, nodes)
        return self._admins[name]

    async def topic(self, name: str, *, queues: int = 4, brokers: tuple[str, ...] | None = None) -> str:
        """Create a topic on these broker groups (default: all) and wait until every NameServer lists them.

        Its whole name, which is to be used from then on: in a cluster of others it begins with a prefix.
        """
        name = owned(self.cluster.prefix, name)
        admin = await self.admin()
        masters = [
            node.name
            for node in self.cluster.brokers()
            if node.broker_id == 0 and (brokers is None or node.broker in brokers)
        ]
        await self._create(admin, name, set(masters), queues)
        for nameserver in self.cluster.nameservers():
            await self._wait_listed(admin, nameserver.name, name, set(masters))
        return name

    async def idle_group(self, name: str, nodes: Sequence[str]) -> str:
        """Create a group without members on these nodes; its whole name. A broker need not make one that asks.

        Raises HarnessError when they do not say that they have it.
        """
        name = owned(self.cluster.prefix, name)
        admin = await self.admin()

        async def created() -> bool:
            codes = await admin.create_group(name, nodes)
            return all(code == 0 for code in codes.values())

        await self.wait_until(created, self.profile.ready_ms, f"{nodes} to create the group {name}")
        return name

    async def _create(self, admin: Admin, topic: str, waiting: set[str], queues: int) -> None:
        """A busy machine may answer late: ask again those brokers that did not answer; a refusal is final."""

        async def created() -> bool:
            codes = await admin.create_topic(topic, sorted(waiting), queues=queues)
            refused = {node: code for node, code in codes.items() if code not in (0, None)}
            if refused:
                raise HarnessError(f"topic {topic} was refused: {refused} (0 is success); see the nodes' logs/")
            waiting.difference_update(node for node, code in codes.items() if code == 0)
            return not waiting

        await self.wait_until(created, self.profile.ready_ms, f"{sorted(waiting)} to create {topic}")

    async def _wait_listed(self, admin: Admin, nameserver: str, topic: str, brokers: set[str]) -> None:
        async def listed() -> bool:
            answer = await admin.route(nameserver, topic)
            return answer.route is not None and brokers <= {part.broker for part in answer.route.brokers}

        await self.wait_until(listed, self.profile.ready_ms, f"{nameserver} to list {topic} on {sorted(brokers)}")

    async def process(self, plan: Any, on_line: Callable[[Mapping[str, Any]], None] = lambda line: None) -> Victim:
        """A started client in a process of its own, which faults can kill and pause by name."""
        victim = self.launcher.launch(self, plan, on_line)
        self.ground.victims[victim.name] = victim
        await victim.start()
        return victim

    def expect(self, expectation: Expectation) -> None:
        """`recover` will wait for it."""
        self.expectations.append(expectation)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Something that goes on beside the scenario; cancelled when the scenario's coroutine has returned."""
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        return task

    def on_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """Something to be closed before the clients are; latest first."""
        self._closers.append(closer)

    async def heal(self) -> None:
        """Mend every fault and every link, and verify it; raises FaultError or LinkError: a harness error.

        Idempotent: the end of a run that healed in its phase has nothing left to do.
        """
        if self._healed:
            return
        try:
            await self.faults.heal_all()
        finally:
            await self.network.heal_all()
        self._healed = True

    def check_background(self) -> None:
        """Raise what a background task has raised."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def stop_background(self) -> None:
        """Cancel what `spawn` started and wait for it; raises what one of them had raised."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def close_clients(self) -> None:
        """Close every client of the scenario, wherever it runs; all of them even if some fail."""
        closers = [*reversed(self._closers), self.launcher.close]
        self._closers, self._admins = [], {}
        failures: list[BaseException] = []
        for closer in closers:
            try:
                await closer()
            except Exception as error:  # the others must be closed all the same
                failures.append(error)
        clients, self.clients = self.clients, []
        outcomes = await asyncio.gather(*(client.close() for client in clients), return_exceptions=True)
        failures += [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if failures:
            raise HarnessError("clients did not close: " + "; ".join(repr(failure) for failure in failures))


def unfit(scenario: Scenario, target: Target, profile: Profile) -> str:
    """Why this scenario cannot be run on this target under this profile, and what would enable it; empty if it can."""
    missing = sorted(scenario.needs - target.capabilities)
    if missing == ["destructive"]:
        return f"it changes the cluster for everybody: allow it on {target.name} with --mqcheck-allow destructive"
    if missing:
        why = next((target.lacking[each] for each in missing if each in target.lacking), "")
        what = f"{target.name} cannot take {', '.join(missing)}"
        return f"{what} here: {why}" if why else f"{what}: run it on a target that can, such as reference"
    deployment = scenario.deployment_for(profile)
    if reason := target.refuses(deployment):
        return reason
    roles: list[tuple[Role, Mapping[str, Setting], Mapping[str, Setting]]] = [
        ("nameserver", profile.nameserver, deployment.nameserver_settings),
        *(("broker", profile.broker, {**deployment.settings, **spec.settings}) for spec in deployment.brokers),
    ]
    for role, usual, own in roles:
        asked = {**usual, **own}
        try:
            effective = target.effective(role, asked)
        except SettingsError as error:
            return f"{target.name} cannot be set up for it: {error}"
        for key in sorted(scenario.waits & asked.keys() & effective.keys()):
            if int(effective[key]) > int(asked[key]):
                return (
                    f"it waits for {key}, which on {target.name} is {effective[key]} and cannot be the {asked[key]} of "
                    f"{profile.name}: run it with --mqcheck-profile full"
                )
    return ""


def all_scenarios() -> dict[str, Scenario]:
    """Every scenario of this package, by name: each module has them in `SCENARIOS`. Called by plan and session."""
    found: dict[str, Scenario] = {}
    package = importlib.import_module("mqcheck.scenarios")
    for module in pkgutil.iter_modules(package.__path__):
        scenarios = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "SCENARIOS", ())
        for scenario in scenarios:
            if scenario.name in found:
                raise SettingsError(f"two scenarios are called {scenario.name!r}; names are ids, choose another")
            found[scenario.name] = scenario
    return dict(sorted(found.items()))
