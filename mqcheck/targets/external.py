"""The target `external:ADDRESS`: a cluster that somebody else runs.

It starts nothing and ends nothing. Links are laid between our clients and the cluster alone; every topic and group is
the scenario's own, by its name, and is gone at the end.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NoReturn, Unpack

from mqcheck.errors import FaultError, NodeError, RefusedError, SettingsError
from mqcheck.rocketmq.names import is_owned
from mqcheck.rocketmq.routes import node_name
from mqcheck.rocketmq.tail import Spoil
from mqcheck.targets.base import Deployment, DiskSwitches, Node, Opening, Role, Setting, setting_text
from mqcheck.targets.leavings import clean, prefix_of
from mqcheck.targets.settings import derived_settings
from mqcheck.targets.survey import Found, Survey, addresses_of, role_settings, survey, survey_now

LINKS: Final = frozenset({"latency", "partition", "reset"})
"""What can be done to the links between our clients and the cluster."""

ALLOWABLE: Final = ("destructive",)
"""What ``--mqcheck-allow`` can name."""


class ExternalTarget:
    """A cluster that runs already."""

    at_once: int | None = 1
    """The bytes of two scenarios' links to one broker cannot be told apart in one process; ``-n`` makes more."""
    lacking: Mapping[str, str] = MappingProxyType({})

    def __init__(self, name: str, nameservers: Sequence[str], allowed: Collection[str], found: Survey) -> None:
        """`name` is what ``--mqcheck-target`` was given, `found` the cluster when it was looked at."""
        self.name = name
        self.capabilities = LINKS | frozenset(allowed)
        self._nameservers = tuple(nameservers)
        self._found = found
        self._ended: list[str] = []
        self._quiet_at = 0.0

    @property
    def version(self) -> str:
        """In the first broker's own words."""
        return self._found.version

    def effective(self, role: Role, settings: Mapping[str, Setting]) -> Mapping[str, str]:
        """See `Target`: nothing can be set; what holds is what the cluster says."""
        return role_settings(self._found, role)

    def refuses(self, deployment: Deployment) -> str:
        """See `Target`: the cluster is as it is."""
        found = self._found
        wanted = {
            "NameServers": (deployment.nameservers, len(found.nameservers)),
            "broker groups": (len(deployment.brokers), len(found.masters)),
            "slaves": (sum(spec.slaves for spec in deployment.brokers), 0),
        }
        for what, (least, there) in wanted.items():
            if least > there:
                return f"it needs {least} {what}, and {self.name} has {there} that it can use: run it on a larger one"
        nameserver = role_settings(found, "nameserver")
        demands = [(key, value, nameserver.get(key)) for key, value in deployment.nameserver_settings.items()]
        for spec, master in zip(deployment.brokers, found.masters, strict=False):
            own = {**deployment.settings, **spec.settings}
            demands += [(key, value, master.settings.get(key)) for key, value in own.items()]
        for key, value, said_there in demands:
            if said_there != setting_text(value):
                said = "does not say what it has" if said_there is None else f"has {said_there}"
                return (
                    f"it needs {key} = {setting_text(value)}, and {self.name} {said}: set it there, or run the "
                    f"scenario on a target that mqcheck starts itself, such as reference"
                )
        return ""

    def prepare(self) -> None:
        """See `Target`: the cluster is there."""

    async def open(self, deployment: Deployment, opening: Opening) -> ExternalCluster:
        """Look at the cluster again, lay links to it. Raises NodeError when it is not what it was."""
        planted = opening.sabotage or opening.odd
        if planted:
            raise RefusedError(
                f"{planted!r} can be planted in the reference alone, not in {self.name}: leave --mqcheck-sabotage and "
                f"--mqcheck-odd out"
            )
        try:
            found = await survey(self._nameservers)
        except SettingsError as error:
            raise NodeError(f"the cluster is not what it was: {error}") from error
        if len(found.masters) < len(deployment.brokers):
            raise NodeError(
                f"the cluster is not what it was: {len(found.masters)} masters are left of {len(self._found.masters)}"
            )
        cluster = ExternalCluster(opening, found, self._has_ended)
        await cluster.lay(deployment)
        return cluster

    def _has_ended(self, prefix: str, held_ms: int) -> None:
        self._ended.append(prefix)
        self._quiet_at = asyncio.get_running_loop().time() + held_ms / 1000

    async def finish(self) -> None:
        """Look once more, when no broker keeps a pull any longer: the end of one makes its group anew (RocketMQ)."""
        prefixes, self._ended = tuple(self._ended), []
        if prefixes:
            await asyncio.sleep(max(0.0, self._quiet_at - asyncio.get_running_loop().time()))
            found = await survey(self._nameservers)
            await clean(found, lambda name: any(is_owned(prefix, name) for prefix in prefixes))


