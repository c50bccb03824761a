"""What a disk holds, what of it is durable, and what a loss of power leaves. Pure: time and randomness are arguments.

The **live** volume is what programs see; the **durable** one is what a cut leaves. Data is written in pages that are
held in memory until something makes them durable; durable bytes are kept by a `Backing`. How much is durable when is
the `Model`'s:

============  ============================================  ===============================================
model         bytes and sizes                               names
============  ============================================  ===============================================
ext4-like     by fsync of that file. A size that was set    by any fsync, and every 5 s
              by truncate goes with the names. A file that
              replaces another by rename, or was truncated
              to nothing and closed, is written before
strict-size   by fsync of that file                         at once
strict-posix  by fsync of that file                         by fsync of their folder
============  ============================================  ===============================================

Held data never gets durable by itself: the worst that the rules allow. Sources: ext4 (data=ordered, delayed
allocation, auto_da_alloc, commit=5); POSIX fsync.
"""

from __future__ import annotations

import errno
import random
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

Model = Literal["ext4-like", "strict-size", "strict-posix"]

MODELS: Final[tuple[Model, ...]] = ("ext4-like", "strict-size", "strict-posix")
"""The first is the default."""

PAGE_BYTES: Final = 4096
"""What the kernel writes at a time."""

SECTOR_BYTES: Final = 512
"""What a disk writes whole or not at all: where a torn write ends."""

COMMIT_MS: Final = 5_000
"""How often ext4 commits its journal (mount option commit=5)."""

FILES_SHOWN_MAX: Final = 20
"""Files that an effect lists one by one; the sums count all of them. Ours."""

NAME_BYTES_MAX: Final = 255
"""Longest name of a file, as Linux has it."""


class Backing(Protocol):
    """Durable bytes by number of the file; nothing is held back here."""

    def read(self, number: int, at: int, size: int) -> bytes:
        """Up to `size` bytes; fewer at the file's end."""
        ...

    def write(self, number: int, at: int, data: bytes) -> None:
        """Put bytes there; what lies between the end and `at` reads as zeros."""
        ...

    def truncate(self, number: int, size: int) -> None:
        """Cut or lengthen; what is new reads as zeros."""
        ...


@dataclass(slots=True, eq=False)
class File:
    """A file, whatever its names."""

    number: int
    mode: int
    changed_ns: int = 0
    size: int = 0
    durable_size: int = 0
    """Bytes that the backing has."""
    valid: int = 0
    """Live bytes from the beginning that are the backing's, where no page is held; beyond there are zeros."""
    pages: dict[int, bytes | bytearray] = field(default_factory=dict)
    """Held pages by their number."""
    set_size: int | None = None
    """What the last truncate made its size, until that is durable."""
    emptied: bool = False
    """Truncated to nothing and not closed since."""
    names: int = 0
    opened: int = 0


@dataclass(slots=True, eq=False)
class Folder:
    """A folder and both versions of its list of names."""

    number: int
    mode: int
    changed_ns: int = 0
    entries: dict[str, File | Folder] = field(default_factory=dict)
    durable: dict[str, File | Folder] = field(default_factory=dict)


Entry = File | Folder


@dataclass(slots=True)
class Losses:
    """What a cut took away."""

    bytes_dropped: int = 0
    """Held bytes that are gone."""
    bytes_torn: int = 0
    """Held bytes that had reached the disk all the same."""
    files_removed: int = 0
    """Names that there were and are no more."""
    files_restored: int = 0
    """Names of an earlier file, or of one that had been removed."""
    by_file: dict[str, int] = field(default_factory=dict)

    def lose(self, path: str, size: int) -> None:
        """Count bytes of one file."""
        self.bytes_dropped += size
        if size and len(self.by_file) < FILES_SHOWN_MAX:
            self.by_file[path] = size


