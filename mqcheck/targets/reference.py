"""The default target: ``python -m reference_impl …`` processes on this host.

Each node is a process in a group of its own, guarded, with its stdout and stderr in the scenario's `logs/` and a
control channel. Its ports are held for it, so that every life has the same address. The reference is never imported
here: its fork server starts the nodes, so that they need not import everything anew.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, Unpack

import msgspec

from mqcheck.errors import NodeEndedError, NodeError, RefusedError
from mqcheck.faults.power import apply_power_cut
from mqcheck.guard import Guard
from mqcheck.targets.base import CAPABILITIES, Deployment, DiskSwitches, Opening, Role, Setting, setting_text
from mqcheck.targets.control import ControlChannel
from mqcheck.targets.disks import NodeDisk
from mqcheck.targets.faketime import missing_clock
from mqcheck.targets.forks import ForkServer
from mqcheck.targets.lives import ProcessCluster, ProcessNode
from mqcheck.targets.ports import HeldPorts
from mqcheck.targets.processes import Child, NodeProcess, WatchedProcess, executed

READY_SECONDS_MAX: Final = 30.0
"""How long a node may take until its ready line; a second is usual. Ours."""

CONTROL_SECONDS_MAX: Final = 5.0
"""How long an answer on the control channel may take. Ours."""

UNUSABLE_SETTING: Final = 2
"""Exit status by which the reference says that it cannot use what it was started with."""

REFERENCE: Final = (sys.executable, "-m", "reference_impl")
"""The program."""

LOG_FOLDER: Final = "commitlog"
"""Of a broker's store."""

DERIVED_FILES: Final = ("snapshot",)
"""Of a broker's store: queues and index as a clean stop left them."""

ROOT: Final = Path(__file__).parents[2]
"""Where both packages lie: the children's working folder, so that they are found in a checkout too."""


class ReferenceTarget:
    """Brings up deployments of the reference broker."""

    name = "reference"
    at_once: int | None = None

    def __init__(self) -> None:
        self._forks: ForkServer | None = None
        self._starting = asyncio.Lock()

    @property
    def capabilities(self) -> frozenset[str]:
        """All there are, but for those that this machine lacks the means for."""
        return CAPABILITIES - self.lacking.keys()

    @property
    def lacking(self) -> Mapping[str, str]:
        """See `Target`: its disks are its own, so only a clock may be lacking."""
        why = missing_clock()
        return {"clock": why} if why else {}

    @property
    def version(self) -> str:
        """The distribution's version; the reference has none of its own."""
        try:
            return importlib.metadata.version("mqcheck")
        except importlib.metadata.PackageNotFoundError:
            return "source tree"

    def effective(self, role: Role, settings: Mapping[str, Setting]) -> Mapping[str, str]:
        """See `Target`: every one of them can be set."""
        return {key: setting_text(value) for key, value in settings.items()}

    def refuses(self, deployment: Deployment) -> str:
        """See `Target`: it starts as many nodes as are wanted."""
        return ""

    def prepare(self) -> None:
        """See `Target`: it is installed with the kit."""

    async def open(self, deployment: Deployment, opening: Opening) -> ReferenceCluster:
        """Start NameServers, then brokers, each kind at once; raises NodeError, nothing left behind."""
        cluster = ReferenceCluster(opening, self.version, self.name, self._fork_server)
        try:
            await cluster.start(deployment)
        except BaseException:
            await cluster.close()
            raise
        return cluster

    async def finish(self) -> None:
        """See `Target`: every cluster has ended with its scenario; what started the nodes ends too."""
        if self._forks is not None:
            await asyncio.to_thread(self._forks.close)
            self._forks = None

    async def _fork_server(self, guard: Guard) -> ForkServer:
        """The one that all clusters share, until it ends."""
        async with self._starting:
            if self._forks is not None and self._forks.ended:
                await self.finish()
            if self._forks is None:
                self._forks = await asyncio.to_thread(ForkServer, guard, REFERENCE, ROOT)
            return self._forks


class ReferenceCluster(ProcessCluster):
    """The nodes of one scenario."""

    def __init__(
        self, opening: Opening, version: str, target: str, fork_server: Callable[[Guard], Awaitable[ForkServer]]
    ) -> None:
        super().__init__(opening, version, target)
        self._fork_server = fork_server
        self._forks: ForkServer

    async def start(self, deployment: Deployment) -> None:
        """See `ProcessCluster`."""
        self._forks = await self._fork_server(self._guard)
        await super().start(deployment)

    def _nameserver(self, name: str, settings: Mapping[str, Setting]) -> ReferenceNode:
        return ReferenceNode(self._opening, self._guard, self._forks, name, "nameserver", settings)

    def _broker(
        self, name: str, broker: tuple[str, int], settings: Mapping[str, Setting], nameservers: Sequence[str]
    ) -> ReferenceNode:
        told: dict[str, Setting] = {
            **settings,
            "brokerName": broker[0],
            "brokerId": broker[1],
            "namesrvAddr": ";".join(nameservers),
            "storePathRootDir": str(self._stores / name),
        }
        return ReferenceNode(self._opening, self._guard, self._forks, name, "broker", told, broker)