def external_target(name: str, address: str, allowed: Collection[str]) -> ExternalTarget:
    """The target of a cluster with these NameServers; asks it what it is like. Raises SettingsError. Blocks."""
    for word in allowed:
        if word not in ALLOWABLE:
            raise SettingsError(f"--mqcheck-allow {word}: there is only {', '.join(ALLOWABLE)}")
    nameservers = addresses_of(address)
    return ExternalTarget(name, nameservers, allowed, survey_now(nameservers))


class ExternalCluster:
    """The nodes of a running cluster, under the names that one scenario's deployment has for them."""

    def __init__(self, opening: Opening, found: Survey, has_ended: Callable[[str, int], None]) -> None:
        """`has_ended` is told the prefix, and how long pulls may still be kept."""
        self.version = found.version
        self.prefix = prefix_of(opening.recorder.run, opening.folder.name)
        self._opening = opening
        self._found = found
        self._has_ended = has_ended
        self._nodes: dict[str, ExternalNode] = {}
        self._closed = False

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Every node by name, NameServers first."""
        return self._nodes

    def nameservers(self) -> Sequence[Node]:
        """In the order clients are given them."""
        return [node for node in self._nodes.values() if node.role == "nameserver"]

    def brokers(self) -> Sequence[Node]:
        """The masters that the deployment uses."""
        return [node for node in self._nodes.values() if node.role == "broker"]

    async def lay(self, deployment: Deployment) -> None:
        """Name the nodes, tell the network where they are, write them into the history.

        All NameServers are used. Masters take the deployment's names in the order of their own; brokers that it has no
        use for have links as well, since a route may lead to them.
        """
        network = self._opening.network
        network.share_servers()
        for number, found in enumerate(self._found.nameservers, start=1):
            node = self._add(f"nameserver-{number}", "nameserver", found, None)
            await network.add_nameserver(node.name, node.address)
        names = [spec.name for spec in deployment.brokers]
        spares = (f"spare-{number}" for number in range(1, len(self._found.masters) + 1))
        shown: dict[str, str] = {}
        for place, found in enumerate(self._found.masters):
            real = str(found.broker)
            shown[real] = names[place] if place < len(names) else next(spares)
            if place < len(names):
                self._add(shown[real], "broker", found, shown[real])
            await network.add_broker(shown[real], real, 0, found.address)
        for found in self._found.slaves:
            real = str(found.broker)
            name = node_name(shown.get(real) or next(spares, real), found.broker_id)
            await network.add_broker(name, real, found.broker_id, found.address)

    def _add(self, name: str, role: Role, found: Found, broker: str | None) -> ExternalNode:
        recorder = self._opening.recorder
        node = self._nodes[name] = ExternalNode(name, role, broker, found)
        now = recorder.clock.monotonic_ns()
        row = recorder.begin(
            "nodes", node=name, role=role, broker=broker, broker_id=node.broker_id, life=0, spawned=now
        )
        recorder.end("nodes", row, ready=now, address=found.address, version=self.version)
        own = {"external_name": found.broker or found.address, "registrations_seen": "false"}
        for key, value in {**node.settings, **derived_settings(role, node.settings), **own}.items():
            recorder.point("config", node=name, key=key, setting=value)
        return node

    async def close(self) -> None:
        """Take away every topic and group of the scenario. Raises NodeError naming what is left. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._has_ended(self.prefix, self._opening.held_ms)
        await clean(self._found, lambda name: is_owned(self.prefix, name))


class ExternalNode:
    """A NameServer or broker that is somebody else's: it can be talked to, and nothing else."""

    life = 0
    running = True

    def __init__(self, name: str, role: Role, broker: str | None, found: Found) -> None:
        self.name = name
        self.role: Role = role
        self.broker = broker
        self.broker_id = None if broker is None else found.broker_id
        self.address = found.address
        self.settings = found.settings

    async def start(self) -> None:
        """Raises FaultError, as all that follow."""
        self._refuse("started")

    async def stop(self) -> None:
        """See `start`."""
        self._refuse("stopped")

    async def kill(self) -> None:
        """See `start`."""
        self._refuse("killed")

    async def pause(self) -> None:
        """See `start`."""
        self._refuse("paused")

    async def resume(self) -> None:
        """See `start`."""
        self._refuse("resumed")

    async def power_cut(self, rng: random.Random, *, torn: bool) -> Mapping[str, object]:
        """See `start`."""
        self._refuse("cut off from power")

    async def set_disk(self, **switches: Unpack[DiskSwitches]) -> Mapping[str, object]:
        """See `start`."""
        self._refuse("given a slow or failing disk")

    async def spoil_tail(self, rng: random.Random, how: Spoil) -> Mapping[str, object]:
        """See `start`."""
        self._refuse("given a damaged log")

    async def lose_queues(self) -> Mapping[str, object]:
        """See `start`."""
        self._refuse("robbed of its queues")

    async def set_clock(self, offset_ms: int) -> None:
        """See `start`."""
        self._refuse("given another time")

    def _refuse(self, what: str) -> NoReturn:
        raise FaultError(
            f"{self.name} at {self.address} is somebody else's and is not {what} by mqcheck: use a target that it "
            f"starts itself, such as exec:FILE"
        )
