"""What can be wrong with a disk that still works: fsyncs and writes that are slow or fail, and little space. Pure."""

from __future__ import annotations

import errno
from dataclasses import asdict, dataclass, field
from typing import Self


@dataclass(slots=True)
class Counts:
    """What the disk has counted since it was mounted."""

    fsyncs: int = 0
    delayed_fsyncs: int = 0
    failed_fsyncs: int = 0
    delayed_writes: int = 0
    failed_writes: int = 0
    refused_writes: int = 0
    looks: int = 0
    """Times that somebody was told how full it is, and it was not true."""

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
    write_delay_ms: int = 0
    write_error: bool = False
    disk_full: bool = False
    used_percent: int = 0
    """How full it says that it is; 0: the truth."""
    counts: Counts = field(default_factory=Counts)

    def told(self, **switches: int) -> Self:
        """These switches, all others healthy, on the same files and counts. Raises TypeError."""
        return type(self)(prefix=self.prefix, counts=self.counts, **switches)  # type: ignore[arg-type]

    def free(self, blocks: int) -> dict[str, int]:
        """Free blocks as statfs has them, where the truth is not to be told."""
        if not self.used_percent:
            return {}
        self.counts.looks += 1
        return dict.fromkeys(("f_bfree", "f_bavail"), blocks * (100 - self.used_percent) // 100)

    def before_fsync(self, path: str) -> int:
        """How many ms this fsync has to wait before it begins."""
        self.counts.fsyncs += 1
        if self.fsync_delay_ms <= 0 or not path.startswith(self.prefix):
            return 0
        self.counts.delayed_fsyncs += 1
        return self.fsync_delay_ms

    def before_write(self, path: str) -> int:
        """How many ms this write has to wait before it begins."""
        if self.write_delay_ms <= 0 or not path.startswith(self.prefix):
            return 0
        self.counts.delayed_writes += 1
        return self.write_delay_ms

    def check_fsync(self, path: str) -> None:
        """Raises OSError (EIO) when this fsync fails: what it should have written stays held."""
        if self.fsync_error and path.startswith(self.prefix):
            self.counts.failed_fsyncs += 1
            raise OSError(errno.EIO, "fsync failed (fault injected)", path)

    def check_write(self, path: str) -> None:
        """Raises OSError when this write fails (EIO) or finds the disk full (ENOSPC)."""
        if self.write_error and path.startswith(self.prefix):
            self.counts.failed_writes += 1
            raise OSError(errno.EIO, "write failed (fault injected)", path)
        if self.disk_full and path.startswith(self.prefix):
            self.counts.refused_writes += 1
            raise OSError(errno.ENOSPC, "no space left (fault injected)", path)
