"""The durable part of a volume on a real file system: a folder as programs know it, numbered files while it is used.

While a volume is mounted its files are ``objects/<number>``; before and after they are ``tree/<path>``. Nothing is
synced: this host is not the one whose power is cut.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from mqcheck.disks.model import File, Folder, Model, Volume, walk

TREE: Final = "tree"
OBJECTS: Final = "objects"


class FolderBacking:
    """See `model.Backing`; one open descriptor for each file that was touched."""

    def __init__(self, objects: Path) -> None:
        self._objects = objects
        self._open: dict[int, int] = {}

    def read(self, number: int, at: int, size: int) -> bytes:
        """Up to `size` bytes."""
        return os.pread(self._handle(number), size, at)

    def write(self, number: int, at: int, data: bytes) -> None:
        """All of `data`."""
        handle = self._handle(number)
        written = os.pwrite(handle, data, at)
        while written < len(data):
            written += os.pwrite(handle, memoryview(data)[written:], at + written)

    def truncate(self, number: int, size: int) -> None:
        """Cut or lengthen; a hole costs nothing."""
        os.ftruncate(self._handle(number), size)

    def close(self) -> None:
        """Give the descriptors back."""
        for handle in self._open.values():
            os.close(handle)
        self._open.clear()

    def _handle(self, number: int) -> int:
        handle = self._open.get(number)
        if handle is None:
            path = self._objects / str(number)
            handle = self._open[number] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return handle


def load_volume(root: Path, model: Model, now_ms: int) -> tuple[Volume, FolderBacking]:
    """The volume whose durable part is ``root/tree``; an empty one where there is none. Raises OSError."""
    tree, objects = root / TREE, root / OBJECTS
    tree.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(objects, ignore_errors=True)
    objects.mkdir()
    backing = FolderBacking(objects)
    volume = Volume(backing, model, now_ms=now_ms)
    _load(volume, volume.root, tree, objects)
    return volume, backing


def _load(volume: Volume, folder: Folder, path: Path, objects: Path) -> None:
    for each in sorted(path.iterdir()):
        status = each.lstat()
        size = None if each.is_dir() else status.st_size
        entry = volume.load(folder, each.name, size, status.st_mode, status.st_mtime_ns)
        if isinstance(entry, Folder):
            _load(volume, entry, each, objects)
        else:
            os.link(each, objects / str(entry.number))


def save_tree(volume: Volume, root: Path) -> None:
    """Make ``root/tree`` what is durable now; the volume is not used any more. Raises OSError."""
    new, tree, objects = root / f"{TREE}.new", root / TREE, root / OBJECTS
    new.mkdir()
    for path, entry in walk(volume.root, durable=True):
        place = new / path.lstrip("/")
        if isinstance(entry, File):
            # An object that nobody touched was never opened: it is there all the same, linked when it was loaded.
            os.truncate(objects / str(entry.number), entry.durable_size)
            os.link(objects / str(entry.number), place)
            os.chmod(place, entry.mode & 0o777)
        else:
            place.mkdir(exist_ok=True)
    shutil.rmtree(tree)
    new.rename(tree)
    shutil.rmtree(objects)
