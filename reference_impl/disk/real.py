"""The real file system below one folder, with the record of what was synced. The record's format: the package's
docstring.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from reference_impl.disk.base import EARLIER_SUFFIX, RECORD_NAME, TEMPORARY_SUFFIX, File, Space, check_name

RECORD_BYTES_MAX = 4 << 20
"""Length at which ``synced.jsonl`` is written anew, with one line for each file; ours."""

_CREATE_MODE = 0o644


class RealDisk:
    """Files below ``root``. With ``record`` each sync is written down in ``<root>/synced.jsonl`` before it is reported.

    Without it nothing is recorded and no earlier versions are kept: for users who will never cut the power.
    """

    def __init__(self, root: Path, record: bool = True) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self._settled_folders: set[Path] = set()
        self._record = _SyncedRecord(root) if record else None

    def open_file(self, name: str) -> File:
        """Open a file for reading and appending (see ``Disk.open_file``)."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _CREATE_MODE)
        return _RealFile(self, name, handle)

    def read_file(self, name: str) -> bytes | None:
        """All bytes of a small file, or None when there is none."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, name: str, data: bytes, *, durable: bool) -> None:
        """Replace a whole file (see ``Disk.replace``): temporary file, fsync, rename, fsync of the folder; the
        syncs only if durable.
        """
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
        self._write_temporary(temporary, data, durable)
        if self._record is not None:
            self._record.replacing(name)
        temporary.replace(path)
        if durable:
            self.settle_name(name)
            if self._record is not None:
                self._record.replaced(name, len(data))

    def list(self, prefix: str = "") -> list[str]:
        """Names that begin with ``prefix``, sorted."""
        found = []
        for folder, _, files in os.walk(self.root):
            relative = Path(folder).relative_to(self.root)
            found += [(relative / file).as_posix() for file in files]
        own = (TEMPORARY_SUFFIX, EARLIER_SUFFIX)
        return sorted(
            name for name in found if name.startswith(prefix) and not name.endswith(own) and name != RECORD_NAME
        )

    def remove(self, *names: str) -> None:
        """Remove files durably, with one sync per folder."""
        gone = []
        for name in names:
            try:
                self._path(name).unlink()
            except FileNotFoundError:
                continue
            gone.append(name)
        for folder in {self._path(name).parent for name in gone}:
            _sync_folder(folder)
        if self._record is not None:
            for name in gone:
                self._record.removed(name)

    def space(self) -> Space:
        """How full the file system is that holds the root."""
        found = os.statvfs(self.root)
        used = found.f_blocks - found.f_bfree
        return Space(found.f_blocks * found.f_frsize, used * found.f_frsize, found.f_bavail * found.f_frsize)

    def lock(self) -> AbstractContextManager[object]:
        """A lock between threads: real syncs run in one of their own."""
        return threading.Lock()

    def close(self) -> None:
        """Close the record."""
        if self._record is not None:
            self._record.close()

    def settle_name(self, name: str) -> None:
        """Sync the folder that holds ``name`` and, the first time, the folders above it up to the root."""
        folder = self._path(name).parent
        _sync_folder(folder)
        while folder not in self._settled_folders and folder != self.root:
            self._settled_folders.add(folder)
            folder = folder.parent
            _sync_folder(folder)

    def synced(self, name: str, synced_bytes: int) -> None:
        """Write down that the first ``synced_bytes`` of ``name`` are on the disk. Called by the files after their
        fsync.
        """
        if self._record is not None:
            self._record.synced(name, synced_bytes)

    def synced_bytes(self, name: str) -> int:
        """How many bytes of ``name`` the record says are on the disk; 0 without a record."""
        return self._record.state.get(name, 0) if self._record is not None else 0

    def _path(self, name: str) -> Path:
        return self.root / check_name(name)

    @staticmethod
    def _write_temporary(temporary: Path, data: bytes, durable: bool) -> None:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _CREATE_MODE)
        try:
            _write_all(handle, data, 0)
            if durable:
                os.fsync(handle)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)


class _RealFile:
    """An open file, written at offsets it keeps itself: ``O_APPEND`` would send the rewriting after a failed sync
    to the end.
    """

    def __init__(self, disk: RealDisk, name: str, handle: int) -> None:
        self._disk = disk
        self._name = name
        self._handle = handle
        self._size = os.fstat(handle).st_size
        self._synced = min(disk.synced_bytes(name), self._size)
        self._settled = self._synced > 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def size(self) -> int:
        return self._size

    @property
    def synced_size(self) -> int:
        return self._synced

    def append(self, data: bytes | memoryview) -> int:
        at = self._size
        try:
            _write_all(self._handle, data, at)
        except OSError:
            os.ftruncate(self._handle, at)
            raise
        self._size = at + len(data)
        return at

    def write_at(self, at: int, data: bytes | memoryview) -> None:
        if at < self._synced or at + len(data) > self._size:
            raise ValueError(f"{self._name}: {at}+{len(data)} is not within the unsynced {self._synced}..{self._size}")
        _write_all(self._handle, data, at)

    def read(self, at: int, size: int) -> bytes:
        return os.pread(self._handle, size, at)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._handle, size)
        self._size = size
        self._synced = min(self._synced, size)
        self.sync()

    def sync(self) -> int:
        covered = self._size
        # Everything but the times of the file, which no recovery needs: half the price of a full fsync.
        os.fdatasync(self._handle)
        if not self._settled:
            self._disk.settle_name(self._name)
            self._settled = True
        self._disk.synced(self._name, covered)
        self._synced = covered
        return covered

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class _SyncedRecord:
    """``synced.jsonl``: read, brought in line with the files and shortened at start; appended to from then on, and
    shortened again when it is long.

    ``state`` maps each file that has a durable version to that version's bytes. The thread that syncs and the thread
    that replaces tables may both write.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.state: dict[str, int] = {}
        self._volatile: set[str] = set()
        self._lock = threading.Lock()
        for line in _lines(root / RECORD_NAME):
            self._replay(line)
        self._reconcile()
        self._handle = self._rewrite()
        self._bytes = 0

    def synced(self, name: str, synced_bytes: int) -> None:
        with self._lock:
            self._append({"file": name, "synced_bytes": synced_bytes})
            self.state[name] = synced_bytes

    def replacing(self, name: str) -> None:
        """Keep the durable version, if there is one and it is still in place, before a rename puts another over it."""
        with self._lock:
            if name not in self.state or name in self._volatile:
                return
            earlier = self._earlier(name)
            earlier.unlink(missing_ok=True)
            os.link(self._root / name, earlier)
            self._append({"file": name, "synced_bytes": self.state[name], "replacing": True})
            self._volatile.add(name)

    def replaced(self, name: str, synced_bytes: int) -> None:
        with self._lock:
            self._append({"file": name, "synced_bytes": synced_bytes, "replaced": True})
            self.state[name] = synced_bytes
            self._drop_earlier(name)

    def removed(self, name: str) -> None:
        with self._lock:
            self._append({"file": name, "removed": True})
            self.state.pop(name, None)
            self._drop_earlier(name)

    def _drop_earlier(self, name: str) -> None:
        if name in self._volatile:
            self._volatile.discard(name)
            self._earlier(name).unlink(missing_ok=True)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _earlier(self, name: str) -> Path:
        path = self._root / name
        return path.with_name(path.name + EARLIER_SUFFIX)

    def _replay(self, line: dict[str, Any]) -> None:
        name = str(line["file"])
        self._volatile.discard(name)
        if line.get("removed"):
            self.state.pop(name, None)
            return
        self.state[name] = int(line["synced_bytes"])
        if line.get("replacing"):
            self._volatile.add(name)

    def _reconcile(self) -> None:
        """Follow what happened between the last line and the end of the process that wrote it, or by a power cut
        since.
        """
        for name in list(self.state):
            if name in self._volatile and self._earlier(name).exists():
                continue
            self._volatile.discard(name)
            try:
                actual = (self._root / name).stat().st_size
            except FileNotFoundError:
                del self.state[name]
                continue
            self.state[name] = min(self.state[name], actual)
        kept = {self._earlier(name) for name in self._volatile}
        for pattern in (f"*{TEMPORARY_SUFFIX}", f"*{EARLIER_SUFFIX}"):
            for waste in self._root.rglob(pattern):
                if waste not in kept:
                    waste.unlink()

    def _rewrite(self) -> int:
        lines: list[dict[str, Any]] = []
        for name, synced_bytes in self.state.items():
            lines.append({"file": name, "synced_bytes": synced_bytes})
            if name in self._volatile:
                lines[-1]["replacing"] = True
        path = self._root / RECORD_NAME
        temporary = path.with_name(RECORD_NAME + TEMPORARY_SUFFIX)
        temporary.write_bytes(b"".join(_line(line) for line in lines))
        temporary.replace(path)
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def _append(self, line: dict[str, Any]) -> None:
        if self._bytes > RECORD_BYTES_MAX:
            long, self._handle = self._handle, self._rewrite()
            os.close(long)
            self._bytes = 0
        data = _line(line)
        if os.write(self._handle, data) != len(data):
            raise OSError(errno.ENOSPC, "the synced record could not be written whole", RECORD_NAME)
        self._bytes += len(data)


def _line(line: dict[str, Any]) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        whole = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [msgspec.json.decode(line) for line in whole]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes | memoryview, at: int) -> None:
    """Write all of ``data`` at ``at``; one system call unless the file system takes less."""
    written = os.pwrite(handle, data, at)
    while written < len(data):
        written += os.pwrite(handle, memoryview(data)[written:], at + written)
