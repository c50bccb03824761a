"""A volume as a mounted file system: FUSE's calls, one at a time, handed to the model.

Only the waiting of a slow fsync or write goes on outside the lock, so that a slow disk holds up those who wait for it
and nobody else.
Imports mfusepy, which needs libfuse 3: only the process of ``python -m mqcheck.disks`` does.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import mfusepy

from mqcheck.disks.backing import FolderBacking, load_volume, save_tree
from mqcheck.disks.model import File, Folder, Model, Volume
from mqcheck.disks.switches import Switches

CACHE_SECONDS: Final = 3600
"""How long the kernel may believe what it was told of names and sizes: nobody but the kernel changes them."""

_Call = TypeVar("_Call", bound=Callable[..., Any])


def _locked(call: _Call) -> _Call:
    """One call at a time; none after the cut; errors as FUSE wants them."""

    @functools.wraps(call)
    def wrapped(self: HeldFiles, *arguments: Any) -> Any:
        with self.turn():
            return call(self, *arguments)

    return wrapped  # type: ignore[return-value]


class HeldFiles(mfusepy.Operations):  # type: ignore[misc]
    """What the kernel asks, and the orders of the control channel."""

    use_ns = True

    def __init__(self, root: Path, model: Model, switches: Switches, mounted: Callable[[], None]) -> None:
        """`root`: where the durable part is kept; `mounted` is called once the kernel has it. Raises OSError."""
        self._root = root
        self._switches = switches
        self._mounted = mounted
        self._lock = threading.Lock()
        self._halted = threading.Event()
        self._dead = False
        self._volume: Volume
        self._backing: FolderBacking
        self._volume, self._backing = load_volume(root, model, _now_ms())
        self._handles: dict[int, tuple[File, str]] = {}
        self._last_handle = 0

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the lock; after the cut every call fails with EIO."""
        with self._lock:
            if self._dead:
                raise mfusepy.FuseOSError(errno.EIO)
            if not self._halted.is_set():
                self._volume.advance(_now_ms())
            try:
                yield
            except OSError as error:
                raise mfusepy.FuseOSError(error.errno or errno.EIO) from None

    # --- orders -----------------------------------------------------------------------------------------------------

    def order_disk(self, **switches: int) -> dict[str, int]:
        """Set the switches (those left out: healthy); what was counted since the mount. Raises TypeError."""
        with self._lock:
            self._switches = self._switches.told(**switches)
            return self._switches.counts.told()

    def order_halt(self) -> dict[str, Any]:
        """From now on nothing gets durable any more: fsyncs fail with EIO, also those that wait. Writes are held.

        Between this and the cut the kernel can be told to hand over what it has not written yet.
        """
        with self._lock:
            self._volume.advance(_now_ms())
            self._halted.set()
        return {}

    def order_cut(self, seed: int, torn: bool) -> dict[str, Any]:
        """The power fails; what was lost. Every later call fails, and ``tree`` has what is left."""
        with self._lock:
            if self._dead:
                raise ValueError("the power of this disk is cut already")
            losses = self._volume.cut(random.Random(seed), torn=torn)  # noqa: S311 - a plan, not a secret
            self._halted.set()
            self._dead = True
            self._backing.close()
            save_tree(self._volume, self._root)
        return {
            "unsynced_bytes_dropped": losses.bytes_dropped,
            "torn_bytes_kept": losses.bytes_torn,
            "files_removed": losses.files_removed,
            "files_restored": losses.files_restored,
            "by_file": losses.by_file,
            "fsyncs": self._switches.counts.fsyncs,
            "counts": self._switches.counts.told(),
        }

    def save(self) -> None:
        """After an unmount without a cut: everything is durable, and in ``tree``. Raises OSError."""
        with self._lock:
            if not self._dead:
                self._volume.sync_all()
                self._backing.close()
                save_tree(self._volume, self._root)

    # --- the kernel's calls: names ----------------------------------------------------------------------------------

    def init(self, path: str) -> None:
        """The kernel has mounted it."""
        self._mounted()

    @_locked
    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """Stat."""
        entry = self._handles[fh][0] if fh in self._handles else self._volume.find(path)
        found = {
            "st_mode": entry.mode,
            "st_ino": entry.number,
            "st_uid": os.getuid(),
            "st_gid": os.getgid(),
            "st_mtime": entry.changed_ns,
            "st_atime": entry.changed_ns,
            "st_ctime": entry.changed_ns,
        }
        if isinstance(entry, Folder):
            return {**found, "st_nlink": 2}
        return {**found, "st_nlink": entry.names, "st_size": entry.size, "st_blocks": -(-entry.size // 512)}

    @_locked
    def readdir(self, path: str, fh: int) -> list[str]:
        """Names."""
        return [".", "..", *self._volume.folder(path).entries]

    @_locked
    def mkdir(self, path: str, mode: int) -> int:
        """A new folder."""
        self._volume.mkdir(path, mode, time.time_ns())
        return 0

    @_locked
    def rmdir(self, path: str) -> int:
        """An empty folder goes."""
        self._volume.rmdir(path)
        return 0

    @_locked
    def unlink(self, path: str) -> int:
        """A name goes."""
        self._volume.unlink(path)
        return 0

    @_locked
    def rename(self, old: str, new: str) -> int:
        """Another name."""
        self._volume.rename(old, new)
        return 0

    @_locked
    def link(self, target: str, source: str) -> int:
        """One more name: `target` for `source`, as mfusepy calls them."""
        self._volume.link(source, target)
        return 0

    @_locked
    def chmod(self, path: str, mode: int) -> int:
        """Rights: kept, and durable at once."""
        entry = self._volume.find(path)
        entry.mode = entry.mode & ~0o7777 | mode & 0o7777
        return 0

    @_locked
    def chown(self, path: str, uid: int, gid: int) -> int:
        """Everything belongs to whoever mounted it."""
        self._volume.find(path)
        return 0

    @_locked
    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        """Time of the last change."""
        self._volume.find(path).changed_ns = time.time_ns() if times is None else times[1]
        return 0

    @_locked
    def statfs(self, path: str) -> dict[str, int]:
        """How full the file system below is."""
        found = os.statvfs(self._root)
        told = {
            key: getattr(found, key)
            for key in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_namemax")
        }
        return {**told, **self._switches.free(found.f_blocks)}

    # --- the kernel's calls: bytes ----------------------------------------------------------------------------------

    @_locked
    def create(self, path: str, mode: int, fi: Any = None) -> int:
        """A new file, opened."""
        return self._opened(self._volume.create(path, mode, time.time_ns()), path)

    @_locked
    def open(self, path: str, flags: int) -> int:
        """An opened file."""
        file = self._volume.file(path)
        if flags & os.O_TRUNC:
            self._volume.truncate(file, 0, time.time_ns())
        return self._opened(file, path)

    @_locked
    def release(self, path: str, fh: int) -> int:
        """Nobody holds this handle any more."""
        file, _ = self._handles.pop(fh)
        self._volume.close(file)
        return 0

    @_locked
    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Bytes."""
        return self._volume.read(self._handles[fh][0], offset, size)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Bytes, held, as the switches let."""
        with self.turn():
            file, name = self._handles[fh]
            delay_ms = self._switches.before_write(name)
        if delay_ms:
            self._halted.wait(delay_ms / 1000)
        with self.turn():
            self._switches.check_write(name)
            return self._volume.write(file, offset, data, time.time_ns())

    @_locked
    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Another size."""
        file = self._handles[fh][0] if fh in self._handles else self._volume.file(path)
        self._volume.truncate(file, length, time.time_ns())
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        """Make a file durable, as the switches let."""
        with self.turn():
            file, name = self._handles[fh]
            delay_ms = self._switches.before_fsync(name)
        if delay_ms:
            self._halted.wait(delay_ms / 1000)
        with self.turn():
            if self._halted.is_set():
                raise OSError(errno.EIO, "the power fails", name)
            self._switches.check_fsync(name)
            self._volume.fsync(file)
        return 0

    @_locked
    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        """Make a folder's names durable."""
        if self._halted.is_set():
            raise OSError(errno.EIO, "the power fails", path)
        self._volume.fsync_folder(self._volume.folder(path))
        return 0

    def _opened(self, file: File, path: str) -> int:
        self._volume.open(file)
        self._last_handle += 1
        self._handles[self._last_handle] = file, path
        return self._last_handle


def serve(files: HeldFiles, mountpoint: Path) -> None:
    """Mount, and serve until it is unmounted. Raises OSError or RuntimeError when it cannot be mounted."""
    mfusepy.FUSE(
        files,
        str(mountpoint),
        foreground=True,
        nothreads=False,
        fsname="mqcheck",
        hard_remove=True,
        kernel_cache=True,
        attr_timeout=CACHE_SECONDS,
        entry_timeout=CACHE_SECONDS,
    )


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
