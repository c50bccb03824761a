"""The real thing: a mount, programs that write to it, and what they find after a cut."""

from __future__ import annotations

import errno
import mmap
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

Mount = Callable[..., Any]


def write(path: Any, data: bytes, *, sync: bool = False) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(data)
        if sync:
            os.fsync(file.fileno())


def test_what_was_synced_is_there_after_a_cut_and_the_rest_is_not(mount: Mount) -> None:
    disk = mount()
    (disk.point / "commitlog").mkdir()
    write(disk.point / "commitlog" / "0", b"synced", sync=True)
    with (disk.point / "commitlog" / "0").open("ab", buffering=0) as file:
        file.write(b", held")
    write(disk.point / "late", b"never")
    assert (disk.point / "commitlog" / "0").read_bytes() == b"synced, held"
    effect = disk.ask(do="cut", seed=1, torn=False)
    assert effect["ok"]
    assert effect["unsynced_bytes_dropped"] == len(b"synced, held") + len(b"never")
    assert effect["files_removed"] == 1
    assert disk.left() == {"commitlog/0": b"synced"}
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what counts
        write(disk.point / "later", b"x")
    assert caught.value.errno == errno.EIO
    assert not disk.ask(do="cut", seed=1, torn=False)["ok"]


def test_a_mapped_file_is_durable_by_msync_and_not_by_write_back(mount: Mount) -> None:
    disk = mount()
    path = disk.point / "mapped"
    size = 8 * mmap.PAGESIZE
    with path.open("w+b", buffering=0) as file:
        os.ftruncate(file.fileno(), size)
        with mmap.mmap(file.fileno(), size) as mapped:
            mapped[:4] = b"sync"
            mapped.flush()
            mapped[mmap.PAGESIZE : mmap.PAGESIZE + 4] = b"held"
    os.sync()
    assert path.read_bytes()[mmap.PAGESIZE :][:4] == b"held"
    effect = disk.ask(do="cut", seed=1, torn=False)
    assert effect["unsynced_bytes_dropped"] == mmap.PAGESIZE
    assert disk.left() == {"mapped": b"sync" + bytes(size - 4)}


def test_faults_of_the_log_and_their_counts(mount: Mount) -> None:
    disk = mount()
    (disk.point / "commitlog").mkdir()
    path = disk.point / "commitlog" / "0"
    disk.ask(do="disk", fsync_delay_ms=0, fsync_error=True, disk_full=False)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what counts
        write(path, b"x", sync=True)
    assert caught.value.errno == errno.EIO
    write(disk.point / "elsewhere", b"x", sync=True)
    disk.ask(do="disk", fsync_delay_ms=0, fsync_error=False, disk_full=True)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what counts
        write(path, b"x")
    assert caught.value.errno == errno.ENOSPC
    disk.ask(do="disk", fsync_delay_ms=120, fsync_error=False, disk_full=False)
    began = time.monotonic()
    write(path, b"y", sync=True)
    assert time.monotonic() - began >= 0.12
    counts = disk.ask(do="disk", fsync_delay_ms=0, fsync_error=False, disk_full=False)
    assert {"ok": True, "delayed_fsyncs": 1, "failed_fsyncs": 1, "refused_writes": 1}.items() <= counts.items()


def test_a_full_disk_loses_mapped_pages_and_a_later_fsync_succeeds(mount: Mount) -> None:
    """The kernel drops what it could not write: the trap that apache/rocketmq#2706 is about."""
    disk = mount()
    (disk.point / "commitlog").mkdir()
    with (disk.point / "commitlog" / "0").open("w+b", buffering=0) as file:
        os.ftruncate(file.fileno(), mmap.PAGESIZE)
        with mmap.mmap(file.fileno(), mmap.PAGESIZE) as mapped:
            disk.ask(do="disk", fsync_delay_ms=0, fsync_error=False, disk_full=True)
            mapped[:4] = b"lost"
            with pytest.raises(OSError, match="No space left"):
                mapped.flush()
            mapped.flush()
    disk.ask(do="cut", seed=1, torn=False)
    assert disk.left() == {"commitlog/0": bytes(mmap.PAGESIZE)}


def test_a_halt_wakes_who_waits_and_holds_what_is_written(mount: Mount) -> None:
    disk = mount()
    (disk.point / "commitlog").mkdir()
    path = disk.point / "commitlog" / "0"
    write(path, b"first", sync=True)
    disk.ask(do="disk", fsync_delay_ms=60_000, fsync_error=False, disk_full=False)
    failed: list[int | None] = []

    def sync() -> None:
        try:
            write(path, b"second", sync=True)
        except OSError as error:
            failed.append(error.errno)

    waiting = threading.Thread(target=sync)
    waiting.start()
    while not disk.ask(do="disk", fsync_delay_ms=60_000, fsync_error=False, disk_full=False)["delayed_fsyncs"]:
        time.sleep(0.01)
    assert disk.ask(do="halt") == {"ok": True}
    waiting.join(20)
    assert failed == [errno.EIO]
    write(disk.point / "held", b"x")
    disk.ask(do="cut", seed=1, torn=False)
    assert set(disk.left()) == {"commitlog/0"}


def test_other_calls_programs_make(mount: Mount) -> None:
    disk = mount()
    folder = disk.point / "a"
    folder.mkdir()
    write(folder / "x", b"1")
    os.link(folder / "x", folder / "y")
    assert (folder / "y").stat().st_nlink == 2
    (folder / "y").rename(disk.point / "z")
    (folder / "x").chmod(0o600)
    assert (folder / "x").stat().st_mode & 0o777 == 0o600
    os.utime(folder / "x", ns=(5, 7))
    assert (folder / "x").stat().st_mtime_ns == 7
    (folder / "x").unlink()
    folder.rmdir()
    assert os.statvfs(disk.point).f_blocks > 0
    handle = os.open(disk.point, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    with (disk.point / "z").open("r+b") as file:
        (disk.point / "z").unlink()
        file.write(b"still here")
        file.seek(0)
        assert file.read() == b"still here"
    assert os.listdir(disk.point) == []
