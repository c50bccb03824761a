"""Nodes that are processes: their lives, and the cluster of them that a deployment names.

What all targets share that start processes of their own: each life is recorded and guarded, its output is kept in the
scenario's `logs/`, and nothing is left after `close`. How a node is started, and how one sees that it is ready, is a
subclass's.
"""

from __future__ import annotations

import asyncio
import random
import shlex
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Unpack

from mqcheck.errors import FaultError, NodeError
from mqcheck.guard import Guard
from mqcheck.rocketmq.survey import records_below, survey
from mqcheck.rocketmq.tail import Spoil, spoil_log
from mqcheck.targets.base import BrokerSpec, Deployment, DiskSwitches, Node, Opening, Role, Setting
from mqcheck.targets.disks import NodeDisk
from mqcheck.targets.faketime import NodeClock, find_library
from mqcheck.targets.processes import NodeProcess
from mqcheck.targets.settings import derived_settings

CONFIGURATION: Final = "configuration"
"""Folder of a history that keeps what each node was started with: its files as written, and `COMMAND`."""

COMMAND: Final = "command.txt"
"""The command of a node's last life, as a shell would take it; variables added to the environment stand before it."""

STOP_SECONDS_MAX: Final = 10.0
"""How long a clean stop may take. Ours."""


class ProcessNode(ABC):
    """One NameServer or broker process, through all its lives."""

    stop_signal: signal.Signals = signal.SIGTERM
    """What asks it to end cleanly."""
    stop_seconds: float = STOP_SECONDS_MAX
    """How long it may take over that."""
    stop_statuses: frozenset[int] = frozenset({0})
    """Exit statuses of a clean end."""
    _log_folder: str | None = None
    """Folder in its data with the commit log, in RocketMQ's format of records; None: not known."""
    _derived: tuple[str, ...] = ()
    """Files in its data that it makes anew from the commit log where they are missing; empty: not known."""

    def __init__(
        self, opening: Opening, guard: Guard, name: str, role: Role, broker: tuple[str, int] | None = None
    ) -> None:
        """`broker` is brokerName and brokerId; None for a NameServer."""
        self.name = name
        self.role: Role = role
        self.broker = broker[0] if broker else None
        self.broker_id = broker[1] if broker else None
        self.life = -1
        self.address = ""
        self.settings: Mapping[str, str] = {}
        self._opening = opening
        self._guard = guard
        self._process: NodeProcess | None = None
        self._is_ready = False
        library = find_library() if "clock" in opening.needs and broker else None
        self._clock = None if library is None else NodeClock(library, opening.folder / "nodes" / f"{name}.clock", guard)
        self._row = 0
        self._how: str | None = None
        self._disk: NodeDisk | None = None
        """A file system of ours over its data, where disk faults or power cuts are to come."""

    @property
    def running(self) -> bool:
        """True from ready until its end."""
        return self._process is not None and not self._process.ended and self._is_ready

    @property
    def pid(self) -> int | None:
        """Of the current life; None before the first and after the last."""
        return self._process.pid if self._process is not None and not self._process.ended else None

    async def start(self) -> None:
        """Begin the next life; raises NodeError with the end of the log when it is not ready in time."""
        if self._process is not None and not self._process.ended:
            raise NodeError(f"{self.name} is already running as process {self._process.pid}; end it first")
        self.life += 1
        self._how = None
        self._is_ready = False
        if self._disk is not None and not self._disk.mounted:
            await self._disk.mount()
        self._row = self._opening.recorder.begin(
            "nodes",
            node=self.name,
            role=self.role,
            broker=self.broker,
            broker_id=self.broker_id,
            life=self.life,
            spawned=self._now(),
        )
        try:
            process = self._process = self._spawn(
                self._opening.folder / "logs" / f"{self.name}.{self.life}.log", self._reaped
            )
            version = await self._wait_ready(process)
        finally:
            if self._clock is not None:
                self._clock.settle()
        self._is_ready = True
        recorder = self._opening.recorder
        recorder.end("nodes", self._row, ready=self._now(), address=self.address, version=version)
        if self.life == 0:
            for key, value in {**self.settings, **derived_settings(self.role, self.settings)}.items():
                recorder.point("config", node=self.name, key=key, setting=value)

    async def stop(self) -> None:
        """Ask it to end and wait; a node that does not, or ends with an error, raises NodeError (and is killed)."""
        process = self._ending("stop")
        process.signal(self.stop_signal)
        await process.resume()
        asked = self.stop_signal.name
        if not await process.wait(self.stop_seconds):
            await process.kill()
            raise NodeError(f"{self.name} did not end {self.stop_seconds} s after {asked}: {process.log_tail()}")
        if process.exit_code not in self.stop_statuses:
            raise NodeError(f"{self.name} ended a clean stop with status {process.exit_code}: {process.log_tail()}")

    async def kill(self) -> None:
        """SIGKILL and wait."""
        await self._ending("kill").kill()

    async def pause(self) -> None:
        """SIGSTOP, and wait until it stands still."""
        await self._alive().pause()

    async def resume(self) -> None:
        """SIGCONT."""
        await self._alive().resume()

    async def power_cut(self, rng: random.Random, *, torn: bool) -> Mapping[str, object]:
        """SIGKILL, and what it had not synced is gone; then what is left of its log is written to the history."""
        if self._disk is None:
            raise FaultError(f"the power of {self.name} cannot be cut: no disk of ours is under it")
        process = self._ending("power-cut")
        process.signal(signal.SIGKILL)
        await self._disk.halt()
        await process.kill()
        effect = await self._disk.cut(rng, torn=torn)
        await self._survey(self._disk.durable)
        return effect

    async def set_disk(self, **switches: Unpack[DiskSwitches]) -> Mapping[str, object]:
        """Tell the disk of ours under it. Raises FaultError when there is none."""
        if self._disk is None:
            raise FaultError(f"the disk of {self.name} cannot be told anything: no disk of ours is under it")
        return await self._disk.set(**switches)

    async def spoil_tail(self, rng: random.Random, how: Spoil) -> Mapping[str, object]:
        """In the newest file of its log. Raises FaultError where nobody knows where that is, or it runs."""
        if self._log_folder is None:
            raise FaultError(f"the log of {self.name} cannot be damaged: it is not known where that is")
        return await asyncio.to_thread(spoil_log, self._kept() / self._log_folder, rng, how)

    async def lose_queues(self) -> Mapping[str, object]:
        """Remove the files in its data that it derives from its log. Raises FaultError where they are not known."""
        if not self._derived:
            raise FaultError(f"{self.name} cannot lose its queues: it is not known which files those are")
        data = self._kept()
        paths = [path for name in self._derived if (path := data / name).is_file()]
        for path in paths:
            path.unlink()
        return {"files_removed": len(paths)}

    def _kept(self) -> Path:
        """Where its data lies while it does not run. Raises FaultError where that is not known, or it runs."""
        if self.running:
            raise FaultError(f"{self.name} runs, and its files are its own: end it first")
        if self._disk is None:
            raise FaultError(f"the files of {self.name} cannot be changed: no disk of ours is under it")
        return self._disk.point if self._disk.mounted else self._disk.durable

    async def _survey(self, data: Path) -> None:
        """Write down what a cut left of its log, where it is known where that is."""
        if self._log_folder is not None and self.broker is not None:
            # Found in a thread of its own, written here: a recorder belongs to one thread.
            found = await asyncio.to_thread(list, records_below(data / self._log_folder))
            survey(self._opening.recorder, found, self.name, self.broker, self.life)

    async def set_clock(self, offset_ms: int) -> None:
        """Its clock goes its own way where the scenario needs that; otherwise raises FaultError."""
        if self._clock is None:
            raise FaultError(f"the clock of {self.name} is everybody's: name `clock` in the scenario's needs")
        await asyncio.to_thread(self._clock.set, offset_ms)

    async def discard(self) -> None:
        """Whatever state it is in: no process, nothing held. Idempotent; the node does not live again."""
        if self._process is not None and not self._process.ended:
            self._how = self._how or "kill"
            await self._process.kill()
        if self._disk is not None:
            await self._disk.close()
        self._release()

    @abstractmethod
    def _spawn(self, log: Path, on_end: Any) -> NodeProcess:
        """Start the process; `on_end` is to be called with its exit status."""

    @abstractmethod
    async def _wait_ready(self, process: NodeProcess) -> str | None:
        """Return when it is ready, address and settings known; its version. Raises NodeError, the process ended."""

    @abstractmethod
    def _release(self) -> None:
        """Give back what is held for the node beyond its process. Idempotent."""

    @abstractmethod
    def _died(self, code: int) -> None:
        """The process was waited for; this is its exit status."""

    async def _broker_is_at(self, ha_port: int | str) -> None:
        """Tell the network where this broker is: links lead there."""
        if self.broker is not None and self.broker_id is not None:
            ha_address = f"{self.address.rpartition(':')[0]}:{ha_port}"
            await self._opening.network.add_broker(self.name, self.broker, self.broker_id, self.address, ha_address)

    def _keep_configuration(
        self, command: Sequence[str], environment: Mapping[str, str], files: Mapping[str, str]
    ) -> None:
        """Keep what this life is started with: the node's folder is removed at the end. `files`: text by path."""
        variables = [f"{key}={shlex.quote(value)}" for key, value in environment.items()]
        texts = {**files, COMMAND: " ".join([*variables, shlex.join(command)]) + "\n"}
        for name, text in texts.items():
            path = self._opening.folder / CONFIGURATION / self.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def _reaped(self, code: int) -> None:
        """Nobody having asked for its end makes it a crash."""
        self._opening.recorder.end("nodes", self._row, ended=self._now(), how=self._how or "crash", exit_code=code)
        self._died(code)

    def _with_clock(self, given: Mapping[str, str]) -> dict[str, str]:
        """What its process is to find in its environment: what is given, and its clock where it has one."""
        return dict(given) if self._clock is None else self._clock.environment(given)

    def _ending(self, how: str) -> NodeProcess:
        process = self._alive()
        self._how = how
        self._opening.recorder.end("nodes", self._row, ending=self._now())
        return process

    def _alive(self) -> NodeProcess:
        if self._process is None or self._process.ended:
            raise NodeError(f"{self.name} is not running; start it first")
        return self._process

    def _now(self) -> int:
        return self._opening.recorder.clock.monotonic_ns()