class ReferenceNode(ProcessNode):
    """One NameServer or broker process, through all its lives."""

    _log_folder = LOG_FOLDER
    _derived = DERIVED_FILES

    def __init__(
        self,
        opening: Opening,
        guard: Guard,
        forks: ForkServer,
        name: str,
        role: Role,
        settings: Mapping[str, Setting],
        broker: tuple[str, int] | None = None,
    ) -> None:
        super().__init__(opening, guard, name, role, broker)
        self._forks = forks
        self._wanted = dict(settings)
        if opening.disk is not None and opening.disk.by == "fuse" and broker is not None:
            folder = Path(str(settings["storePathRootDir"]))
            log = opening.folder / "logs" / f"{name}.disk.log"
            self._disk = NodeDisk(folder, log, guard, opening.disk.model, LOG_FOLDER)
            self._wanted["storePathRootDir"] = str(self._disk.point)
        self._ports = HeldPorts(broker=broker is not None)
        self._control: ControlChannel | None = None
        self._ready: asyncio.Future[dict[str, Any]] | None = None
        self._counts = Counter[str]()
        """What this life's disk said last."""
        self._carried = Counter[str]()
        """What the disks of lives that lost their power had counted since."""
        self._switches: DiskSwitches = {}

    async def power_cut(self, rng: random.Random, *, torn: bool) -> Mapping[str, object]:
        """SIGKILL, then drop what was not synced."""
        if self._disk is not None:
            return await super().power_cut(rng, torn=torn)
        await self._keep_counts()
        await self._ending("power-cut").kill()
        data = Path(str(self._wanted["storePathRootDir"]))
        effect = await asyncio.to_thread(apply_power_cut, data, rng, torn=torn)
        await self._survey(data)
        return effect

    def _kept(self) -> Path:
        """Its own folder, where no disk of ours is under it."""
        if self._disk is not None or self.running:
            return super()._kept()
        return Path(str(self._wanted["storePathRootDir"]))

    async def set_disk(self, **switches: Unpack[DiskSwitches]) -> Mapping[str, object]:
        """Tell the node's disk; what it has counted since the last call."""
        if self._disk is not None:
            return await super().set_disk(**switches)
        self._alive()
        self._switches = switches
        return await self._tell_disk()

    async def _tell_disk(self) -> dict[str, int]:
        assert self._control is not None  # noqa: S101 - every life has one
        answer = await self._control.ask(CONTROL_SECONDS_MAX, do="disk", **self._switches)
        counts = Counter({key: value for key, value in answer.items() if type(value) is int})
        new = {key: counts[key] - self._counts[key] + self._carried[key] for key in counts}
        self._counts, self._carried = counts, Counter()
        return new

    async def _keep_counts(self) -> None:
        """A disk's fault that a cut ends has had an effect too."""
        if any(self._switches.values()):
            self._carried = Counter(await self._tell_disk())
            self._switches = {}

    def _spawn(self, log: Path, on_end: Callable[[int], None]) -> WatchedProcess:
        self._counts = Counter()
        self._ready = asyncio.get_running_loop().create_future()
        control = self._control = ControlChannel()
        command = self._command(control)
        self._keep_configuration(command, {}, {})
        fds = (control.their_fd,)
        start: Callable[[IO[bytes]], Child] = partial(self._forks.start, command[len(REFERENCE) :], pass_fds=fds)
        if environment := self._with_clock({}):
            # A clock of its own is loaded with the program.
            start = executed(command, self._guard, pass_fds=fds, cwd=ROOT, environment=environment)
        process = WatchedProcess(start, log=log, guard=self._guard, on_line=self._heard, on_end=on_end)
        control.started()
        return process

    def _command(self, control: ControlChannel) -> list[str]:
        opening = self._opening
        properties: dict[str, Setting] = {**self._wanted, "listenPort": self._ports.port}
        command = [*REFERENCE, "namesrv" if self.role == "nameserver" else "broker"]
        for key, value in properties.items():
            command += ["-p", f"{key}={setting_text(value)}"]
        for option, name in (("--sabotage", opening.sabotage), ("--odd", opening.odd)):
            command += [option, name] if name else []
        return [*command, "--control", str(control.their_fd)]

    async def _wait_ready(self, process: NodeProcess) -> str | None:
        assert self._ready is not None  # noqa: S101 - every life has one
        try:
            line = await asyncio.wait_for(self._ready, READY_SECONDS_MAX)
        except TimeoutError:
            self._how = "kill"
            await process.kill()
            raise NodeError(f"{self.name} was not ready in {READY_SECONDS_MAX} s: {process.log_tail()}") from None
        self.address = line["address"]
        self.settings = {key: setting_text(value) for key, value in line["settings"].items()}
        if self.role == "broker":
            await self._broker_is_at(self.settings["haListenPort"])
        return self.settings.get("reference.version")

    def _heard(self, line: bytes) -> None:
        """A line of stdout: the first is the ready line."""
        if self._ready is not None and not self._ready.done():
            try:
                self._ready.set_result(msgspec.json.decode(line))
            except msgspec.DecodeError:
                self._ready.set_exception(NodeError(f"{self.name} said {line!r} instead of its ready line"))

    def _died(self, code: int) -> None:
        if self._control is not None:
            self._control.close()
        if self._ready is not None and not self._ready.done() and self._process is not None:
            first = RefusedError if code == UNUSABLE_SETTING else NodeError
            kind = NodeEndedError if self.life else first
            self._ready.set_exception(
                kind(f"{self.name} ended with status {code} before it was ready: {self._process.log_tail()}")
            )

    def _release(self) -> None:
        if self._control is not None:
            self._control.close()
        self._ports.close()
