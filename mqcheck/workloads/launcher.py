"""Clients in processes of their own, so that a kill or a pause of a client is a real one.

`ProcessLauncher` starts ``python -m mqcheck.workloads``, hands it its order on stdin and reads what it says about its
work from stdout. Closing stdin asks for a clean end. The work itself is `client_process`'s.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from mqcheck.errors import NodeError
from mqcheck.guard import Guard
from mqcheck.scenarios.base import World
from mqcheck.targets.processes import WatchedProcess, executed
from mqcheck.workloads.client_plan import ClientOrder, ClientPlan

READY_SECONDS_MAX: Final = 30.0
"""How long a client process may take until it is connected; half a second is usual. Ours."""

STOP_SECONDS_MAX: Final = 15.0
"""How long a clean end may take, last commits included. Ours."""

ROOT: Final = Path(__file__).parents[2]
"""Where the package lies: the children's working folder, so that it is found in a checkout too."""


class ProcessLauncher:
    """Starts the client processes of one scenario."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._clients: list[ClientProcess] = []
        self._numbers = 0

    def launch(self, world: World, plan: Any, on_line: Callable[[Mapping[str, Any]], None]) -> ClientProcess:
        """A client that is not started yet."""
        client = ClientProcess(world, plan, self._guard, self.next_number, on_line)
        self._clients.append(client)
        return client

    def next_number(self) -> int:
        """Number of the next stream; 0 is the kit's own."""
        self._numbers += 1
        return self._numbers

    async def close(self) -> None:
        """End every client that still runs, cleanly if it can; raises NodeError naming those that could not."""
        running = [client for client in self._clients if client.running]
        outcomes = await asyncio.gather(*(client.stop() for client in running), return_exceptions=True)
        for client in self._clients:
            await client.discard()
        failures = [str(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            raise NodeError("; ".join(failures))


class ClientProcess:
    """One client process, through all its lives; what faults see of it is `Victim`."""

    def __init__(
        self,
        world: World,
        plan: ClientPlan,
        guard: Guard,
        next_number: Callable[[], int],
        on_line: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.name = plan.name
        self.life = -1
        self._world = world
        self._plan = plan
        self._guard = guard
        self._next_number = next_number
        self._on_line = on_line
        self._process: WatchedProcess | None = None
        self._ready: asyncio.Future[None] | None = None

    @property
    def running(self) -> bool:
        """True from ready until its end."""
        return self._process is not None and not self._process.ended and self._ready is not None and self._ready.done()

    @property
    def pid(self) -> int | None:
        """Of the current life."""
        return self._process.pid if self._process is not None and not self._process.ended else None

    async def start(self) -> None:
        """Begin the next life and wait until it is connected; raises NodeError."""
        self.life += 1
        order = await self._order()
        self._ready = asyncio.get_running_loop().create_future()
        process = self._process = WatchedProcess(
            executed([sys.executable, "-m", "mqcheck.workloads"], self._guard, stdin=subprocess.PIPE, cwd=ROOT),
            log=Path(order.events).parent / "logs" / f"{self.name}.{self.life}.log",
            guard=self._guard,
            on_line=self._heard,
            on_end=self._ended,
        )
        assert process.stdin is not None  # noqa: S101 - asked for above
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        process.stdin.flush()
        try:
            await asyncio.wait_for(self._ready, READY_SECONDS_MAX)
        except TimeoutError:
            await process.kill()
            raise NodeError(f"{self.name} was not ready in {READY_SECONDS_MAX} s: {process.log_tail()}") from None

    async def stop(self) -> None:
        """Close its stdin and wait; raises NodeError when it does not end well."""
        process = self._alive()
        process.signal(signal.SIGCONT)
        if process.stdin is not None:
            process.stdin.close()
        if not await process.wait(STOP_SECONDS_MAX):
            await process.kill()
            raise NodeError(f"{self.name} did not end in {STOP_SECONDS_MAX} s: {process.log_tail()}")
        if process.exit_code != 0:
            raise NodeError(f"{self.name} ended with status {process.exit_code}: {process.log_tail()}")

    async def kill(self) -> None:
        """SIGKILL and wait."""
        await self._alive().kill()

    async def pause(self) -> None:
        """SIGSTOP, and wait until it stands still."""
        await self._alive().pause()

    async def resume(self) -> None:
        """SIGCONT."""
        self._alive().signal(signal.SIGCONT)

    async def discard(self) -> None:
        """Whatever state it is in: no process. Idempotent."""
        if self._process is not None and not self._process.ended:
            await self._process.kill()

    async def _order(self) -> ClientOrder:
        world = self._world
        return ClientOrder(
            plan=self._plan,
            run=world.run,
            seed=world.seed,
            purpose=f"{world.scenario.name}/{self.name}",
            number=self._next_number(),
            life=self.life,
            events=str(world.recorder.path.parent.resolve()),
            nameservers=await world.network.nameserver_addresses(self.name),
            nameserver_names=tuple(node.name for node in world.cluster.nameservers()),
            settings=world.profile.client,
            sabotage=world.sabotage,
        )

    def _heard(self, line: bytes) -> None:
        told = msgspec.json.decode(line)
        if told.get("ready") and self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        self._on_line(told)

    def _ended(self, code: int) -> None:
        if self._ready is not None and not self._ready.done() and self._process is not None:
            self._ready.set_exception(
                NodeError(f"{self.name} ended with status {code} before it was ready: {self._process.log_tail()}")
            )

    def _alive(self) -> WatchedProcess:
        if self._process is None or self._process.ended:
            raise NodeError(f"{self.name} is not running; start it first")
        return self._process
