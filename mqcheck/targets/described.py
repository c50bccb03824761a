"""The target `exec`: any broker that a description says how to run, as processes on this host.

Each node has a folder of its own, which is removed at the end, and a folder for its logs, which is kept. Its ports are
held for it, so that every life has the same address.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from mqcheck.disks.tools import missing_disk
from mqcheck.errors import NodeEndedError, NodeError, RefusedError, SettingsError
from mqcheck.guard import Guard
from mqcheck.links.ports import HOST, VIP_DISTANCE
from mqcheck.targets.base import DISK_CAPABILITIES, OWNED, Deployment, Opening, Role, Setting
from mqcheck.targets.description import Description, RoleDescription, read_description
from mqcheck.targets.disks import NodeDisk
from mqcheck.targets.faketime import missing_clock
from mqcheck.targets.lives import ProcessCluster, ProcessNode
from mqcheck.targets.placeholders import fill
from mqcheck.targets.ports import HA_DISTANCE, HeldPorts
from mqcheck.targets.processes import NodeProcess, WatchedProcess, executed
from mqcheck.targets.ready import ask, lists

ASK_SECONDS_MAX: Final = 1.0
"""How long one question for readiness may take. Ours."""

ASK_PAUSE_SECONDS: Final = 0.02
"""Between two of them. Ours."""

ARGUMENTS: Final = "{arguments}"
"""The word of a command in whose place stand the arguments of settings that have one."""


class DescribedTarget:
    """Brings up deployments of a described broker."""

    def __init__(self, name: str, description: Description) -> None:
        """`name` is what ``--mqcheck-target`` was given."""
        self.name = name
        self.description = description
        self.at_once = description.at_once

    @property
    def capabilities(self) -> frozenset[str]:
        """As the description has them, but for those that this machine lacks the means for."""
        return (self.description.capabilities | OWNED) - self.lacking.keys()

    @property
    def lacking(self) -> Mapping[str, str]:
        """Capability that the description has and this machine cannot give → why, and the way out."""
        without_disk, without_clock = missing_disk(), missing_clock()
        found = dict.fromkeys(DISK_CAPABILITIES, without_disk) if without_disk else {}
        if without_clock:
            found["clock"] = without_clock
        return {name: why for name, why in found.items() if name in self.description.capabilities}

    @property
    def version(self) -> str:
        """As the description has it."""
        return f"{self.description.name} {self.description.version}"

    def effective(self, role: Role, settings: Mapping[str, Setting]) -> Mapping[str, str]:
        """See `Target`."""
        return self.description.of(role).effective(settings)

    def refuses(self, deployment: Deployment) -> str:
        """See `Target`: it starts as many nodes as are wanted."""
        return ""

    def prepare(self) -> None:
        """See `Target`: its description says where everything is; whether a disk can be mounted takes a moment."""
        if self.description.capabilities & DISK_CAPABILITIES:
            missing_disk()

    async def open(self, deployment: Deployment, opening: Opening) -> DescribedCluster:
        """Start NameServers, then brokers, each kind at once; raises NodeError, nothing left behind."""
        planted = opening.sabotage or opening.odd
        if planted:
            raise RefusedError(
                f"{planted!r} can be planted in the reference alone, not in {self.name}: leave --mqcheck-sabotage and "
                f"--mqcheck-odd out"
            )
        cluster = self._cluster(opening)
        try:
            await cluster.start(deployment)
        except BaseException:
            await cluster.close()
            raise
        return cluster

    def _cluster(self, opening: Opening) -> DescribedCluster:
        """A cluster that is not started yet."""
        return DescribedCluster(opening, self.version, self.name, self.description)

    async def finish(self) -> None:
        """See `Target`: every cluster has ended with its scenario."""


def exec_target(name: str, path: Path) -> DescribedTarget:
    """The target of a description file; raises SettingsError when it cannot be used."""
    return DescribedTarget(name, read_description(path))


class DescribedCluster(ProcessCluster):
    """The nodes of one scenario."""

    def __init__(self, opening: Opening, version: str, target: str, description: Description) -> None:
        super().__init__(opening, version, target)
        self._description = description
        self.stops_at_end = description.stops_at_end

    def _nameserver(self, name: str, settings: Mapping[str, Setting]) -> DescribedNode:
        return self._node(name, settings)

    def _broker(
        self, name: str, broker: tuple[str, int], settings: Mapping[str, Setting], nameservers: Sequence[str]
    ) -> DescribedNode:
        node = self._node(name, settings, broker, nameservers)
        node.registers_at = tuple(each.address for each in self.nameservers())
        return node

    def _node(
        self,
        name: str,
        settings: Mapping[str, Setting],
        broker: tuple[str, int] | None = None,
        nameservers: Sequence[str] = (),
    ) -> DescribedNode:
        """A node that is not started yet."""
        return DescribedNode(self._opening, self._guard, name, self._description, settings, broker, nameservers)


class DescribedNode(ProcessNode):
    """One NameServer or broker process, through all its lives."""

    def __init__(
        self,
        opening: Opening,
        guard: Guard,
        name: str,
        description: Description,
        settings: Mapping[str, Setting],
        broker: tuple[str, int] | None = None,
        nameservers: Sequence[str] = (),
    ) -> None:
        super().__init__(opening, guard, name, "broker" if broker else "nameserver", broker)
        self._description = description
        self._told: RoleDescription = description.of(self.role)
        self.registers_at: tuple[str, ...] = ()
        """Addresses of NameServers that must list it before its first life is ready; later ones may be cut off."""
        self.stop_signal = self._told.stop_signal
        self.stop_seconds = self._told.stop_seconds
        self.stop_statuses = self._told.stop_statuses
        self._wanted = {key: value for key, value in settings.items() if key in self._told.settings}
        identity = {} if broker is None else {"brokerName": broker[0], "brokerId": str(broker[1])}
        self.settings = {**self._told.effective(settings), **identity}
        self._folder = opening.folder / "nodes" / name
        self._log_folder = description.commit_log
        if opening.disk is not None and broker is not None:
            log = opening.folder / "logs" / f"{name}.disk.log"
            self._disk = NodeDisk(self._folder, log, guard, opening.disk.model, description.commit_log or "")
        self._ports = HeldPorts(broker=broker is not None)
        self.address = f"{HOST}:{self._ports.port}"
        self._values = self._placeholders(nameservers)

    def _placeholders(self, nameservers: Sequence[str]) -> dict[str, str]:
        port = self._ports.port
        values = {
            **self._description.constants,
            "python": sys.executable,
            "here": str(self._description.here),
            "folder": str(self._folder.resolve()),
            "data": str(self._folder.resolve() / "data"),
            "logs": str((self._opening.folder / "logs" / self.name).resolve()),
            "name": self.name,
            "port": str(port),
        }
        if self.broker is not None:
            values |= {
                "vip_port": str(port - VIP_DISTANCE),
                "ha_port": str(port + HA_DISTANCE),
                "broker_name": self.broker,
                "broker_id": str(self.broker_id),
                "nameservers": ";".join(nameservers),
            }
        return {**values, "settings": self._lines()}

    def _lines(self) -> str:
        """What the node is told, one setting a line, but for those that stand in the command."""
        rules = self._told.settings
        return "\n".join(
            fill(self._told.line, {"key": rules[key].name, "value": rules[key].told(value)})
            for key, value in self._wanted.items()
            if rules[key].argument is None
        )

    def _command(self) -> list[str]:
        words: list[str] = []
        for word in self._told.command:
            if word != ARGUMENTS:
                words.append(fill(word, self._values))
                continue
            for key, value in self._wanted.items():
                rule = self._told.settings[key]
                if rule.argument is not None:
                    words.append(fill(rule.argument, {"value": rule.told(value)}))
        return words

    def _environment(self) -> dict[str, str]:
        return {key: fill(text, self._values) for key, text in self._description.environment.items()}

    def _write_files(self) -> dict[str, str]:
        """Its files, by their path below its folder."""
        for folder in ("data", "logs"):
            Path(self._values[folder]).mkdir(parents=True, exist_ok=True)
        written = {}
        for file in self._told.files:
            name, text = fill(file.path, {"name": self.name}), fill(file.text, self._values)
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written[name] = text
        return written

    def _spawn(self, log: Path, on_end: Callable[[int], None]) -> NodeProcess:
        files = self._write_files()
        command = self._command()
        environment = self._environment()
        self._keep_configuration(command, environment, files)
        try:
            return WatchedProcess(
                executed(command, self._guard, cwd=self._folder, environment=self._with_clock(environment)),
                log=log,
                guard=self._guard,
                on_line=lambda line: None,
                on_end=on_end,
            )
        except OSError as error:
            raise RefusedError(
                f"{self.name} cannot be started: {command[0]}: {error.strerror or error}; "
                f"the first word of its command must be a program on PATH or a whole path"
            ) from error

    async def _wait_ready(self, process: NodeProcess) -> str | None:
        ready = self._told.ready
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ready.seconds
        missing: str | None = "nothing was asked"
        while not process.ended:
            missing = await self._missing()
            if missing is None and not process.ended:
                await self._ask_for_settings()
                await self._broker_is_at(self._ports.port + HA_DISTANCE)
                return self._description.version
            if loop.time() > deadline:
                self._how = "kill"
                await process.kill()
                raise NodeError(f"{self.name} was not ready in {ready.seconds} s: {missing}: {process.log_tail()}")
            await asyncio.sleep(ASK_PAUSE_SECONDS)
        kind = NodeEndedError if self.life else NodeError
        raise kind(f"{self.name} ended with status {process.exit_code} before it was ready: {process.log_tail()}")

    async def _missing(self) -> str | None:
        """What is still missing before it is ready; None when it is."""
        ready = self._told.ready
        answer = await ask(self.address, ready.code, ASK_SECONDS_MAX)
        code = None if answer is None else answer.code
        if code not in ready.answers:
            wanted = " or ".join(map(str, sorted(ready.answers)))
            return f"request {ready.code} to {self.address} was answered {code}, and not {wanted}"
        for nameserver in self.registers_at if self.life == 0 else ():
            if not await lists(nameserver, self.address, ASK_SECONDS_MAX):
                return f"the NameServer at {nameserver} does not list it at {self.address}"
        return None

    async def _ask_for_settings(self) -> None:
        """Verdicts are judged by what the node says of itself, where it can be asked. Raises NodeError."""
        code = self._told.properties
        if code is None or self.life:
            return
        answer = await ask(self.address, code, self._told.ready.seconds)
        if answer is None or answer.code != 0:
            said = "not answered" if answer is None else f"answered {answer.code}"
            raise NodeError(f"{self.name} does not say what its properties are: request {code} was {said}, and not 0")
        try:
            heard = self._told.heard(self._wanted, answer.body.decode("utf-8", "replace"))
        except SettingsError as error:
            raise NodeError(f"{self.name}, asked for its properties: {error}") from error
        self.settings = {**self.settings, **heard}

    def _died(self, code: int) -> None:
        """Whoever waits for it sees that it has ended."""

    def _release(self) -> None:
        self._ports.close()
