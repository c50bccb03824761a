"""The commit log: one sequence of records in files named by the position they start at. Only bytes; queues are next
door.

A position (RocketMQ: physical offset) counts bytes since the log was first written. A record never spans two files:
where it does not fit, a BLANK record fills the file and the record begins the next one (``%020d`` of its position).
Files grow as they are written; nothing is allocated ahead, so a file ends where its last record ends.

Thread rule: ``sync`` may run in one other thread while the owner appends and reads; everything else belongs to the
owner. ``empty`` and ``close`` wait for a running sync.

Failed syncs: after an error of ``fsync`` the kernel may drop the written pages and report success next time. So all
bytes that are not synced are kept in memory as well (at most ``UNSYNCED_BYTES_MAX``, then appends are refused), and
the next sync writes them again before it asks the disk. Recovery does the same with what it read, since the process
that failed to sync may have been killed. RocketMQ does worse: it logs the error and counts the bytes as flushed
(apache/rocketmq#2706).

Clauses: sto-recover-no-ghost, dur-ack-kill, dur-ack-power-sf (the part of the disk).
Source: rocketmq CommitLog, MappedFileQueue, DefaultAppendMessageCallback.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from reference_impl.disk import Disk, File
from reference_impl.errors import RecordTooLargeError, StoreBusyError
from reference_impl.message import BLANK_BYTES_MIN, encode_blank, peek_record
from reference_impl.store.scan import Scanned, Scanner

FOLDER = "commitlog/"
_FILE_NAME = re.compile(f"{FOLDER}[0-9]{{20}}")

UNSYNCED_BYTES_MAX = 256 << 20
"""Bytes that may wait for a sync; ours: RocketMQ refuses by time instead (osPageCacheBusyTimeOutMills)."""

_SLICE = 64
"""Synced chunks that are dropped with the lock held once: the owner appends with the same lock."""

_WINDOW_BYTES = 8 << 20
"""How much recovery reads at once; a longer record is read whole."""


class _Segment(Struct, frozen=True):
    """One file of the log."""

    start: int
    """Position of its first byte."""
    file: File

    @property
    def end(self) -> int:
        return self.start + self.file.size


class CommitLog:
    """See the module. Made by ``CommitLog.open``."""

    def __init__(self, disk: Disk, file_bytes: int) -> None:
        self._disk = disk
        self._file_bytes = file_bytes
        self._segments: list[_Segment] = []
        self._starts: list[int] = []
        self._appended = 0
        self._synced = 0
        self._unsynced: deque[tuple[int, bytes]] = deque()
        self._unsynced_bytes = 0
        self._rewrite = False
        self._state_lock = disk.lock()
        self._sync_lock = disk.lock()

    @classmethod
    def open(cls, disk: Disk, file_bytes: int, found: Callable[[Scanned], bool], known: int = 0) -> CommitLog:
        """Open the log, telling ``found`` of every record from position ``known`` on in order, and make what was found
        durable.

        The first record that is not valid, or that ``found`` answers with False, ends the log: it and all after it
        are removed for good. Raises ``OSError`` if that cannot be made durable.
        """
        log = cls(disk, file_bytes)
        log._recover(found, known)
        log.sync()
        return log

    @property
    def min_position(self) -> int:
        """Position of the first byte there is."""
        return self._segments[0].start if self._segments else self._appended

    @property
    def appended_position(self) -> int:
        """Position after the last record appended."""
        return self._appended

    @property
    def synced_position(self) -> int:
        """Everything before this is on the disk. Never falls, and never passes a sync that failed."""
        return self._synced

    def position_for(self, size: int) -> int:
        """Where a record (or a batch that must stay together) of ``size`` bytes will go; begins the next file if
        need be.

        Raises ``RecordTooLargeError``, ``StoreBusyError``, ``OSError``.
        """
        if size + BLANK_BYTES_MIN > self._file_bytes:
            rule = f"a commit log file holds {self._file_bytes} bytes, {BLANK_BYTES_MIN} of them for its end"
            raise RecordTooLargeError(f"record of {size} bytes: {rule}; raise mappedFileSizeCommitLog or send less")
        self._check_unsynced(size)
        if not self._segments:
            self._begin_file()
            return self._appended
        used = self._segments[-1].file.size
        if used + size + BLANK_BYTES_MIN > self._file_bytes:
            if self._file_bytes - used >= BLANK_BYTES_MIN:
                self._write(encode_blank(self._file_bytes - used))
            self._begin_file()
        return self._appended

    def _check_unsynced(self, size: int) -> None:
        if self._unsynced_bytes + size > UNSYNCED_BYTES_MAX:
            waiting = f"{self._unsynced_bytes} bytes wait for a sync, {UNSYNCED_BYTES_MAX} may"
            raise StoreBusyError(f"record of {size} bytes: {waiting}; try again when the disk has caught up")

    def append(self, data: bytes) -> int:
        """Write ``data`` at the position that ``position_for`` gave for it; return the position after it. Raises
        ``OSError``.
        """
        self._write(data)
        return self._appended

    def begin_at(self, position: int) -> None:
        """Let a log that never had a byte begin at ``position``; ValueError for any other log."""
        if self._appended:
            raise ValueError(f"the log ends at {self._appended}; only one at 0 can begin elsewhere")
        self._appended = self._synced = position

    def copy(self, data: bytes, *, fills: bool) -> int:
        """Append records of another log as they are, with ``fills`` up to the end of a file; return the position after
        them.

        Raises ``RecordTooLargeError`` where they do not end as records of this log would, ``StoreBusyError``,
        ``OSError``.
        """
        used = self._segments[-1].file.size if self._segments else self._file_bytes
        left = self._file_bytes - used or self._file_bytes
        if len(data) != left if fills else len(data) + BLANK_BYTES_MIN > left:
            rule = "a copy needs the mappedFileSizeCommitLog of its master"
            raise RecordTooLargeError(f"{len(data)} bytes at {self._appended}: a file has {left} bytes left; {rule}")
        self._check_unsynced(len(data))
        if used == self._file_bytes:
            self._begin_file()
        return self.append(data)

    @property
    def last_file_position(self) -> int:
        """Position of the first byte of the last file."""
        return self._segments[-1].start if self._segments else self._appended

    def read(self, position: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``position``, from one file; nothing where the log has no such position."""
        at = bisect_right(self._starts, position) - 1
        if at < 0:
            return b""
        segment = self._segments[at]
        if position >= segment.end:
            # A file system refuses positions that are far enough beyond.
            return b""
        return segment.file.read(position - segment.start, size)

    def file_end(self, position: int) -> int:
        """Position after the last byte of the file that holds ``position``: no single read goes further."""
        at = bisect_right(self._starts, position) - 1
        return self._segments[at].end if at >= 0 else 0

    def sync(self) -> int:
        """Make all appended bytes durable; return the position covered. Raises ``OSError``, and then is to be
        called again.

        May run in one other thread. What is appended meanwhile is covered by the next call.
        """
        with self._sync_lock:
            with self._state_lock:
                segments = [segment for segment in self._segments if segment.end > self._synced]
                again = [chunk for chunk in self._unsynced if chunk[0] >= self._synced] if self._rewrite else []
            self._rewrite = True
            for position, data in again:
                self._write_again(segments, position, data)
            for segment in segments:
                self._advance(segment.start + segment.file.sync())
            self._rewrite = False
            return self._synced

    @property
    def file_ends(self) -> list[int]:
        """Position after each file but the one that is written to, the oldest first."""
        return [segment.end for segment in self._segments[:-1]]

    def remove_first(self, count: int) -> None:
        """Remove the ``count`` oldest files, durably; never the one that is written to, nor one that is not synced.
        Raises ``OSError``.
        """
        gone = [segment for segment in self._segments[:-1][:count] if segment.end <= self._synced]
        if not gone:
            return
        with self._sync_lock, self._state_lock:
            del self._segments[: len(gone)], self._starts[: len(gone)]
        for segment in gone:
            segment.file.close()
        self._disk.remove(*(segment.file.name for segment in gone))

    def empty(self) -> None:
        """Remove all files, newest first. Positions go on from where they are, so that none is ever used twice."""
        with self._sync_lock:
            for segment in self._segments:
                segment.file.close()
            self._disk.remove(*(segment.file.name for segment in reversed(self._segments)))
            with self._state_lock:
                self._segments.clear()
                self._starts.clear()
                self._unsynced.clear()
                self._unsynced_bytes = 0
                self._synced = self._appended
                self._rewrite = False

    def close(self) -> None:
        """Close the files. Does not sync."""
        with self._sync_lock:
            for segment in self._segments:
                segment.file.close()

    def _write(self, data: bytes) -> None:
        position = self._appended
        self._segments[-1].file.append(data)
        with self._state_lock:
            self._unsynced.append((position, data))
            self._unsynced_bytes += len(data)
            self._appended = position + len(data)

    def _begin_file(self) -> None:
        segment = _Segment(self._appended, self._disk.open_file(f"{FOLDER}{self._appended:020d}"))
        with self._state_lock:
            self._segments.append(segment)
            self._starts.append(segment.start)

    def _advance(self, position: int) -> None:
        with self._state_lock:
            self._synced = max(self._synced, position)
        while self._forget_synced():
            pass  # between two slices the owner gets the lock

    def _forget_synced(self) -> bool:
        """Drop a slice of the chunks that are on the disk; whether there may be more."""
        with self._state_lock:
            for _ in range(_SLICE):
                if not self._unsynced or self._unsynced[0][0] + len(self._unsynced[0][1]) > self._synced:
                    return False
                self._unsynced_bytes -= len(self._unsynced.popleft()[1])
        return True

    @staticmethod
    def _write_again(segments: list[_Segment], position: int, data: bytes) -> None:
        segment = segments[bisect_right([segment.start for segment in segments], position) - 1]
        segment.file.write_at(position - segment.start, data)

    def _recover(self, found: Callable[[Scanned], bool], known: int) -> None:
        names = _file_names(self._disk)
        scanner = Scanner()
        for index, name in enumerate(names):
            start = int(name.removeprefix(FOLDER))
            if self._segments and start != self._appended:
                self._disk.remove(*reversed(names[index:]))
                return
            file = self._disk.open_file(name)
            self._segments.append(_Segment(start, file))
            self._starts.append(start)
            valid = _scan_file(file, start, scanner, found, min(max(0, known - start), file.size))
            self._appended = start + valid
            if valid < file.size:
                # Later files go first: if this is interrupted, what is left still ends the log at the same place.
                self._disk.remove(*reversed(names[index + 1 :]))
            _write_unsynced_again(file, valid)
            if valid < file.size:
                file.truncate(valid)
                return


