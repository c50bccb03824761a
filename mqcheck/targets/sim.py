"""The target `sim`: the reference's own NameServers and brokers as hosts of one simulated loop.

The only module that imports both packages: a simulated node is no process. Disks are in memory, clocks virtual, and
each node stands behind a gate that can hold it still (a pause) or end it without a goodbye (a kill). What cannot be
done here is not among the capabilities: syncs and writes run inline and so cannot be slow, clocks cannot be set apart,
no link leads to an HA port.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib.util
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar, Unpack

from mqcheck.errors import FaultError, MissingToolError, NodeEndedError, NodeError
from mqcheck.links.sim_network import SimNetwork
from mqcheck.rocketmq.survey import records_in, survey
from mqcheck.rocketmq.tail import Spoil, bad_record
from mqcheck.targets.base import (
    CAPABILITIES,
    BrokerSpec,
    Deployment,
    DiskSwitches,
    Node,
    Opening,
    Role,
    Setting,
    setting_text,
)
from mqcheck.targets.lives import broker_node_name, broker_settings
from mqcheck.targets.reference import ReferenceTarget
from mqcheck.targets.settings import derived_settings
from reference_impl.disk import FaultyDisk, MemoryDisk
from reference_impl.effects import Effect
from reference_impl.errors import ReferenceError_
from reference_impl.frame import Command
from reference_impl.node import BrokerNode, NameServerNode, World, start_broker, start_nameserver, with_port
from reference_impl.sabotage import Sabotage, find
from reference_impl.sabotage.base import CoreSettings, PassingCore
from reference_impl.server import Core
from reference_impl.settings import BrokerSettings, load
from reference_impl.store.snapshot import NAME as SNAPSHOT

T = TypeVar("T")

LOG_PREFIX: Final = "commitlog/"
"""Of the files that hold a broker's log."""

NAMESERVER_PORT: Final = 9876
BROKER_PORT: Final = 10911
"""RocketMQ's own; every node is a host, so all of them can have it."""

WAITING_MAX: Final = 1_000_000
"""Calls that a paused node keeps for later (ours); a test that needs more is wrong."""

EPOCH_MS: Final = 1_700_000_000_000
"""What the wall clock says when a simulation begins. Ours: any day will do, the same for all."""

WAY_OUT: Final = "install Python 3.12 or newer and: pip install 'mqcheck[sim]'"


class SimClock:
    """Virtual time as `Clock` has it; `loop` is a simulated one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic_ns(self) -> int:
        """Nanoseconds since the simulation began."""
        return round(self._loop.time() * 1_000_000_000)

    def wall_ms(self) -> int:
        """Milliseconds since 1970, had the simulation begun at EPOCH_MS."""
        return EPOCH_MS + int(self._loop.time() * 1_000)


def sim_loop(seed: int) -> Any:
    """A new simulated loop; raises MissingToolError where there is no simloop."""
    if importlib.util.find_spec("simloop") is None:
        raise MissingToolError(f"the simulation needs simloop, and this Python has none: {WAY_OUT}")
    from simloop import SimLoop

    return SimLoop(seed)


def end_loop(loop: Any) -> None:
    """Let what a run left behind unwind, then close its loop and drop what hung on it, here and now."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()
    gc.collect()


class SimTarget:
    """Brings up deployments of the reference inside the running simulated loop."""

    name = "sim"
    capabilities = CAPABILITIES - {"slow-fsync", "slow-write", "clock", "replication"}
    lacking: Mapping[str, str] = MappingProxyType({})
    at_once: int | None = None

    @property
    def version(self) -> str:
        """The reference's."""
        return ReferenceTarget().version

    def effective(self, role: Role, settings: Mapping[str, Setting]) -> Mapping[str, str]:
        """See `Target`: every one of them can be set."""
        return {key: setting_text(value) for key, value in settings.items()}

    def refuses(self, deployment: Deployment) -> str:
        """See `Target`: it starts as many nodes as are wanted."""
        return ""

    def prepare(self) -> None:
        """See `Target`: it is installed with the kit."""

    async def open(self, deployment: Deployment, opening: Opening) -> SimCluster:
        """Start NameServers, then brokers; raises NodeError, nothing left behind."""
        cluster = SimCluster(opening, self.version)
        try:
            await cluster.start(deployment)
        except BaseException:
            await cluster.close()
            raise
        return cluster

    async def finish(self) -> None:
        """See `Target`: every cluster has ended with its scenario."""


