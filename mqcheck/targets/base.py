"""What a target is: a way to bring up NameServers and brokers, and what can be done to each of them.

Only vocabulary and protocols live here; `reference` starts processes, the simulation has nodes of its own. Scenarios
and faults see nodes through `Node` and `Cluster` alone, so that both worlds run them unchanged.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol, TypedDict, Unpack

from mqcheck.disks.model import MODELS, Model
from mqcheck.errors import SettingsError
from mqcheck.guard import Guard
from mqcheck.history.recorder import Recorder
from mqcheck.links.base import NetworkLike
from mqcheck.rocketmq.tail import Spoil

Role = Literal["nameserver", "broker"]
"""What a node is, as the history's table `nodes` says it."""

Setting = str | int | bool
"""A value of RocketMQ's properties; written as text, booleans in lower case."""


def setting_text(value: Setting) -> str:
    """A setting as a properties file has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class BrokerSpec:
    """One broker group: a master and so many slaves."""

    name: str
    """RocketMQ's brokerName; also the node name of the master."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Properties of this group alone; they win over the deployment's."""
    slaves: int = 0


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a scenario wants to stand before it begins."""

    nameservers: int = 1
    brokers: tuple[BrokerSpec, ...] = (BrokerSpec("broker-a"),)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Properties of every broker; they win over the profile's."""
    nameserver_settings: Mapping[str, Setting] = field(default_factory=dict)
    """Properties of every NameServer; they win over the profile's."""

    def nameserver_names(self) -> tuple[str, ...]:
        """``nameserver-1``, ``nameserver-2``, … as the history calls them."""
        return tuple(f"nameserver-{number + 1}" for number in range(self.nameservers))


@dataclass(frozen=True, slots=True)
class DiskChoice:
    """How disk faults and power cuts are done, where a scenario has any."""

    by: Literal["own", "fuse"] = "own"
    """own: by the node itself, where it can (the reference); fuse: by a file system of ours, as for any other node."""
    model: Model = MODELS[0]
    """What a file system of ours keeps when the power fails."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a target is given to bring a deployment up; made by the runner."""

    nameserver_settings: Mapping[str, Setting]
    """The profile's properties for NameServers."""
    broker_settings: Mapping[str, Setting]
    """The profile's properties for brokers."""
    folder: Path
    """The scenario's folder: `logs/` is kept, `nodes/` holds the stores and is removed at the end."""
    network: NetworkLike
    recorder: Recorder
    guard: Guard | None
    """Told of every process and folder; None in the simulation, which has neither."""
    rng: random.Random
    sabotage: str | None = None
    """A planted bug, by name; nodes that it does not concern ignore it."""
    odd: str | None = None
    """A legal oddity, by name."""
    held_ms: int = 0
    """A broker may keep a pull of the kit's clients for so long, also when they have gone."""
    needs: frozenset[str] = frozenset()
    """Capabilities that the scenario needs: a target that has some only at a price pays it for these alone."""
    disk: DiskChoice | None = None
    """None: nothing will be done to disks or power, so nothing need stand before them."""


class DiskSwitches(TypedDict, total=False):
    """What can be wrong with the disk under a broker's log while it works; left out: nothing."""

    fsync_delay_ms: int
    """How much longer each fsync takes."""
    fsync_error: bool
    """Whether each fsync fails with EIO."""
    write_delay_ms: int
    """How much longer each write takes."""
    write_error: bool
    """Whether each write fails with EIO."""
    disk_full: bool
    """Whether each write fails with ENOSPC."""
    used_percent: int
    """How full the disk says that it is; 0: as full as it is."""


class Victim(Protocol):
    """Something with a life of its own that faults can hit: a node, or a client in its own process."""

    @property
    def name(self) -> str:
        """As the history calls it."""
        ...

    @property
    def running(self) -> bool:
        """True from ready until its end; also while paused."""
        ...

    async def start(self) -> None:
        """Begin the next life and wait until it is ready. Raises NodeError."""
        ...

    async def stop(self) -> None:
        """Ask it to end cleanly and wait. Raises NodeError when it does not end in time."""
        ...

    async def kill(self) -> None:
        """End it at once, as SIGKILL does; what it had written stays."""
        ...

    async def pause(self) -> None:
        """Freeze it, as SIGSTOP does; returns when it surely stands still."""
        ...

    async def resume(self) -> None:
        """Let a paused one go on."""
        ...


