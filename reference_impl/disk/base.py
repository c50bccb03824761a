"""The two protocols the store is written against, and the rule for names. No file system and no policy here.

Thread rule: all methods belong to one thread (the loop's), except ``File.sync`` and ``File.write_at``, which one
other thread may run at the same time as ``File.append``, ``File.read`` and ``Disk.replace``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

TEMPORARY_SUFFIX = ".tmp"
"""A replacement while it is being written."""

EARLIER_SUFFIX = ".prev"
"""The synced version of a replaced file, kept until the replacement is synced."""

RECORD_NAME = "synced.jsonl"
"""The synced record; see the package's docstring."""


class Space(NamedTuple):
    """Bytes of a file system. Some of what is not used may be kept back from users."""

    total: int
    used: int
    usable: int

    @property
    def ratio(self) -> float:
        """Used of what can be used at all, rounded up to whole percent [UtilAll.getDiskPartitionSpaceUsedPercent]."""
        reachable = self.used + self.usable
        return -(-self.used * 100 // reachable) / 100 if reachable > 0 else -1.0


class File(Protocol):
    """One open file. It grows by ``append``; what was synced is never overwritten."""

    @property
    def name(self) -> str:
        """Path below the disk's root, with ``/``."""

    @property
    def size(self) -> int:
        """Bytes appended so far."""

    @property
    def synced_size(self) -> int:
        """Bytes that are known to be on the disk; 0 where nobody wrote that down."""

    def append(self, data: bytes | memoryview) -> int:
        """Write all of ``data`` at the end and return the position it got; on ``OSError`` the size has not changed."""

    def write_at(self, at: int, data: bytes | memoryview) -> None:
        """Write again what an earlier ``append`` put at ``at`` (after a failed sync); ``ValueError`` if that was
        synced or never written.
        """

    def read(self, at: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``at``; fewer at the end of the file. Unsynced bytes are read like any other."""

    def truncate(self, size: int) -> None:
        """Cut the file to ``size`` bytes and sync that at once, so that nothing cut off can come back."""

    def sync(self) -> int:
        """Make the file durable, its name included, and return the bytes covered: at least the size when the call
        began.

        Raises ``OSError``; then nothing is promised about any byte appended or rewritten since the last success,
        even if a later call succeeds: the caller writes them again first (``write_at``).
        """

    def close(self) -> None:
        """Give the handle back. Does not sync."""


class Disk(Protocol):
    """Named files below one root."""

    def open_file(self, name: str) -> File:
        """Open a file for reading and appending, creating it (not durably) with its folders where missing."""

    def read_file(self, name: str) -> bytes | None:
        """All bytes of a small file, or None when there is none."""

    def replace(self, name: str, data: bytes, *, durable: bool) -> None:
        """Put ``data`` in place of a whole small file: a reader, or a crash, sees the earlier or the later version,
        never a mix.

        ``durable=True`` returns only when the later version is on the disk. ``durable=False`` survives a kill, and
        a power cut brings back the version that was durable last. Raises ``OSError``; then the earlier version is
        still in place or will be after a cut.
        """

    def list(self, prefix: str = "") -> list[str]:
        """Names that begin with ``prefix``, sorted; the disk's own helper files are left out."""

    def remove(self, *names: str) -> None:
        """Remove files durably; names that do not exist are skipped."""

    def space(self) -> Space:
        """How full the file system is."""

    def lock(self) -> AbstractContextManager[object]:
        """A new lock for whoever shares state between the thread that syncs and the thread that owns the files."""

    def close(self) -> None:
        """Give all handles of the disk itself back (open files are closed by who opened them)."""


def check_name(name: str) -> str:
    """Return ``name`` if it is a plain relative path that the disk does not use itself; ``ValueError`` otherwise."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or "\x00" in name:
        raise ValueError(f"file name {name!r}: use a relative path such as 'config/topics.json', without '..'")
    if name == RECORD_NAME or name.endswith((TEMPORARY_SUFFIX, EARLIER_SUFFIX)):
        own = f"{TEMPORARY_SUFFIX}, {EARLIER_SUFFIX} and {RECORD_NAME}"
        raise ValueError(f"file name {name!r}: the disk keeps {own} for itself; choose another name")
    return name
