"""What an experiment acts on: a scenario like any other, whose coroutine waits to be told what to do.

The runner brings it up and takes it down, heals, lets it recover and reads everything back; load, phases and faults in
between are asked for here, one call each. Every coroutine of this module runs in the bridge's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from mqcheck.chaos.order import Order, unknown_fault
from mqcheck.chaos.work import ConsumersWish, LoadWish, TopicWish
from mqcheck.errors import HarnessError, SettingsError
from mqcheck.faults.base import Fault
from mqcheck.faults.power import PowerCut
from mqcheck.faults.store import BadTail
from mqcheck.rocketmq.models import Delivery, ListenerResult
from mqcheck.runner import Stage, run_scenario
from mqcheck.scenarios.base import Scenario, World, unfit
from mqcheck.targets.base import Victim
from mqcheck.workloads.client_plan import ClientPlan
from mqcheck.workloads.traffic import Group, Ledger, Traffic

LOOK_SECONDS: Final = 0.05
"""How often a waiting stand looks whether something in the background has failed. Ours."""

Leaving = Literal["leave", "crash", "silence"]
"""How a consumer goes: in good order, as if killed, or connected without a word."""


@dataclass(slots=True)
class _Load:
    """One load that runs: producers in this process, or in processes of their own."""

    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    victims: list[Victim] = field(default_factory=list)


@dataclass(slots=True)
class Stand:
    """The world of one experiment, from `open` to `finish` or `abort`."""

    order: Order
    stage: Stage
    folder: Path
    """Of the history."""
    run: str
    replay: str = ""
    fell: bool | None = None
    """At its end: whether the kit had broken down before it. What was found after that says nothing of the broker."""
    _scenario: Scenario | None = None
    _task: asyncio.Task[None] | None = None
    _world: World | None = None
    _traffic: Traffic | None = None
    _up: asyncio.Event = field(default_factory=asyncio.Event)
    _done: asyncio.Event = field(default_factory=asyncio.Event)
    _phase: AsyncExitStack | None = None
    _phase_name: str = ""
    _topics: dict[str, str] = field(default_factory=dict)
    _loads: dict[str, _Load] = field(default_factory=dict)
    _groups: dict[str, Group] = field(default_factory=dict)
    _victims: dict[str, Victim] = field(default_factory=dict)
    """Consumers in processes of their own."""
    _faults: dict[str, tuple[Fault, ...]] = field(default_factory=dict)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Faults and phases change one at a time; activities in the background may ask at once."""

    @property
    def world(self) -> World:
        """The world that is up. Raises HarnessError when it is not, with the reason where it broke down."""
        self.check_up()
        return self._here()

    def check_up(self) -> None:
        """Raises HarnessError where there is nothing to act on (any more). Called by whoever waits for something."""
        if self._world is None or self._task is None or self._task.done():
            raise HarnessError(f"the experiment's cluster is not up{self._trouble()}")

    @property
    def active(self) -> tuple[str, ...]:
        """Names of what is injected and not healed."""
        return tuple(self._faults)

    async def open(self) -> None:
        """Bring the deployment up, start what is to run from the beginning, and wait until messages flow.

        Raises SettingsError where the target cannot stand like this, HarnessError where it does not come up.
        """
        order = self.order
        self._scenario = Scenario(
            name=order.name,
            summary=order.title,
            aims=order.aims,
            run=self._drive,
            deployment=order.deployment,
            needs=order.needs,
            frames=order.frames,
        )
        if reason := unfit(self._scenario, order.target, order.profile):
            raise SettingsError(reason)
        self._task = asyncio.create_task(self._run(self._scenario), name=f"mqcheck-{order.name}")
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait([up, self._task], return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._task.done():
            self._task.result()
            raise HarnessError(f"the experiment's cluster did not come up{self._trouble()}")
        for topic in order.topics:
            await self.topic(topic)
        for consumers in order.consumers:
            await self.start_consumers(consumers)
        for load in order.loads:
            await self.start_load(load)
        await self._warm_up()

    async def finish(self) -> None:
        """End the load, then as every scenario ends: heal, recover, read everything back, take down."""
        self._look_back()
        self._done.set()
        if self._task is not None:
            await self._task

    async def abort(self) -> None:
        """Heal and take down, whatever is under way; nothing is read back. Idempotent."""
        self._look_back()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def _look_back(self) -> None:
        """At the first end that is asked for: whether there was still something to end."""
        if self.fell is None:
            self.fell = self._up.is_set() and self._task is not None and self._task.done()

    async def topic(self, wish: TopicWish) -> str:
        """The topic's whole name; created where it is not there yet."""
        if wish.name not in self._topics:
            places = None if wish.brokers is None else tuple(wish.brokers)
            self._topics[wish.name] = await self.world.topic(wish.name, queues=wish.queues, brokers=places)
        return self._topics[wish.name]

    async def start_load(self, wish: LoadWish) -> list[str]:
        """Producers that send steadily until `stop_load`; names of their clients."""
        if wish.name in self._loads:
            raise SettingsError(f"a load {wish.name!r} is running already; give this one a name of its own")
        whole = await self.topic(TopicWish(wish.topic))
        load = self._loads[wish.name] = _Load()
        if wish.process:
            for client in wish.clients():
                load.victims.append(await self._producer(client, whole, wish.rate_per_s / wish.producers))
            return wish.clients()
        running = self.traffic.load(
            whole, name=wish.name, producers=wish.producers, rate_per_s=wish.rate_per_s, workers=wish.workers
        )
        await load.stack.enter_async_context(running)
        return wish.clients()

    async def stop_load(self, name: str) -> None:
        """End a load and wait for its sends under way; one that does not run is no mistake."""
        load = self._loads.pop(name, None)
        if load is None:
            return
        for victim in load.victims:
            if victim.running:
                await victim.stop()
        await load.stack.aclose()

    async def start_consumers(self, wish: ConsumersWish) -> list[str]:
        """More members of a consumer group, which is made if need be; names of their clients."""
        whole = await self.topic(TopicWish(wish.topic))
        if wish.group not in self._groups:
            listener = _listener(wish.work_ms)
            self._groups[wish.group] = await self.traffic.group(
                wish.group, whole, members=0, listener=listener, orderly=wish.orderly
            )
        found = self._groups[wish.group]
        first = len(found.done)
        names = [f"{wish.group}-{number + 1}" for number in range(first, first + wish.members)]
        for name in names:
            if wish.process:
                self._victims[name] = await found.join_process(name, work_ms=wish.work_ms)
            else:
                await found.join(name)
        return names

    async def stop_consumers(self, group: str, members: int | None = None, how: Leaving = "leave") -> list[str]:
        """So many members go, the latest first (None: all); names of those that went."""
        found = self.group(group)
        here = [name for name in found.done if name in found.consumers or self._runs(name)]
        going = list(reversed(here))[: len(here) if members is None else members]
        for name in going:
            if name in found.consumers:
                await {"leave": found.leave, "crash": found.crash, "silence": found.silence}[how](name)
            elif how == "crash":
                await self._victims[name].kill()
            else:
                await self._victims[name].stop()
        return going

    def group(self, name: str) -> Group:
        """A consumer group of the experiment. Raises SettingsError that lists them."""
        try:
            return self._groups[name]
        except KeyError:
            known = ", ".join(self._groups) or "none"
            raise SettingsError(f"no group {name!r} has been started; there are {known}") from None

    async def inject(self, name: str, faults: Sequence[Fault]) -> list[int]:
        """Break something under a name; the history's ids of the faults. The phase becomes `fault`."""
        async with self._changing:
            if name in self._faults:
                raise SettingsError(f"{name!r} is injected already; heal it first, or give this one another name")
            await self._enter("fault")
            self._faults[name] = tuple(faults)
            ids = [await self.world.faults.inject(fault) for fault in faults]
            self._forgive(faults)
            return ids

    async def heal(self, name: str) -> int:
        """Mend what was injected under a name; how many faults that were.

        Raises SettingsError for a name that the experiment does not know, FaultError for what does not heal.
        """
        async with self._changing:
            if name not in self._faults:
                if name not in self.order.fault_names:
                    raise SettingsError(unknown_fault(name, self.order.fault_names))
                return 0
            healed = self._faults[name]
            for fault in reversed(healed):
                await self.world.faults.heal(fault)
            del self._faults[name]
            if not self._faults:
                await self._enter("load")
            return len(healed)

    async def heal_all(self) -> int:
        """Mend everything, latest first; how many faults that were. Raises FaultError naming those that did not."""
        async with self._changing:
            count = sum(map(len, self._faults.values()))
            await self.world.faults.heal_all()
            self._faults.clear()
            await self._enter("load")
            return count

    @property
    def traffic(self) -> Traffic:
        """The workload's ledger and groups. Raises HarnessError as `world` does: what is left of it is stale."""
        self.check_up()
        assert self._traffic is not None  # noqa: S101 - set with the world
        return self._traffic

    async def _run(self, scenario: Scenario) -> None:
        order = self.order
        await asyncio.to_thread(order.target.prepare)
        try:
            await run_scenario(
                scenario,
                order.target,
                order.profile,
                order.seed,
                self.folder,
                run=self.run,
                stage=self.stage,
                sabotage=order.wishes.sabotage,
                replay=self.replay,
                disk=order.disk,
            )
        finally:
            await order.target.finish()

    async def _drive(self, world: World) -> None:
        """The scenario's own part: wait until the experiment says that it is done."""
        self._world, self._traffic = world, Traffic(world)
        try:
            await self._enter("load")
            self._up.set()
            while not self._done.is_set():
                world.check_background()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._done.wait(), LOOK_SECONDS)
            for name in list(self._loads):
                await self.stop_load(name)
        finally:
            await self._leave()

    async def _enter(self, phase: Literal["load", "fault"]) -> None:
        """Be in a phase; one that the world is in goes on."""
        if self._phase is not None and self._phase_name == phase:
            return
        await self._leave()
        self._phase = AsyncExitStack()
        await self._phase.enter_async_context(self._here().phase(phase))
        self._phase_name = phase

    async def _leave(self) -> None:
        phase, self._phase = self._phase, None
        if phase is not None:
            await phase.aclose()

    def _here(self) -> World:
        assert self._world is not None  # noqa: S101 - set before the first phase
        return self._world

    async def _warm_up(self) -> None:
        """Until the first messages have been acknowledged, where the file starts a load in this process."""
        if any(not load.process for load in self.order.loads):
            await self.traffic.flow(0, acked=self.order.wishes.warm_up)

    async def _producer(self, name: str, topic: str, rate_per_s: float) -> Victim:
        plan = ClientPlan(name=name, role="producer", group=f"{topic}-producers", topic=topic, rate_per_s=rate_per_s)
        told = _Acked(self.traffic.ledger, topic)
        return await self.world.process(plan, told)

    def _runs(self, name: str) -> bool:
        return name in self._victims and self._victims[name].running

    def _forgive(self, faults: Sequence[Fault]) -> None:
        """What a cut may take from a broker that does not sync before it answers is waited for by nobody."""
        for fault in faults:
            if isinstance(fault, PowerCut | BadTail):
                node = self.world.cluster.nodes[fault.victim]
                if node.settings.get("flushDiskType") != "SYNC_FLUSH" and node.broker is not None:
                    self.traffic.ledger.forgive(node.broker)

    def _trouble(self) -> str:
        try:
            plan = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        trouble = plan.get("harness_error")
        return f": {trouble}" if trouble else ""


@dataclass(slots=True)
class _Acked:
    """Takes down what a producer in a process of its own says it was told."""

    ledger: Ledger
    topic: str

    def __call__(self, line: Mapping[str, Any]) -> None:
        for message in line.get("acked", ()):
            self.ledger.acked.setdefault(self.topic, {})[int(message)] = ""
            self.ledger.sent += 1
            self.ledger.acknowledged += 1


def _listener(work_ms: int) -> Any:
    """A listener that takes so long for each message."""

    async def listen(delivery: Delivery) -> ListenerResult:
        if work_ms:
            await asyncio.sleep(work_ms / 1000)
        return "success"

    return listen