class ProcessCluster(ABC):
    """The nodes of one scenario, each a process."""

    stops_at_end: bool = True
    """Whether `close` asks nodes to end; otherwise it kills them at once."""

    def __init__(self, opening: Opening, version: str, target: str) -> None:
        """`target` names the target in errors."""
        if opening.guard is None:
            raise NodeError(f"the {target} target starts processes and needs a guard; give it one")
        self.version = version
        self.prefix = ""
        self._opening = opening
        self._guard = opening.guard
        self._nodes: dict[str, ProcessNode] = {}
        self._stores = opening.folder / "nodes"

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
        """Start what the deployment names, NameServers first, each kind at once; lay the brokers' links."""
        self._stores.mkdir(parents=True)
        self._guard.folder(self._stores)
        opening, network = self._opening, self._opening.network
        settings = {**opening.nameserver_settings, **deployment.nameserver_settings}
        for name in deployment.nameserver_names():
            self._nodes[name] = self._nameserver(name, settings)
        await _all(node.start() for node in self.nameservers())
        for node in self.nameservers():
            await network.add_nameserver(node.name, node.address)
        for spec in deployment.brokers:
            for broker_id in range(1 + spec.slaves):
                name = broker_node_name(spec.name, broker_id)
                nameservers = await network.nameserver_addresses(name)
                wanted = broker_settings(opening.broker_settings, deployment, spec, broker_id)
                self._nodes[name] = self._broker(name, (spec.name, broker_id), wanted, nameservers)
        await _all(node.start() for node in self.brokers())

    async def close(self) -> None:
        """End every node, brokers first; kill what does not stop; remove the stores. Raises NodeError at the end."""
        failures: list[BaseException] = []
        for nodes in (self.brokers(), self.nameservers()):
            running = [node.stop() if self.stops_at_end else node.kill() for node in nodes if node.running]
            outcomes = await asyncio.gather(*running, return_exceptions=True)
            failures += [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for node in self._nodes.values():
            await node.discard()
        await asyncio.to_thread(shutil.rmtree, self._stores, ignore_errors=True)
        self._guard.release(self._stores)
        if failures:
            raise NodeError("; ".join(str(failure) for failure in failures))

    @abstractmethod
    def _nameserver(self, name: str, settings: Mapping[str, Setting]) -> ProcessNode:
        """A NameServer that is not started yet."""

    @abstractmethod
    def _broker(
        self, name: str, broker: tuple[str, int], settings: Mapping[str, Setting], nameservers: Sequence[str]
    ) -> ProcessNode:
        """A broker that is not started yet."""


def broker_settings(
    profile: Mapping[str, Setting], deployment: Deployment, spec: BrokerSpec, broker_id: int
) -> dict[str, Setting]:
    """What one broker is to be told: the profile's properties, the deployment's over them, its group's over those."""
    role: dict[str, Setting] = {"brokerRole": "SLAVE"} if broker_id else {}
    return {**profile, **deployment.settings, **spec.settings, **role}


def broker_node_name(broker: str, broker_id: int) -> str:
    """How the history calls a broker node: a master by its brokerName, slaves ``-slave``, ``-slave2``, …"""
    return broker if broker_id == 0 else f"{broker}-slave{broker_id if broker_id > 1 else ''}"


async def _all(starts: Iterable[Any]) -> None:
    """Await all at once, let all of them end, then raise the first failure."""
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
