"""What can be wrong with a disk that still works: fsyncs that are slow or fail, writes that find it full. Pure."""

from __future__ import annotations

import errno
from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Counts:
    """What the disk has counted since it was mounted."""

    fsyncs: int = 0
    delayed_fsyncs: int = 0
    failed_fsyncs: int = 0
    refused_writes: int = 0

    def told(self) -> dict[str, int]:
        """What the faults have done, by name."""
        return {key: value for key, value in asdict(self).items() if key != "fsyncs"}


@dataclass(slots=True)
class Switches:
    """Faults of the files below one folder; healthy by default."""

    prefix: str = "/"
    """Absolute path that the names of the files concerned begin with."""
    fsync_delay_ms: int = 0
    fsync_error: bool = False
    disk_full: bool = False
    counts: Counts = field(default_factory=Counts)

    def before_fsync(self, path: str) -> int:
        """How many ms this fsync has to wait before it begins."""
        self.counts.fsyncs += 1
        if self.fsync_delay_ms <= 0 or not path.startswith(self.prefix):
            return 0
        self.counts.delayed_fsyncs += 1
        return self.fsync_delay_ms

    def check_fsync(self, path: str) -> None:
        """Raises OSError (EIO) when this fsync fails: what it should have written stays held."""
        if self.fsync_error and path.startswith(self.prefix):
            self.counts.failed_fsyncs += 1
            raise OSError(errno.EIO, "fsync failed (fault injected)", path)

    def check_write(self, path: str) -> None:
        """Raises OSError (ENOSPC) when this write finds the disk full."""
        if self.disk_full and path.startswith(self.prefix):
            self.counts.refused_writes += 1
            raise OSError(errno.ENOSPC, "no space left (fault injected)", path)
