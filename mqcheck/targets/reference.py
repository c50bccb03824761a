"""The default target: ``python -m reference_impl …`` processes on this host.

Each node is a process in a group of its own, guarded, with its stdout and stderr in the scenario's `logs/` and a
control channel. Its ports are held for it, so that every life has the same address. The reference is never imported:
it is started as any other broker would be.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import random
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mqcheck.errors import NodeError, RefusedError
from mqcheck.faults.power import apply_power_cut
from mqcheck.guard import Guard
from mqcheck.targets.base import CAPABILITIES, BrokerSpec, Deployment, Node, Opening, Role, Setting, setting_text
from mqcheck.targets.control import ControlChannel
from mqcheck.targets.ports import HeldPorts
from mqcheck.targets.processes import WatchedProcess
from mqcheck.targets.settings import derived_settings

READY_SECONDS_MAX: Final = 30.0
"""How long a node may take until its ready line; a second is usual. Ours."""

STOP_SECONDS_MAX: Final = 10.0
"""How long a clean stop may take. Ours."""

CONTROL_SECONDS_MAX: Final = 5.0
"""How long an answer on the control channel may take. Ours."""

UNUSABLE_SETTING: Final = 2
"""Exit status by which the reference says that it cannot use what it was started with."""

ROOT: Final = Path(__file__).parents[2]
"""Where both packages lie: the children's working folder, so that they are found in a checkout too."""


class ReferenceTarget:
    """Brings up deployments of the reference broker."""

    name = "reference"
    capabilities = CAPABILITIES - {"clock"}

    @property
    def version(self) -> str:
        """The distribution's version; the reference has none of its own."""
        try:
            return importlib.metadata.version("mqcheck")
        except importlib.metadata.PackageNotFoundError:
            return "source tree"

    async def open(self, deployment: Deployment, opening: Opening) -> ReferenceCluster:
        """Start NameServers, then brokers, each kind at once; raises NodeError, nothing left behind."""
        cluster = ReferenceCluster(opening, self.version)
        try:
            await cluster.start(deployment)
        except BaseException:
            await cluster.close()
            raise
        return cluster