class Node(Victim, Protocol):
    """A NameServer or a broker."""

    @property
    def role(self) -> Role:
        """NameServer or broker."""
        ...

    @property
    def broker(self) -> str | None:
        """brokerName; None for a NameServer."""
        ...

    @property
    def broker_id(self) -> int | None:
        """0 is the master; None for a NameServer."""
        ...

    @property
    def life(self) -> int:
        """0 for the first start, one more for each later one."""
        ...

    @property
    def address(self) -> str:
        """The real "host:port", behind every link."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """Effective values by property name, as the ready line gave them."""
        ...

    async def power_cut(self, rng: random.Random, *, torn: bool) -> Mapping[str, object]:
        """End it and drop what was not synced; what was dropped. Raises FaultError where it cannot be done."""
        ...

    async def set_disk(self, **switches: Unpack[DiskSwitches]) -> Mapping[str, object]:
        """Set the switches (those left out: healthy); the disk's counts since the last call."""
        ...

    async def spoil_tail(self, rng: random.Random, how: Spoil) -> Mapping[str, object]:
        """Put a damaged record behind the last whole one of its log, while it does not run; what was written. Raises
        FaultError where its log cannot be reached."""
        ...

    async def lose_queues(self) -> Mapping[str, object]:
        """Remove what it can derive from its log again, while it does not run; how much. Raises FaultError where it
        is not known what that is."""
        ...

    async def set_clock(self, offset_ms: int) -> None:
        """Set its wall clock so far from true, from now on. Raises FaultError where it cannot be done."""
        ...


class Cluster(Protocol):
    """The nodes of one scenario."""

    @property
    def prefix(self) -> str:
        """What every topic and group of the scenario begins with; empty where the cluster is the scenario's alone."""
        ...

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Every node by name, NameServers first."""
        ...

    @property
    def version(self) -> str:
        """What the nodes say they are."""
        ...

    def nameservers(self) -> Sequence[Node]:
        """In the order clients are given them."""
        ...

    def brokers(self) -> Sequence[Node]:
        """Masters and slaves."""
        ...

    async def close(self) -> None:
        """End every node and remove what it kept; nothing is left. Idempotent, also after a failed start."""
        ...


class Target(Protocol):
    """A way to bring up a deployment."""

    @property
    def name(self) -> str:
        """As given to ``--mqcheck-target``."""
        ...

    @property
    def version(self) -> str:
        """Of what runs, for the report."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What its nodes can take: names out of `CAPABILITIES`."""
        ...

    @property
    def lacking(self) -> Mapping[str, str]:
        """Capability that its nodes could take, and this machine cannot give → why, and the way out."""
        ...

    @property
    def at_once(self) -> int | None:
        """Most scenarios that one process should run at a time, where a user says nothing; None: as many as fit."""
        ...

    def effective(self, role: Role, settings: Mapping[str, Setting]) -> Mapping[str, str]:
        """What holds in a node that is told these settings, as far as it is known before one runs.

        By the same names, as text; what cannot be set is among them. Raises SettingsError for a setting that such a
        node does not have.
        """
        ...

    def refuses(self, deployment: Deployment) -> str:
        """Why it cannot stand like this, and the way out; empty where it can."""
        ...

    def prepare(self) -> None:
        """Fetch what running needs; called once in each process before the first `open`. Blocks. Raises UserError."""
        ...

    async def open(self, deployment: Deployment, opening: Opening) -> Cluster:
        """Bring it up, nodes ready and links laid. Raises NodeError, nothing left behind."""
        ...

    async def finish(self) -> None:
        """Called once in each process when the last scenario has ended, however. Raises NodeError for what is left."""
        ...


CAPABILITIES = frozenset(
    {
        "latency",
        "partition",
        "reset",
        "kill",
        "stop",
        "pause",
        "power-cut",
        "slow-fsync",
        "fsync-error",
        "slow-write",
        "write-error",
        "disk-full",
        "disk-nearly-full",
        "bad-tail",
        "lost-queues",
        "clock",
        "replication",
        "server-links",
        "destructive",
    }
)
"""Everything a target may be able to take; a scenario's `needs` are names out of this.

`server-links`: the links from brokers to NameServers and masters are the kit's, so that they can be hurt.
`destructive`: the cluster may be changed for everybody in it, as by wiping a broker's write permission.
"""

OWNED: Final = frozenset({"server-links", "destructive"})
"""What every target can take that starts its nodes itself."""

DISK_CAPABILITIES: Final = frozenset(
    {"power-cut", "slow-fsync", "fsync-error", "slow-write", "write-error", "disk-full", "disk-nearly-full"}
)
"""Those for which something must stand between a node and its disk."""


def node_named(cluster: Cluster, name: str) -> Node:
    """The node of that name; raises SettingsError that lists the nodes there are."""
    try:
        return cluster.nodes[name]
    except KeyError:
        raise SettingsError(f"no node {name!r} in this deployment; there are {', '.join(cluster.nodes)}") from None
