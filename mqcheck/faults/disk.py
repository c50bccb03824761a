"""Faults of a disk that still works: fsync that is slow, fsync that fails, writes that find it full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

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
