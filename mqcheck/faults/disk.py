"""Faults of a disk that still works: fsyncs and writes that are slow or fail, a disk that is full, or nearly so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from mqcheck.faults.base import Fault, Ground
from mqcheck.targets.base import node_named


@dataclass(frozen=True, slots=True, eq=False)
class SlowFsync(Fault):
    """Every fsync of a broker takes so much longer. Healed by the node's control channel.

    Reveals acknowledgements that do not wait for the flush, and FLUSH_DISK_TIMEOUT for messages that were not kept.
    """

    kind: ClassVar[str] = "slow-fsync"
    needs: ClassVar[str] = "slow-fsync"

    victim: str
    """Name of a broker node."""
    delay_ms: int

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    def parameters(self) -> Mapping[str, Any]:
        """How much longer each fsync takes."""
        return {"delay_ms": self.delay_ms}

    async def inject(self, ground: Ground) -> None:
        """Tell the node's disk."""
        await node_named(ground.cluster, self.victim).set_disk(fsync_delay_ms=self.delay_ms)

    async def heal(self, ground: Ground) -> Mapping[str, Any]:
        """Tell the node's disk; effect: what the disk counted while it was slow."""
        return await node_named(ground.cluster, self.victim).set_disk()


@dataclass(frozen=True, slots=True, eq=False)
class FsyncError(Fault):
    """Every fsync of a broker fails with EIO. Healed by the node's control channel.

    Reveals acknowledgements of messages whose flush failed (apache/rocketmq#2706).
    """

    kind: ClassVar[str] = "fsync-error"
    needs: ClassVar[str] = "fsync-error"

    victim: str
    """Name of a broker node."""

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    async def inject(self, ground: Ground) -> None:
        """Tell the node's disk."""
        await node_named(ground.cluster, self.victim).set_disk(fsync_error=True)

    async def heal(self, ground: Ground) -> Mapping[str, Any]:
        """Tell the node's disk; effect: what the disk counted while it failed."""
        return await node_named(ground.cluster, self.victim).set_disk()


@dataclass(frozen=True, slots=True, eq=False)
class DiskFull(Fault):
    """Every write to a broker's log fails with ENOSPC, also the kernel's own of mapped pages. Healed like the others.

    Reveals acknowledgements of messages that no write has taken to the disk: a kernel drops what it could not write,
    and a later fsync succeeds (apache/rocketmq#2706).
    """

    kind: ClassVar[str] = "disk-full"
    needs: ClassVar[str] = "disk-full"

    victim: str
    """Name of a broker node."""

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    async def inject(self, ground: Ground) -> None:
        """Tell the node's disk."""
        await node_named(ground.cluster, self.victim).set_disk(disk_full=True)

    async def heal(self, ground: Ground) -> Mapping[str, Any]:
        """Tell the node's disk; effect: what the disk counted while it was full."""
        return await node_named(ground.cluster, self.victim).set_disk()


@dataclass(frozen=True, slots=True, eq=False)
class SlowWrite(Fault):
    """Every write to a broker's log takes so much longer. Healed like the others.

    Reveals brokers that let requests pile up instead of refusing them.
    """

    kind: ClassVar[str] = "slow-write"
    needs: ClassVar[str] = "slow-write"

    victim: str
    """Name of a broker node."""
    delay_ms: int

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    def parameters(self) -> Mapping[str, Any]:
        """How much longer each write takes."""
        return {"delay_ms": self.delay_ms}

    async def inject(self, ground: Ground) -> None:
        """Tell the node's disk."""
        await node_named(ground.cluster, self.victim).set_disk(write_delay_ms=self.delay_ms)

    async def heal(self, ground: Ground) -> Mapping[str, Any]:
        """Tell the node's disk; effect: what the disk counted while it was slow."""
        return await node_named(ground.cluster, self.victim).set_disk()


@dataclass(frozen=True, slots=True, eq=False)
class WriteError(Fault):
    """Every write to a broker's log fails with EIO. Healed like the others.

    Reveals acknowledgements of messages that no write has taken to the disk.
    """

    kind: ClassVar[str] = "write-error"
    needs: ClassVar[str] = "write-error"

    victim: str
    """Name of a broker node."""

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    async def inject(self, ground: Ground) -> None:
        """Tell the node's disk."""
        await node_named(ground.cluster, self.victim).set_disk(write_error=True)

    async def heal(self, ground: Ground) -> Mapping[str, Any]:
        """Tell the node's disk; effect: what the disk counted while it failed."""
        return await node_named(ground.cluster, self.victim).set_disk()


NEARLY_FULL_PERCENT: Final = 97
"""More than any of RocketMQ's limits: 75, 85 and 90."""


@dataclass(frozen=True, slots=True, eq=False)
class NearlyFull(Fault):
    """A broker is told that its disk is nearly full, whatever the truth. Healed like the others.

    Reveals brokers that go on taking messages until no write succeeds, and those that then refuse to be read.
    """

    kind: ClassVar[str] = "disk-nearly-full"
    needs: ClassVar[str] = "disk-nearly-full"

    victim: str
    """Name of a broker node."""

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    def parameters(self) -> Mapping[str, Any]:
        """How full."""
        return {"used_percent": NEARLY_FULL_PERCENT}

    async def inject(self, ground: Ground) -> None:
        """Tell the node's disk."""
        await node_named(ground.cluster, self.victim).set_disk(used_percent=NEARLY_FULL_PERCENT)

    async def heal(self, ground: Ground) -> Mapping[str, Any]:
        """Tell the node's disk; effect: how often the broker looked."""
        return await node_named(ground.cluster, self.victim).set_disk()