class ReferenceCluster:
    """The nodes of one scenario."""

    def __init__(self, opening: Opening, version: str) -> None:
        if opening.guard is None:
            raise NodeError("the reference target starts processes and needs a guard; give it one")
        self._opening = opening
        self._guard = opening.guard
        self._nodes: dict[str, ReferenceNode] = {}
        self._stores = opening.folder / "nodes"
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
        self._stores.mkdir(parents=True)
        self._guard.folder(self._stores)
        opening, network = self._opening, self._opening.network
        settings = {**opening.nameserver_settings, **deployment.nameserver_settings}
        for name in deployment.nameserver_names():
            self._add(ReferenceNode(opening, self._guard, name, "nameserver", settings))
        await _all(node.start() for node in self.nameservers())
        for node in self.nameservers():
            await network.add_nameserver(node.name, node.address)
        for spec in deployment.brokers:
            for broker_id in range(1 + spec.slaves):
                await self._add_broker(deployment, spec, broker_id)
        await _all(node.start() for node in self.brokers())

    async def _add_broker(self, deployment: Deployment, spec: BrokerSpec, broker_id: int) -> None:
        name = broker_node_name(spec.name, broker_id)
        nameservers = await self._opening.network.nameserver_addresses(name)
        settings: dict[str, Setting] = {
            **self._opening.broker_settings,
            **deployment.settings,
            **spec.settings,
            "brokerName": spec.name,
            "brokerId": broker_id,
            "namesrvAddr": ";".join(nameservers),
            "storePathRootDir": str(self._stores / name),
        }
        if broker_id:
            settings["brokerRole"] = "SLAVE"
        self._add(ReferenceNode(self._opening, self._guard, name, "broker", settings, (spec.name, broker_id)))

    def _add(self, node: ReferenceNode) -> None:
        self._nodes[node.name] = node

    async def close(self) -> None:
        """Stop every node, brokers first; kill what does not stop; remove the stores. Raises NodeError at the end."""
        failures: list[BaseException] = []
        for nodes in (self.brokers(), self.nameservers()):
            running = [node.stop() for node in nodes if node.running]
            outcomes = await asyncio.gather(*running, return_exceptions=True)
            failures += [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for node in self._nodes.values():
            await node.discard()
        await asyncio.to_thread(shutil.rmtree, self._stores, ignore_errors=True)
        self._guard.release(self._stores)
        if failures:
            raise NodeError("; ".join(str(failure) for failure in failures))


class ReferenceNode:
    """One NameServer or broker process, through all its lives."""

    def __init__(
        self,
        opening: Opening,
        guard: Guard,
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
        self.address = ""
        self.settings: Mapping[str, str] = {}
        self._opening = opening
        self._guard = guard
        self._wanted = dict(settings)
        self._ports = HeldPorts(broker=broker is not None)
        self._process: WatchedProcess | None = None
        self._control: ControlChannel | None = None
        self._ready: asyncio.Future[dict[str, Any]] | None = None
        self._row = 0
        self._how: str | None = None
        self._counts: dict[str, int] = {}

    @property
    def running(self) -> bool:
        """True from ready until its end."""
        return self._process is not None and not self._process.ended and self._is_ready()

    @property
    def pid(self) -> int | None:
        """Of the current life; None before the first and after the last."""
        return self._process.pid if self._process is not None and not self._process.ended else None

    async def start(self) -> None:
        """Begin the next life; raises NodeError with the end of the log when there is no ready line in time."""
        if self._process is not None and not self._process.ended:
            raise NodeError(f"{self.name} is already running as process {self._process.pid}; end it first")
        self.life += 1
        self._how = None
        self._counts = {}
        self._ready = asyncio.get_running_loop().create_future()
        self._control = ControlChannel()
        self._row = self._opening.recorder.begin(
            "nodes",
            node=self.name,
            role=self.role,
            broker=self.broker,
            broker_id=self.broker_id,
            life=self.life,
            spawned=self._now(),
        )
        self._process = WatchedProcess(
            self._command(self._control),
            log=self._opening.folder / "logs" / f"{self.name}.{self.life}.log",
            guard=self._guard,
            on_line=self._heard,
            on_end=self._ended,
            pass_fds=(self._control.their_fd,),
            cwd=ROOT,
        )
        self._control.started()
        await self._wait_ready(self._process, self._ready)

    async def stop(self) -> None:
        """SIGTERM and wait; a node that does not end, or ends with an error, raises NodeError (and is killed)."""
        process = self._ending("stop")
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGCONT)
        if not await process.wait(STOP_SECONDS_MAX):
            await process.kill()
            raise NodeError(f"{self.name} did not end {STOP_SECONDS_MAX} s after SIGTERM: {process.log_tail()}")
        if process.exit_code != 0:
            raise NodeError(f"{self.name} ended a clean stop with status {process.exit_code}: {process.log_tail()}")

    async def kill(self) -> None:
        """SIGKILL and wait."""
        await self._ending("kill").kill()

    async def pause(self) -> None:
        """SIGSTOP, and wait until it stands still."""
        await self._alive().pause()

    async def resume(self) -> None:
        """SIGCONT."""
        self._alive().signal(signal.SIGCONT)

    async def power_cut(self, rng: random.Random, *, torn: bool) -> Mapping[str, object]:
        """SIGKILL, then drop what was not synced."""
        await self._ending("power-cut").kill()
        return await asyncio.to_thread(apply_power_cut, Path(str(self._wanted["storePathRootDir"])), rng, torn=torn)

    async def set_disk(self, *, fsync_delay_ms: int = 0, fsync_error: bool = False) -> Mapping[str, object]:
        """Tell the node's disk; how many fsyncs were delayed and failed since the last call."""
        self._alive()
        assert self._control is not None  # noqa: S101 - every life has one
        answer = await self._control.ask(
            CONTROL_SECONDS_MAX, do="disk", fsync_delay_ms=fsync_delay_ms, fsync_error=fsync_error
        )
        before = self._counts
        self._counts = {key: value for key, value in answer.items() if type(value) is int}
        return {key: value - before.get(key, 0) for key, value in self._counts.items()}

    async def discard(self) -> None:
        """Whatever state it is in: no process, no channel, no port held. Idempotent; the node does not live again."""
        if self._process is not None and not self._process.ended:
            self._how = self._how or "kill"
            await self._process.kill()
        if self._control is not None:
            self._control.close()
        self._ports.close()

    def _command(self, control: ControlChannel) -> list[str]:
        opening = self._opening
        properties: dict[str, Setting] = {**self._wanted, "listenPort": self._ports.port}
        command = [sys.executable, "-m", "reference_impl", "namesrv" if self.role == "nameserver" else "broker"]
        for key, value in properties.items():
            command += ["-p", f"{key}={setting_text(value)}"]
        for option, name in (("--sabotage", opening.sabotage), ("--odd", opening.odd)):
            command += [option, name] if name else []
        return [*command, "--control", str(control.their_fd)]

    async def _wait_ready(self, process: WatchedProcess, ready: asyncio.Future[dict[str, Any]]) -> None:
        try:
            line = await asyncio.wait_for(ready, READY_SECONDS_MAX)
        except TimeoutError:
            self._how = "kill"
            await process.kill()
            raise NodeError(f"{self.name} was not ready in {READY_SECONDS_MAX} s: {process.log_tail()}") from None
        self.address = line["address"]
        self.settings = {key: setting_text(value) for key, value in line["settings"].items()}
        if self.role == "broker":
            assert self.broker is not None and self.broker_id is not None  # noqa: S101, PT018 - a broker has both
            ha_address = f"{self.address.rpartition(':')[0]}:{self.settings['haListenPort']}"
            await self._opening.network.add_broker(self.name, self.broker, self.broker_id, self.address, ha_address)
        recorder = self._opening.recorder
        recorder.end(
            "nodes",
            self._row,
            ready=self._now(),
            address=self.address,
            version=self.settings.get("reference.version"),
        )
        if self.life == 0:
            for key, value in {**self.settings, **derived_settings(self.role, self.settings)}.items():
                recorder.point("config", node=self.name, key=key, setting=value)

    def _heard(self, line: bytes) -> None:
        """A line of stdout: the first is the ready line."""
        if self._ready is not None and not self._ready.done():
            try:
                self._ready.set_result(msgspec.json.decode(line))
            except msgspec.DecodeError:
                self._ready.set_exception(NodeError(f"{self.name} said {line!r} instead of its ready line"))

    def _ended(self, code: int) -> None:
        """The process was waited for; nobody having asked makes it a crash."""
        self._opening.recorder.end("nodes", self._row, ended=self._now(), how=self._how or "crash", exit_code=code)
        if self._control is not None:
            self._control.close()
        if self._ready is not None and not self._ready.done() and self._process is not None:
            kind = RefusedError if code == UNUSABLE_SETTING else NodeError
            self._ready.set_exception(
                kind(f"{self.name} ended with status {code} before it was ready: {self._process.log_tail()}")
            )

    def _ending(self, how: str) -> WatchedProcess:
        process = self._alive()
        self._how = how
        self._opening.recorder.end("nodes", self._row, ending=self._now())
        return process

    def _alive(self) -> WatchedProcess:
        if self._process is None or self._process.ended:
            raise NodeError(f"{self.name} is not running; start it first")
        return self._process

    def _is_ready(self) -> bool:
        ready = self._ready
        return ready is not None and ready.done() and not ready.cancelled() and ready.exception() is None

    def _now(self) -> int:
        return self._opening.recorder.clock.monotonic_ns()


def broker_node_name(broker: str, broker_id: int) -> str:
    """How the history calls a broker node: a master by its brokerName, slaves ``-slave``, ``-slave2``, …"""
    return broker if broker_id == 0 else f"{broker}-slave{broker_id if broker_id > 1 else ''}"


async def _all(starts: Any) -> None:
    """Await all at once, let all of them end, then raise the first failure."""
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
