"""Clients of their own life in the simulation: what `launcher` starts as processes runs here as tasks on a host.

Each has a stream of its own, as a process would. The work itself is `client_process`'s.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

from mqcheck.errors import FaultError, NodeError
from mqcheck.history.recorder import Recorder
from mqcheck.scenarios.base import World
from mqcheck.workloads.client_plan import ClientOrder, ClientPlan
from mqcheck.workloads.client_process import TELL_MS, ClientWork


class MortalRecorder(Recorder):
    """A stream whose process can be killed: it ends without its closing line, and nothing is written after that."""

    killed = False

    def kill(self) -> None:
        """End the stream here."""
        self.killed = True

    def _write(self, row: dict[str, Any]) -> None:
        if not self.killed:
            super()._write(row)


class SimLauncher:
    """Starts the clients of one scenario; `loop` is a simulated one."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._clients: list[SimClient] = []
        self._numbers = 0

    def launch(self, world: World, plan: Any, on_line: Callable[[Mapping[str, Any]], None]) -> SimClient:
        """A client that is not started yet."""
        client = SimClient(world, plan, self._loop.net.host(plan.name), self.next_number, on_line)
        self._clients.append(client)
        return client

    def next_number(self) -> int:
        """Number of the next stream; 0 is the kit's own."""
        self._numbers += 1
        return self._numbers

    async def close(self) -> None:
        """End every client that still runs, in good order."""
        for client in self._clients:
            if client.running:
                await client.stop()


class SimClient:
    """One client, through all its lives; what faults see of it is `Victim`."""

    def __init__(
        self,
        world: World,
        plan: ClientPlan,
        host: Any,
        next_number: Callable[[], int],
        on_line: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.name = plan.name
        self.life = -1
        self._world = world
        self._plan = plan
        self._host = host
        self._next_number = next_number
        self._on_line = on_line
        self._recorder: MortalRecorder | None = None
        self._work: ClientWork | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def running(self) -> bool:
        """True from ready until its end."""
        return self._work is not None

    async def start(self) -> None:
        """Begin the next life and wait until it is connected."""
        if self._work is not None:
            raise NodeError(f"{self.name} is already running; end it first")
        self.life += 1
        order = await self._order()
        events = self._world.recorder.path.parent
        self._recorder = MortalRecorder(
            events,
            run=order.run,
            process=self.name,
            number=order.number,
            life=self.life,
            clock=self._world.clock,
        )
        rng = random.Random(f"{order.seed}/{order.purpose}")  # noqa: S311 - plans, not secrets
        self._work = work = ClientWork(order, self._recorder, rng)
        await self._host.create_task(work.start())
        self._tasks = [self._host.create_task(work.produce()), self._host.create_task(self._tell(work))]

    async def stop(self) -> None:
        """A clean end, last commits included."""
        work, recorder = await self._end()
        await self._host.create_task(work.client.close())
        self._say(work)
        recorder.close()

    async def kill(self) -> None:
        """The end at once: connections are reset, nothing is committed or unregistered, the stream breaks off."""
        if self._recorder is not None:
            self._recorder.kill()
        work, recorder = await self._end()
        await self._host.create_task(work.client.abandon())
        recorder.close()

    async def pause(self) -> None:
        """Not to be had: tasks cannot be held still from outside. Raises FaultError."""
        raise FaultError(f"{self.name} cannot be paused: a simulated client is no process; pause a node")

    async def resume(self) -> None:
        """It was never paused."""

    async def _end(self) -> tuple[ClientWork, MortalRecorder]:
        work, recorder = self._work, self._recorder
        if work is None or recorder is None:
            raise NodeError(f"{self.name} is not running; start it first")
        self._work = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return work, recorder

    async def _tell(self, work: ClientWork) -> None:
        while True:
            await asyncio.sleep(TELL_MS / 1000)
            self._say(work)

    def _say(self, work: ClientWork) -> None:
        if fresh := work.fresh():
            self._on_line({"done" if self._plan.role == "consumer" else "acked": fresh})

    async def _order(self) -> ClientOrder:
        world = self._world
        return ClientOrder(
            plan=self._plan,
            run=world.run,
            seed=world.seed,
            purpose=f"{world.scenario.name}/{self.name}",
            number=self._next_number(),
            life=self.life,
            events=str(world.recorder.path.parent),
            nameservers=await world.network.nameserver_addresses(self.name),
            nameserver_names=tuple(node.name for node in world.cluster.nameservers()),
            settings=world.profile.client,
            sabotage=world.sabotage,
        )
