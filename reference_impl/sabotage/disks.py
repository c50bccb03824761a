"""Planted bugs around disks that fail or fill up, and around what a start finds on them.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

import errno
from typing import Final, cast

from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.disk import Disk, File
from reference_impl.effects import Effect, Reply
from reference_impl.errors import StoreDamagedError
from reference_impl.frame import Command
from reference_impl.message import Record
from reference_impl.sabotage.base import Passing, PassingCore, Sabotage, Sleep, around_core, around_disk, around_store
from reference_impl.sabotage.reading import Reading
from reference_impl.sabotage.storage import SwallowingFile
from reference_impl.store.scan import Scanner

LOG: Final = "commitlog/"
"""Where the log's files are."""
OFFSET_AT: Final = 20
"""Where a record has its offset in its queue: behind size, magic number, checksum, queue and flag."""
BUSY: Final = ResponseCode.SYSTEM_BUSY
FILES_MAX: Final = 10
"""Files that ``remove-early`` removes at a time."""


class _ForgetfulFile(SwallowingFile):
    swallowed = errno.EIO


class ForgetfulDisk(Passing):
    """Takes what a failing disk refuses into memory and says nothing; dur-write-error must catch it."""

    def open_file(self, name: str) -> File:
        """A file whose writes never fail."""
        return cast(File, _ForgetfulFile(self.inner.open_file(name)))


class NumberAnew(Reading):
    """Gives what the log held at the start the queue offset after its own; sto-recover-cq must catch it."""

    def given(self, record: Record, data: bytes) -> bytes:
        """Another offset of old ones."""
        if record.physical_offset >= self.recovered:
            return data
        return data[:OFFSET_AT] + (record.queue_offset + 1).to_bytes(8) + data[OFFSET_AT + 8 :]


class TakeWhenFull(PassingCore):
    """Stores messages on a nearly full disk; sto-diskfull must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Forget what was seen of the disk."""
        self.inner.state.disk_full = False  # type: ignore[attr-defined]
        return super().request(now_ms, conn, peer, command)


class RemoveEarly(PassingCore):
    """Removes every file of the log but the last, however young; sto-retention must catch it."""

    def tick(self, now_ms: int) -> list[Effect]:
        """Remove, and go on."""
        self.inner.state.store.remove_older(now_ms + 1, FILES_MAX)  # type: ignore[attr-defined]
        return super().tick(now_ms)


class StoreBusy(PassingCore):
    """Stores what it refuses because it was too late for it; dur-reject-absent must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Take the message after all, and keep the refusal as the answer."""
        effects = super().request(now_ms, conn, peer, command)
        busy = any(isinstance(each, Reply) and each.command.code == BUSY for each in effects)
        if command.code != RequestCode.SEND_MESSAGE_V2 or not busy:
            return effects
        backlog = self.inner.state.backlog  # type: ignore[attr-defined]
        backlog.left, left = -1, backlog.left
        stored = super().request(now_ms, conn, peer, command)
        backlog.left = left
        return [*effects, *(each for each in stored if not isinstance(each, Reply))]


class MuteWhenBusy(PassingCore):
    """Says nothing to sends that were too late for it; flw-busy must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Leave the refusal out."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.SEND_MESSAGE_V2:
            return effects
        return [each for each in effects if not isinstance(each, Reply) or each.command.code != BUSY]


def _refusing(disk: Disk, sleep: Sleep) -> Disk:
    """Does not start where the log ends in something else than a whole record; sto-bad-tail must catch it."""
    del sleep
    scanner = Scanner()
    for name in disk.list(LOG)[-1:]:
        data, begin, at = memoryview(disk.read_file(name) or b""), int(name.removeprefix(LOG)), 0
        while at < len(data):
            record = scanner.record_at(data, at, begin + at)
            if record is None:
                raise StoreDamagedError(f"{name} has no whole record at {at}")
            at += record.size
    return disk


SABOTAGES: Final = (
    Sabotage(
        "ack-failed-write",
        "keeps in memory what a failing disk refuses, and calls it synced",
        "dur-write-error",
        wrap_disk=around_disk(ForgetfulDisk),
    ),
    Sabotage(
        "refuse-bad-tail",
        "does not start where its log ends in a damaged record",
        "sto-bad-tail",
        wrap_disk=_refusing,
    ),
    Sabotage(
        "number-anew",
        "gives what the log held at the start the queue offset after its own",
        "sto-recover-cq",
        wrap_store=around_store(NumberAnew),
    ),
    Sabotage(
        "store-busy",
        "stores what it refuses as busy",
        "dur-reject-absent",
        wrap_core=around_core(StoreBusy),
    ),
    Sabotage(
        "mute-when-busy",
        "leaves sends without an answer that it refuses as busy",
        "flw-busy",
        wrap_core=around_core(MuteWhenBusy),
    ),
    Sabotage(
        "take-when-full",
        "stores messages on a nearly full disk",
        "sto-diskfull",
        wrap_core=around_core(TakeWhenFull),
    ),
    Sabotage(
        "remove-early",
        "removes every file of the log but the last, however young",
        "sto-retention",
        wrap_core=around_core(RemoveEarly),
    ),
)
