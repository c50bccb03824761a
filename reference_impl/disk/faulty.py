"""A disk whose syncs and writes can be made slow or failing while the broker runs, and that can lie about its space. It
decides nothing: a few switches, set by the control pipe.

What it would reveal: a broker that acknowledges before the sync is over, answers in time although the sync is late,
or forgets that a sync or write has failed or that the disk was full.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager

from reference_impl.disk.base import Disk, File, Space

COMMIT_LOG_PREFIX = "commitlog/"
"""Files that the switches concern: as with real brokers, the fault is put on the commit log's device alone."""


class FaultyDisk:
    """Passes everything on to ``inner``; syncs and writes of files below ``prefix`` wait and fail as told.

    ``sleep`` takes seconds and runs in the thread that syncs. Tables (``replace``) are left alone: they are written
    by the thread that serves requests, and holding that up would be a pause of the whole broker, a different fault.
    """

    def __init__(self, inner: Disk, sleep: Callable[[float], None], prefix: str = COMMIT_LOG_PREFIX) -> None:
        self.inner = inner
        self.fsync_delay_ms = 0
        """How long each sync waits before it begins, ms."""
        self.fsync_error = False
        """Whether each sync fails with EIO, without reaching the disk."""
        self.write_delay_ms = 0
        """How long each write waits before it begins, ms; in the thread that serves requests."""
        self.write_error = False
        """Whether each write fails with EIO, without reaching the disk."""
        self.disk_full = False
        """Whether each write fails with ENOSPC, without reaching the disk."""
        self.used_percent = 0
        """How full it says that it is; 0: as full as it is."""
        self.delayed_fsyncs = 0
        """Syncs that have waited since the start; tells whoever set the switch that it had an effect."""
        self.failed_fsyncs = 0
        """Syncs that were failed since the start."""
        self.delayed_writes = 0
        """Writes that have waited since the start."""
        self.failed_writes = 0
        """Writes that were failed since the start."""
        self.refused_writes = 0
        """Writes that found it full since the start."""
        self.looks = 0
        """Times since the start that somebody was told an untrue space."""
        self._sleep = sleep
        self._prefix = prefix

    def set(
        self,
        *,
        fsync_delay_ms: int = 0,
        fsync_error: bool = False,
        write_delay_ms: int = 0,
        write_error: bool = False,
        disk_full: bool = False,
        used_percent: int = 0,
    ) -> None:
        """Set all switches; those left out are healthy."""
        self.fsync_delay_ms, self.fsync_error = fsync_delay_ms, fsync_error
        self.write_delay_ms, self.write_error, self.disk_full = write_delay_ms, write_error, disk_full
        self.used_percent = used_percent

    def counts(self) -> dict[str, int]:
        """What the switches have done since the start."""
        return {
            "delayed_fsyncs": self.delayed_fsyncs,
            "failed_fsyncs": self.failed_fsyncs,
            "delayed_writes": self.delayed_writes,
            "failed_writes": self.failed_writes,
            "refused_writes": self.refused_writes,
            "looks": self.looks,
        }

    def open_file(self, name: str) -> File:
        """Open a file; its syncs and writes obey the switches if its name begins with the prefix."""
        file = self.inner.open_file(name)
        return _FaultyFile(file, self) if name.startswith(self._prefix) else file

    def read_file(self, name: str) -> bytes | None:
        """Pass on."""
        return self.inner.read_file(name)

    def replace(self, name: str, data: bytes, *, durable: bool) -> None:
        """Pass on."""
        self.inner.replace(name, data, durable=durable)

    def list(self, prefix: str = "") -> list[str]:
        """Pass on."""
        return self.inner.list(prefix)

    def remove(self, *names: str) -> None:
        """Pass on."""
        self.inner.remove(*names)

    def space(self) -> Space:
        """The truth, or what the switch says."""
        if not self.used_percent:
            return self.inner.space()
        self.looks += 1
        return Space(total=100, used=self.used_percent, usable=100 - self.used_percent)

    def lock(self) -> AbstractContextManager[object]:
        """Pass on."""
        return self.inner.lock()

    def close(self) -> None:
        """Pass on."""
        self.inner.close()

    def before_sync(self, name: str) -> None:
        """Wait and fail as the switches say; the delay is read once, the error after the wait."""
        if self.fsync_delay_ms > 0:
            self.delayed_fsyncs += 1
            self._sleep(self.fsync_delay_ms / 1000)
        if self.fsync_error:
            self.failed_fsyncs += 1
            raise OSError(errno.EIO, "fsync failed (fault injected)", name)

    def before_write(self, name: str) -> None:
        """Wait and fail as the switches say."""
        if self.write_delay_ms > 0:
            self.delayed_writes += 1
            self._sleep(self.write_delay_ms / 1000)
        if self.write_error:
            self.failed_writes += 1
            raise OSError(errno.EIO, "write failed (fault injected)", name)
        if self.disk_full:
            self.refused_writes += 1
            raise OSError(errno.ENOSPC, "no space left (fault injected)", name)


class _FaultyFile:
    """A file whose ``sync``, ``append`` and ``write_at`` ask the disk's switches first."""

    def __init__(self, inner: File, disk: FaultyDisk) -> None:
        self._inner = inner
        self._disk = disk
        self.read = inner.read

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def size(self) -> int:
        return self._inner.size

    @property
    def synced_size(self) -> int:
        return self._inner.synced_size

    def append(self, data: bytes | memoryview) -> int:
        self._disk.before_write(self._inner.name)
        return self._inner.append(data)

    def write_at(self, at: int, data: bytes | memoryview) -> None:
        self._disk.before_write(self._inner.name)
        self._inner.write_at(at, data)

    def truncate(self, size: int) -> None:
        self._inner.truncate(size)

    def sync(self) -> int:
        self._disk.before_sync(self._inner.name)
        return self._inner.sync()

    def close(self) -> None:
        self._inner.close()