class SimCluster:
    """The nodes of one scenario."""

    prefix = ""

    def __init__(self, opening: Opening, version: str) -> None:
        if not isinstance(opening.network, SimNetwork):
            raise NodeError("the sim target lives in a simulated loop: run it on a simulated stage")
        self._opening = opening
        self._network = opening.network
        self._nodes: dict[str, SimNode] = {}
        self.version = version

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Every node by name, NameServers first."""
        return self._nodes

    def nameservers(self) -> Sequence[Node]:
        """In the order clients are given them."""
        return [node for node in self._nodes.values() if node.role == "nameserver"]

    def brokers(self) -> Sequence[Node]:
        """Masters and slaves."""
        return [node for node in self._nodes.values() if node.role == "broker"]

    async def start(self, deployment: Deployment) -> None:
        """Start what the deployment names, and lay the brokers' links."""
        settings = {**self._opening.nameserver_settings, **deployment.nameserver_settings}
        for name in deployment.nameserver_names():
            node = self._nodes[name] = SimNode(self._opening, self._network, name, "nameserver", settings)
            await self._network.add_nameserver(name, node.address)
            await node.start()
        for spec in deployment.brokers:
            for broker_id in range(1 + spec.slaves):
                await self._start_broker(deployment, spec, broker_id)

    async def _start_broker(self, deployment: Deployment, spec: BrokerSpec, broker_id: int) -> None:
        name = broker_node_name(spec.name, broker_id)
        settings: dict[str, Setting] = {
            **broker_settings(self._opening.broker_settings, deployment, spec, broker_id),
            "brokerName": spec.name,
            "brokerId": broker_id,
            "namesrvAddr": ";".join(await self._network.nameserver_addresses(name)),
        }
        node = SimNode(self._opening, self._network, name, "broker", settings, (spec.name, broker_id))
        self._nodes[name] = node
        await self._network.add_broker(name, spec.name, broker_id, node.address)
        await node.start()

    async def close(self) -> None:
        """Stop every node, brokers first. Raises NodeError at the end; idempotent."""
        failures: list[BaseException] = []
        for nodes in (self.brokers(), self.nameservers()):
            outcomes = await asyncio.gather(*(node.stop() for node in nodes if node.running), return_exceptions=True)
            failures += [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for node in self._nodes.values():
            await node.discard()
        if failures:
            raise NodeError("; ".join(str(failure) for failure in failures))


class SimNode:
    """One simulated NameServer or broker, through all its lives on one host and one disk."""

    def __init__(
        self,
        opening: Opening,
        network: SimNetwork,
        name: str,
        role: Role,
        settings: Mapping[str, Setting],
        broker: tuple[str, int] | None = None,
    ) -> None:
        self.name = name
        self.role: Role = role
        self.broker = broker[0] if broker else None
        self.broker_id = broker[1] if broker else None
        self.life = -1
        self.settings: Mapping[str, str] = {}
        self._opening = opening
        self._network = network
        self._recorder = opening.recorder
        self._net: Any = asyncio.get_running_loop().net  # type: ignore[attr-defined]
        self._host = self._net.host(name)
        self._port = NAMESERVER_PORT if role == "nameserver" else BROKER_PORT
        self.address = f"{self._net.address(name)}:{self._port}"
        self._wanted = dict(settings)
        self._memory = MemoryDisk()
        self._disk = FaultyDisk(self._memory, lambda seconds: None)
        self._counts = self._disk.counts()
        self._gate = Gate()
        self._node: NameServerNode | BrokerNode | None = None
        self._remains: list[asyncio.Task[None]] = []
        self._row = 0

    @property
    def running(self) -> bool:
        """True from ready until its end; also while paused."""
        return self._node is not None

    async def start(self) -> None:
        """Begin the next life; raises NodeError when it cannot, NodeEndedError when it could before."""
        if self._node is not None:
            raise NodeError(f"{self.name} is already running; end it first")
        self.life += 1
        self._disk.set()
        recorder = self._recorder
        self._row = recorder.begin(
            "nodes",
            node=self.name,
            role=self.role,
            broker=self.broker,
            broker_id=self.broker_id,
            life=self.life,
            spawned=self._now(),
        )
        try:
            self._node = await self._on_host(self._begin())
        except (OSError, ReferenceError_) as error:
            recorder.end("nodes", self._row, ended=self._now(), how="crash")
            kind = NodeEndedError if self.life else NodeError
            raise kind(f"{self.name} did not start: {error}") from error
        version = self.settings.get("reference.version")
        recorder.end("nodes", self._row, ready=self._now(), address=self.address, version=version)
        if self.life == 0:
            for key, value in {**self.settings, **derived_settings(self.role, self.settings)}.items():
                recorder.point("config", node=self.name, key=key, setting=value)

    async def _begin(self) -> NameServerNode | BrokerNode:
        opening = self._opening
        role = "namesrv" if self.role == "nameserver" else "broker"
        properties: dict[str, Setting] = {**self._wanted, "listenPort": self._port}
        if self.role == "broker":
            properties["brokerIP1"] = self._net.address(self.name)
        loaded = load(role, {key: setting_text(value) for key, value in properties.items()})
        self._gate = gate = Gate()
        self._network.guard(self.name, gate.seen)
        world = World(
            self._recorder.clock.wall_ms,
            random.Random(f"{opening.rng.random()}/{self.name}"),  # noqa: S311 - plans, not secrets
            None,
            functools.partial(_log, opening.folder / "logs" / f"{self.name}.{self.life}.log"),
            (*find(opening.sabotage, opening.odd, role), gate.as_wrapper(role)),
        )
        node: NameServerNode | BrokerNode
        if self.role == "nameserver":
            node = await start_nameserver(loaded.nameserver, world)
        else:
            settings: BrokerSettings = with_port(loaded.broker, self._port)
            node = await start_broker(settings, self._disk, world)
        self.settings = {key: setting_text(value) for key, value in node.settings.effective().items()}
        return node

    async def stop(self) -> None:
        """A clean end; a paused node goes on first."""
        node = self._alive()
        await self.resume()
        self._recorder.end("nodes", self._row, ending=self._now())
        await self._on_host(node.stop())
        self._ended("stop")

    async def kill(self) -> None:
        """The end at once: what it had written stays, and its connections are reset."""
        self._die("kill")
        self._memory.crash(power=False, rng=random.Random(0))  # noqa: S311 - a kill draws nothing

    async def pause(self) -> None:
        """Hold it still: connections are taken and read for it, as a kernel does, and nothing is done about them."""
        self._alive()
        self._gate.shut()

    async def resume(self) -> None:
        """Let it go on, with all that has come in."""
        node = self._alive()
        if self._gate.state == "shut":
            node.server.carry(self._gate.open(self._recorder.clock.wall_ms()))

    async def power_cut(self, rng: random.Random, *, torn: bool) -> Mapping[str, object]:
        """The end at once, and what was not synced is gone."""
        self._die("power-cut")
        dropped = self._memory.crash(power=True, rng=rng, torn=torn)
        if self.broker is not None:
            files = (self._memory.read_file(name) or b"" for name in self._memory.list(LOG_PREFIX))
            records = (record for data in files for record in records_in(data))
            survey(self._recorder, records, self.name, self.broker, self.life)
        return {"unsynced_bytes_dropped": dropped, "model": "the simulated disk's"}

    async def spoil_tail(self, rng: random.Random, how: Spoil) -> Mapping[str, object]:
        """In the newest file of its log."""
        names = self._memory.list(LOG_PREFIX)
        data = (self._memory.read_file(names[-1]) or b"") if names else b""
        found = bad_record(data, rng, how)
        if found is not None:
            self._memory.replace(names[-1], data[: found[0]] + found[1], durable=True)
        return {"bytes_written": 0 if found is None else len(found[1]), "how": how}

    async def lose_queues(self) -> Mapping[str, object]:
        """The snapshot of a clean stop."""
        lost = self._memory.read_file(SNAPSHOT) is not None
        self._memory.remove(SNAPSHOT)
        return {"files_removed": int(lost)}

    async def set_clock(self, offset_ms: int) -> None:
        """Every host of a simulation has the same time: raises FaultError."""
        raise FaultError(f"the clock of {self.name} is everybody's in a simulation: use the reference target")

    async def set_disk(self, **switches: Unpack[DiskSwitches]) -> Mapping[str, object]:
        """Set the switches; what the disk has counted since the last call. Slow syncs and writes: NodeError."""
        if switches.get("fsync_delay_ms") or switches.get("write_delay_ms"):
            raise NodeError("a simulated disk takes no time, so it cannot be slow; use the reference target")
        self._disk.set(**switches)
        before, self._counts = self._counts, self._disk.counts()
        return {key: count - before[key] for key, count in self._counts.items()}

    async def discard(self) -> None:
        """Whatever state it is in: nothing of it runs. Idempotent."""
        if self._node is not None:
            self._die("kill")
        await asyncio.gather(*self._remains)

    def _die(self, how: str) -> None:
        node = self._alive()
        self._recorder.end("nodes", self._row, ending=self._now())
        self._gate.die()
        # A crashed host is silent; a killed process is not: the kernel resets what it had open.
        self._net.crash(self.name)
        self._net.restart(self.name)
        self._network.dead(self.name)
        # Its timers are ended by a stop behind the gate: nothing of it reaches core, disk or network.
        self._remains.append(self._host.create_task(node.server.stop()))
        self._ended(how)

    def _ended(self, how: str) -> None:
        self._node = None
        self._recorder.end("nodes", self._row, ended=self._now(), how=how)

    def _alive(self) -> NameServerNode | BrokerNode:
        if self._node is None:
            raise NodeError(f"{self.name} is not running; start it first")
        return self._node

    async def _on_host(self, work: Coroutine[Any, Any, T]) -> T:
        result: T = await self._host.create_task(work)
        return result

    def _now(self) -> int:
        return self._recorder.clock.monotonic_ns()


class Gate(PassingCore):
    """Stands between a node's shell and its core: open, shut (all waits, as for a stopped process), or dead."""

    def __init__(self) -> None:
        self.state: Literal["open", "shut", "dead"] = "open"
        self.seen: dict[str, None] = {}
        """Hosts that have asked something."""
        self._waiting: list[Callable[[int], list[Effect]]] = []

    def as_wrapper(self, role: str) -> Sabotage:
        """In the form in which a start takes what it puts round a core."""

        def wrap(core: Core, settings: CoreSettings) -> Core:
            del settings
            super(Gate, self).__init__(core)
            return self

        return Sabotage("gate", "holds a node still, or ends it", None, role, wrap_core=wrap)

    def shut(self) -> None:
        """Let nothing through."""
        self.state = "shut"

    def open(self, now_ms: int) -> list[Effect]:
        """Let everything through again, first what has waited; what the core wants done about it."""
        self.state = "open"
        waiting, self._waiting = self._waiting, []
        return [effect for call in waiting for effect in call(now_ms)]

    def die(self) -> None:
        """Let nothing through any more."""
        self.state = "dead"
        self._waiting.clear()

    def _pass(self, now_ms: int, call: Callable[[int], list[Effect]]) -> list[Effect]:
        if self.state == "open":
            return call(now_ms)
        if self.state == "shut":
            if len(self._waiting) >= WAITING_MAX:
                raise NodeError(f"a paused node has {WAITING_MAX} calls waiting: pause it for a shorter time")
            self._waiting.append(call)
        return []

    def arrived(self, now_ms: int, count: int) -> None:
        """See `Core`; what comes while a node stands still is read when it goes on."""

        def tell(at: int) -> list[Effect]:
            self.inner.arrived(at, count)
            return []

        self._pass(now_ms, tell)

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """See `Core`."""
        self.seen[peer[0]] = None
        return self._pass(now_ms, lambda at: self.inner.request(at, conn, peer, command))

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """See `Core`."""
        return self._pass(now_ms, lambda at: self.inner.closed(at, conn))

    def tick(self, now_ms: int) -> list[Effect]:
        """See `Core`; a node that stands still has no ticks to make up for."""
        return self.inner.tick(now_ms) if self.state == "open" else []

    def next_deadline_ms(self) -> int | None:
        """See `Core`."""
        return self.inner.next_deadline_ms() if self.state == "open" else None

    def response(self, now_ms: int, token: str, command: Command | None) -> list[Effect]:
        """See `Core`."""
        return self._pass(now_ms, lambda at: self.inner.response(at, token, command))

    def flushed(self, now_ms: int, position: int) -> list[Effect]:
        """See `Core`."""
        return self._pass(now_ms, lambda at: self.inner.flushed(at, position))

    def stream(self, now_ms: int, stream: int, data: bytes | None) -> list[Effect]:
        """See `Core`."""
        return self._pass(now_ms, lambda at: self.inner.stream(at, stream, data))

    def stop(self, now_ms: int) -> list[Effect]:
        """See `Core`; the dead say no goodbye."""
        return self.inner.stop(now_ms) if self.state == "open" else []


def _log(path: Path, line: str) -> None:
    """Append a line to a node's log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as log:
        log.write(f"{line}\n")