def first_position(disk: Disk) -> int:
    """Where the log on a disk begins; 0 where there is none."""
    names = _file_names(disk)
    return int(names[0].removeprefix(FOLDER)) if names else 0


def _file_names(disk: Disk) -> list[str]:
    return [name for name in disk.list(FOLDER) if _FILE_NAME.fullmatch(name)]


def _write_unsynced_again(file: File, end: int) -> None:
    for at in range(file.synced_size, end, _WINDOW_BYTES):
        file.write_at(at, file.read(at, min(_WINDOW_BYTES, end - at)))


def _scan_file(file: File, start: int, scanner: Scanner, found: Callable[[Scanned], bool], known: int) -> int:
    """Number of bytes of ``file`` that are valid records, of which the first ``known`` are not looked at."""
    done = known
    window = _WINDOW_BYTES
    while done < file.size:
        buffer = memoryview(file.read(done, window))
        at = _scan_window(buffer, start + done, scanner, found)
        if at == 0:
            size, _ = peek_record(buffer)
            if not window < size <= file.size - done:
                return done
            window = size  # a record longer than the window, perhaps: the next round has it whole
            continue
        done += at
        window = _WINDOW_BYTES
    return done


def _scan_window(buffer: memoryview, position: int, scanner: Scanner, found: Callable[[Scanned], bool]) -> int:
    """Number of bytes of ``buffer``, which begins at ``position``, that are whole valid records."""
    at = 0
    while (record := scanner.record_at(buffer, at, position + at)) is not None:
        if record.topic and not found(record):
            break
        at += record.size
    return at
