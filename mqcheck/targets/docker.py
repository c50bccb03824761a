"""The target `docker:IMAGE`: real NameServers and brokers out of a Docker image, a container for each life of a node.

What runs inside is said by the same descriptions as `apache:VERSION` and `exec:FILE`: an image of Apache RocketMQ is
known by its environment, any other is named in a description (``image = "…"``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

from mqcheck.errors import NodeError, RefusedError, SettingsError
from mqcheck.targets.apache import description_file
from mqcheck.targets.base import DISK_CAPABILITIES, Opening, Setting
from mqcheck.targets.container_life import ContainerProcess, ContainerSpec, Daemon, connect
from mqcheck.targets.described import DescribedCluster, DescribedNode, DescribedTarget, exec_target
from mqcheck.targets.description import Description, read_description
from mqcheck.targets.processes import NodeProcess

VERSION_VARIABLE: Final = "ROCKETMQ_VERSION"
HOME_VARIABLE: Final = "ROCKETMQ_HOME"
"""Environment of the images apache/rocketmq: what is in them, and where."""

_serial = count(1)
"""Numbers the containers of this process."""


class DockerTarget(DescribedTarget):
    """Brings up deployments of a described broker, every node in a container."""

    def __init__(self, name: str, description: Description, image: str, daemon: Daemon) -> None:
        """Raises SettingsError when the daemon does not have the image."""
        super().__init__(name, description)
        self._image = image
        self._daemon = daemon
        daemon.image(image)

    @property
    def lacking(self) -> Mapping[str, str]:
        """No file system of ours is put into a container, and libfaketime is the host's, not the image's."""
        wanted = self.description.capabilities & (DISK_CAPABILITIES | {"clock"})
        return dict.fromkeys(wanted, "disk and clock of a container are not ours: run apache:VERSION or exec:FILE")

    def _cluster(self, opening: Opening) -> DockerCluster:
        return DockerCluster(opening, self.version, self.name, self.description, self._image, self._daemon)


def docker_target(name: str, image: str) -> DockerTarget:
    """The target of an image of Apache RocketMQ. Raises UserError."""
    daemon = connect(os.environ)
    version, classpath = contents(image, daemon.image(image))
    described = read_description(description_file(version), {"java": "java", "classpath": classpath})
    return DockerTarget(name, dataclasses.replace(described, version=version), image, daemon)


def described_target(name: str, path: Path) -> DescribedTarget:
    """The target of a description file, in containers where it names an image. Raises UserError."""
    found = exec_target(name, path)
    if found.description.image is None:
        return found
    return DockerTarget(name, found.description, found.description.image, connect(os.environ))


def contents(image: str, config: Mapping[str, Any]) -> tuple[str, str]:
    """Version and class path of the Apache RocketMQ in an image, by its configuration. Raises SettingsError."""
    environment = dict(line.partition("=")[::2] for line in config.get("Env") or ())
    for variable in (VERSION_VARIABLE, HOME_VARIABLE):
        if not environment.get(variable):
            raise SettingsError(
                f"the image {image!r} has no {variable} in its environment, as images of Apache RocketMQ have: say "
                f'what is in it by a TOML file with image = "{image}", and run exec:FILE'
            )
    return environment[VERSION_VARIABLE], f"{environment[HOME_VARIABLE]}/lib/*"


class DockerCluster(DescribedCluster):
    """The nodes of one scenario."""

    def __init__(
        self, opening: Opening, version: str, target: str, description: Description, image: str, daemon: Daemon
    ) -> None:
        super().__init__(opening, version, target, description)
        self._image = image
        self._daemon = daemon
        self._lives: list[ContainerProcess] = []

    async def close(self) -> None:
        """As every cluster; then wait until the daemon has removed all containers."""
        try:
            await super().close()
        finally:
            await asyncio.gather(*(life.removed() for life in self._lives))

    def _node(
        self,
        name: str,
        settings: Mapping[str, Setting],
        broker: tuple[str, int] | None = None,
        nameservers: Sequence[str] = (),
    ) -> DockerNode:
        node = DockerNode(self._opening, self._guard, name, self._description, settings, broker, nameservers)
        node.runs_in(self._image, self._daemon, self._lives)
        return node


class DockerNode(DescribedNode):
    """One NameServer or broker, through all its lives, each in a container of its own."""

    def runs_in(self, image: str, daemon: Daemon, lives: list[ContainerProcess]) -> None:
        """Called once, before the first start; `lives` gets every container."""
        self._image = image
        self._daemon = daemon
        self._lives = lives

    def _spawn(self, log: Path, on_end: Callable[[int], None]) -> NodeProcess:
        files = self._write_files()
        command, environment = self._command(), self._environment()
        self._keep_configuration(command, environment, files)
        spec = ContainerSpec(
            name=f"mqcheck-{self._guard.mark[:12]}-{next(_serial)}-{self.name}-{self.life}",
            image=self._image,
            command=command,
            environment=environment,
            folders=[Path(self._values[key]) for key in ("folder", "logs")],
        )
        life = ContainerProcess(self._daemon, spec, log=log, guard=self._guard, on_end=on_end)
        self._lives.append(life)
        return life

    async def _wait_ready(self, process: NodeProcess) -> str | None:
        try:
            return await super()._wait_ready(process)
        except NodeError as error:
            if isinstance(process, ContainerProcess) and process.refusal is not None:
                raise RefusedError(
                    f"{self.name} cannot be started in {self._image}: {process.refusal}; the first word of its command "
                    f"must be a program on the image's PATH or a whole path in it"
                ) from error
            raise