class Volume:
    """Both versions of one file system. Methods raise OSError as the system calls of the same name do."""

    def __init__(self, backing: Backing, model: Model, *, now_ms: int = 0) -> None:
        self.model = model
        self._backing = backing
        self._numbers = 0
        self._committed_ms = now_ms
        self.root = Folder(self._next(), stat.S_IFDIR | 0o755)
        self._set_sizes: set[File] = set()
        self._renamed_in: set[Folder] = set()

    # --- names ------------------------------------------------------------------------------------------------------

    def find(self, path: str) -> Entry:
        """What is live at an absolute path."""
        here: Entry = self.root
        for name in _parts(path):
            if not isinstance(here, Folder):
                raise OSError(errno.ENOTDIR, "not a folder", path)
            try:
                here = here.entries[name]
            except KeyError:
                raise OSError(errno.ENOENT, "no such file", path) from None
        return here

    def folder(self, path: str) -> Folder:
        """The folder there."""
        found = self.find(path)
        if not isinstance(found, Folder):
            raise OSError(errno.ENOTDIR, "not a folder", path)
        return found

    def file(self, path: str) -> File:
        """The file there."""
        found = self.find(path)
        if not isinstance(found, File):
            raise OSError(errno.EISDIR, "a folder", path)
        return found

    def create(self, path: str, mode: int, now_ns: int) -> File:
        """A new empty file."""
        folder, name = self._place(path)
        file = File(self._next(), stat.S_IFREG | stat.S_IMODE(mode), now_ns)
        self._backing.truncate(file.number, 0)
        self._name(folder, name, file)
        return file

    def mkdir(self, path: str, mode: int, now_ns: int) -> None:
        """A new empty folder."""
        folder, name = self._place(path)
        self._name(folder, name, Folder(self._next(), stat.S_IFDIR | stat.S_IMODE(mode), now_ns))

    def link(self, path: str, new: str) -> None:
        """One more name for a file."""
        file = self.file(path)
        folder, name = self._place(new)
        self._name(folder, name, file)

    def unlink(self, path: str) -> None:
        """Take a file's name away."""
        self.file(path)
        self._unname(*self._parent(path))

    def rmdir(self, path: str) -> None:
        """Take an empty folder away."""
        if self.folder(path).entries:
            raise OSError(errno.ENOTEMPTY, "the folder is not empty", path)
        self._unname(*self._parent(path))

    def rename(self, old: str, new: str) -> None:
        """Give it another name; a file (or empty folder) that has it loses it."""
        entry = self.find(old)
        old_folder, old_name = self._parent(old)
        new_folder, new_name = self._parent(new)
        there = new_folder.entries.get(new_name)
        if there is entry:
            return
        if isinstance(entry, Folder) and (new + "/").startswith(old + "/"):
            raise OSError(errno.EINVAL, "a folder cannot be moved into itself", new)
        if there is not None:
            if isinstance(there, Folder) != isinstance(entry, Folder):
                raise OSError(errno.EISDIR if isinstance(there, Folder) else errno.ENOTDIR, "of another kind", new)
            if isinstance(there, Folder) and there.entries:
                raise OSError(errno.ENOTEMPTY, "the folder is not empty", new)
            if isinstance(entry, File) and self.model == "ext4-like":
                self._store(entry)
            self._unname(new_folder, new_name)
        self._name(new_folder, new_name, entry)
        self._unname(old_folder, old_name)

    # --- bytes ------------------------------------------------------------------------------------------------------

    def open(self, file: File) -> None:
        """One more holder."""
        file.opened += 1

    def close(self, file: File) -> None:
        """One holder less; what an emptied file was filled with is written by ext4."""
        file.opened -= 1
        if file.emptied and self.model == "ext4-like":
            self._store(file)
        file.emptied = False
        self._forget(file)

    def read(self, file: File, at: int, size: int) -> bytes:
        """Live bytes; fewer at the end."""
        size = min(size, file.size - at)
        if size <= 0:
            return b""
        found = self._backing.read(file.number, at, min(size, file.valid - at)) if at < file.valid else b""
        first, last = at // PAGE_BYTES, (at + size - 1) // PAGE_BYTES
        held = [page for page in range(first, last + 1) if page in file.pages] if file.pages else []
        if not held:
            return found if len(found) == size else found + bytes(size - len(found))
        whole = bytearray(size)
        whole[: len(found)] = found
        for page in held:
            begin = page * PAGE_BYTES - at
            data = file.pages[page]
            whole[max(0, begin) : min(size, begin + PAGE_BYTES)] = data[max(0, -begin) : min(PAGE_BYTES, size - begin)]
        return bytes(whole)

    def write(self, file: File, at: int, data: bytes, now_ns: int) -> int:
        """Hold bytes."""
        begin, end = at, at + len(data)
        while at < end:
            page, offset = divmod(at, PAGE_BYTES)
            size = min(PAGE_BYTES - offset, end - at)
            piece = data[at - begin : at - begin + size]
            if size == PAGE_BYTES:
                file.pages[page] = piece
            else:
                self._own_page(file, page)[offset : offset + size] = piece
            at += size
        file.size = max(file.size, end)
        file.changed_ns = now_ns
        return len(data)

    def truncate(self, file: File, size: int, now_ns: int) -> None:
        """Cut or lengthen; what is new reads as zeros."""
        if size < file.size:
            kept = -(-size // PAGE_BYTES)
            for page in [page for page in file.pages if page >= kept]:
                del file.pages[page]
            if size % PAGE_BYTES and kept - 1 in file.pages:
                last = self._own_page(file, kept - 1)
                last[size % PAGE_BYTES :] = bytes(PAGE_BYTES - size % PAGE_BYTES)
            file.valid = min(file.valid, size)
        if size == 0 and file.size:
            file.emptied = True
        file.size = file.set_size = size
        file.changed_ns = now_ns
        self._set_sizes.add(file)

    # --- what makes durable -----------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """Time has come to `now_ms`: what gets durable by itself until then. To be called before every other act."""
        if self.model == "ext4-like" and now_ms - self._committed_ms >= COMMIT_MS:
            self._committed_ms = now_ms
            self._commit()

    def fsync(self, file: File) -> None:
        """Make a file durable."""
        self._store(file)
        if self.model == "ext4-like":
            self._commit()

    def fsync_folder(self, folder: Folder) -> None:
        """Make a folder's names durable."""
        if self.model == "ext4-like":
            self._commit()
        else:
            self._settle_names(folder)

    def sync_all(self) -> None:
        """Make everything durable, as a clean unmount does."""
        for _, entry in walk(self.root):
            if isinstance(entry, File):
                self._store(entry)
            else:
                self._settle_names(entry)

    def load(self, folder: Folder, name: str, size: int | None, mode: int, now_ns: int) -> Entry:
        """Something that is durable already; `size` None: a folder. The caller puts a file's bytes in the backing."""
        if size is None:
            entry: Entry = Folder(self._next(), stat.S_IFDIR | stat.S_IMODE(mode), now_ns)
        else:
            file = File(self._next(), stat.S_IFREG | stat.S_IMODE(mode), now_ns, size, size, size, names=1)
            entry = file
        folder.entries[name] = folder.durable[name] = entry
        return entry

    # --- the cut ----------------------------------------------------------------------------------------------------

    def cut(self, rng: random.Random, *, torn: bool) -> Losses:
        """The power fails: what is not durable is gone, and the live volume with it; the backing has what is left.

        With `torn`, some of the held pages of some files had reached the disk: from the first on, up to a sector, and
        beyond the durable size up to a page. Half of them at most: a cut that takes next to nothing proves nothing.
        """
        losses = Losses()
        live = {path: entry for path, entry in walk(self.root) if isinstance(entry, File)}
        left = {path: entry for path, entry in walk(self.root, durable=True) if isinstance(entry, File)}
        done: set[int] = set()
        for path, file in left.items():
            if file.number not in done:
                done.add(file.number)
                self._cut_file(path, file, rng if torn else None, losses)
            losses.files_restored += live.get(path) is not file
        for path, file in live.items():
            losses.files_removed += path not in left
            if file.number not in done:
                done.add(file.number)
                losses.lose(path, _held_bytes(file) or file.durable_size)
        return losses

    def _cut_file(self, path: str, file: File, tearing: random.Random | None, losses: Losses) -> None:
        held = _held_bytes(file)
        # Half of the cuts are clean: a torn write must not be the only thing a recovery ever sees.
        kept = 0
        if tearing is not None and held and file.valid >= file.durable_size and tearing.random() < 0.5:
            kept = self._tear(file, tearing)
        losses.bytes_torn += kept
        losses.lose(path, held - kept)

    def _tear(self, file: File, rng: random.Random) -> int:
        pages = sorted(file.pages)
        whole = rng.randrange((len(pages) + 1) // 2)
        sectors = rng.randrange(PAGE_BYTES // SECTOR_BYTES)
        kept = 0
        for place, page in enumerate(pages[: whole + 1]):
            at = page * PAGE_BYTES
            # A file grows by whole pages: its size is written after them.
            part = sectors * SECTOR_BYTES if at + PAGE_BYTES <= file.durable_size else 0
            size = PAGE_BYTES if place < whole else part
            data = bytes(file.pages[page][: min(size, max(0, file.size - at))])
            if data:
                self._backing.write(file.number, at, data)
                file.durable_size = max(file.durable_size, at + len(data))
                kept += len(data)
        return kept

    # --- inside -----------------------------------------------------------------------------------------------------

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _parent(self, path: str) -> tuple[Folder, str]:
        above, _, name = path.rpartition("/")
        if len(name.encode("utf-8", "surrogateescape")) > NAME_BYTES_MAX:
            raise OSError(errno.ENAMETOOLONG, "the name is too long", path)
        return self.folder(above or "/"), name

    def _place(self, path: str) -> tuple[Folder, str]:
        folder, name = self._parent(path)
        if name in folder.entries:
            raise OSError(errno.EEXIST, "it is there already", path)
        return folder, name

    def _name(self, folder: Folder, name: str, entry: Entry) -> None:
        folder.entries[name] = entry
        if isinstance(entry, File):
            entry.names += 1
        self._renamed(folder)

    def _unname(self, folder: Folder, name: str) -> None:
        entry = folder.entries.pop(name)
        if isinstance(entry, File):
            entry.names -= 1
            self._forget(entry)
        self._renamed(folder)

    def _renamed(self, folder: Folder) -> None:
        self._renamed_in.add(folder)
        if self.model == "strict-size":
            self._settle_names(folder)

    def _settle_names(self, folder: Folder) -> None:
        folder.durable = dict(folder.entries)
        self._renamed_in.discard(folder)

    def _forget(self, file: File) -> None:
        """Nobody can reach it any more: what it holds need not be kept."""
        if file.names == 0 and file.opened == 0:
            file.pages.clear()

    def _own_page(self, file: File, page: int) -> bytearray:
        held = file.pages.get(page)
        if not isinstance(held, bytearray):
            at = page * PAGE_BYTES
            if held is None:
                size = min(PAGE_BYTES, file.valid - at)
                held = self._backing.read(file.number, at, size) if size > 0 else b""
            held = bytearray(held.ljust(PAGE_BYTES, b"\0"))
            file.pages[page] = held
        return held

    def _settle_size(self, file: File, size: int) -> None:
        """The backing gets the live size; what was cut off meanwhile does not come back as bytes."""
        if file.valid < file.durable_size:
            self._backing.truncate(file.number, file.valid)
            file.durable_size = file.valid
        if file.durable_size != size:
            self._backing.truncate(file.number, size)
        file.durable_size = file.valid = size
        file.set_size = None
        self._set_sizes.discard(file)

    def _store(self, file: File) -> None:
        self._settle_size(file, file.size)
        for at, data in _runs(file.pages):
            self._backing.write(file.number, at, data[: file.size - at])
        file.pages.clear()

    def _commit(self) -> None:
        """The journal's transaction: names of all folders, and sizes that were set."""
        for folder in list(self._renamed_in):
            self._settle_names(folder)
        for file in list(self._set_sizes):
            if file.set_size is not None:
                self._settle_size(file, file.set_size)


def walk(root: Folder, *, durable: bool = False) -> Iterator[tuple[str, Entry]]:
    """Everything of the live or the durable volume with its absolute path, folders before what is in them."""
    todo: list[tuple[str, Entry]] = [("/", root)]
    while todo:
        path, entry = todo.pop()
        yield path, entry
        if isinstance(entry, Folder):
            names = entry.durable if durable else entry.entries
            todo += [(f"{path.rstrip('/')}/{name}", names[name]) for name in sorted(names, reverse=True)]


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _held_bytes(file: File) -> int:
    return sum(min(PAGE_BYTES, max(0, file.size - page * PAGE_BYTES)) for page in file.pages)


def _runs(pages: dict[int, bytes | bytearray]) -> Iterator[tuple[int, bytes]]:
    """Held pages, neighbours joined: position and bytes."""
    order = sorted(pages)
    begin = 0
    for place in range(1, len(order) + 1):
        if place == len(order) or order[place] != order[place - 1] + 1:
            run = order[begin:place]
            yield run[0] * PAGE_BYTES, b"".join(pages[page] for page in run)
            begin = place
