"""A disk in memory that can crash: what the simulation and the recovery tests run on. One thread; no clock and no
randomness of its own.
"""

from __future__ import annotations

import errno
import random
from contextlib import AbstractContextManager, nullcontext

from msgspec import Struct, field

from reference_impl.disk.base import File, Space, check_name

SPACE_BYTES = 1 << 40
"""What the disk says it could hold."""


class _Image(Struct):
    """One file: what the page cache holds and what the disk holds."""

    cached: bytearray = field(default_factory=bytearray)
    """What a reader sees; survives a kill."""
    durable: bytearray | None = None
    """What survives a power cut; None while not even the name is durable."""
    dirty: list[tuple[int, int]] = field(default_factory=list)
    """Ranges (from, to) written since the last sync, successful or not; only these are written by the next one."""


class MemoryDisk:
    """Keeps each file twice: as the page cache has it, and as the disk has it.

    A failed sync loses its dirty pages as Linux does: the reader still sees the bytes, the next sync succeeds
    without writing them, and only those who write them again have them on the disk.
    """

    def __init__(self) -> None:
        self._images: dict[str, _Image] = {}
        self._life = 0
        self._failing_syncs = 0

    @property
    def life(self) -> int:
        """Number of crashes so far; files opened in an earlier life are dead."""
        return self._life

    def fail_syncs(self, count: int) -> None:
        """Let the next ``count`` file syncs fail with EIO and lose their dirty pages."""
        self._failing_syncs = count

    def crash(self, *, power: bool, rng: random.Random, torn: bool = False) -> int:
        """End this life and return the number of bytes lost. A kill (``power=False``) loses none.

        ``torn``: a random part of what was appended since the last sync reaches the disk, in order, as a prefix.
        """
        self._life += 1
        if not power:
            return 0
        lost = 0
        for name, image in list(self._images.items()):
            kept = bytearray() if image.durable is None else image.durable
            before = len(image.cached)
            # A replaced file is whole in either version, and a file that was never synced has no name on the disk.
            if torn and image.dirty and image.durable is not None and before > len(kept):
                kept += image.cached[len(kept) : rng.randint(len(kept), before)]
            lost += max(0, before - len(kept))
            if image.durable is None and not kept:
                del self._images[name]
            else:
                self._images[name] = _Image(bytearray(kept), kept)
        return lost

    def open_file(self, name: str) -> File:
        """Open a file for reading and appending (see ``Disk.open_file``)."""
        return _MemoryFile(self, check_name(name), self._images.setdefault(name, _Image()))

    def read_file(self, name: str) -> bytes | None:
        """All bytes of a small file, or None when there is none."""
        image = self._images.get(check_name(name))
        return None if image is None else bytes(image.cached)

    def replace(self, name: str, data: bytes, *, durable: bool) -> None:
        """Replace a whole file; the durable version changes only if ``durable``."""
        earlier = self._images.get(check_name(name))
        kept = None if earlier is None else earlier.durable
        self._images[name] = _Image(bytearray(data), bytearray(data) if durable else kept)

    def list(self, prefix: str = "") -> list[str]:
        """Names that begin with ``prefix``, sorted."""
        return sorted(name for name in self._images if name.startswith(prefix))

    def remove(self, *names: str) -> None:
        """Remove files durably."""
        for name in names:
            self._images.pop(check_name(name), None)

    def space(self) -> Space:
        """SPACE_BYTES, of which the files use what they hold."""
        used = sum(len(image.cached) for image in self._images.values())
        return Space(SPACE_BYTES, used, SPACE_BYTES - used)

    def lock(self) -> AbstractContextManager[object]:
        """Nothing to hold off: this disk has one thread."""
        return nullcontext()

    def close(self) -> None:
        """Nothing to give back."""

    def take_sync_failure(self) -> bool:
        """Whether the sync that asks is to fail; counts down what ``fail_syncs`` was told."""
        if self._failing_syncs == 0:
            return False
        self._failing_syncs -= 1
        return True


class _MemoryFile:
    """A handle on an image; dead after the disk has crashed."""

    def __init__(self, disk: MemoryDisk, name: str, image: _Image) -> None:
        self._disk = disk
        self._name = name
        self._image = image
        self._life = disk.life

    @property
    def name(self) -> str:
        return self._name

    @property
    def size(self) -> int:
        return len(self._image.cached)

    @property
    def synced_size(self) -> int:
        return len(self._image.durable or b"")

    def append(self, data: bytes | memoryview) -> int:
        self._check_alive()
        at = len(self._image.cached)
        self._image.cached += data
        self._image.dirty.append((at, at + len(data)))
        return at

    def write_at(self, at: int, data: bytes | memoryview) -> None:
        self._check_alive()
        end = at + len(data)
        if at < self.synced_size or end > len(self._image.cached):
            raise ValueError(f"{self._name}: bytes {at}..{end} are not within the unsynced part")
        self._image.cached[at:end] = data
        self._image.dirty.append((at, end))

    def read(self, at: int, size: int) -> bytes:
        self._check_alive()
        return bytes(self._image.cached[at : at + size])

    def truncate(self, size: int) -> None:
        self._check_alive()
        del self._image.cached[size:]
        self._image.dirty = [(start, min(end, size)) for start, end in self._image.dirty if start < size]
        if self._image.durable is not None:
            del self._image.durable[size:]
        self.sync()

    def sync(self) -> int:
        self._check_alive()
        image = self._image
        dirty, image.dirty = image.dirty, []
        if self._disk.take_sync_failure():
            raise OSError(errno.EIO, "fsync failed", self._name)
        durable = bytearray() if image.durable is None else image.durable
        durable += bytes(len(image.cached) - len(durable))
        for start, end in dirty:
            durable[start:end] = image.cached[start:end]
        image.durable = durable
        return len(durable)

    def close(self) -> None:
        """A handle in memory needs no closing."""

    def _check_alive(self) -> None:
        if self._life != self._disk.life:
            raise OSError(errno.EIO, "the disk has crashed since this file was opened", self._name)
