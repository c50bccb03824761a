"""Planted bugs of storage: acknowledgement, bodies and order within a queue. One oddity: a slow disk.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Final, cast

from msgspec import Struct
from msgspec.structs import replace

from reference_impl.commands import PROPERTY_TAGS, RETRY_PREFIX, SEND_V1_TO_V2, RequestCode, ResponseCode
from reference_impl.disk import Disk, FaultyDisk, File
from reference_impl.effects import Effect, Reply
from reference_impl.errors import StoreDamagedError
from reference_impl.frame import Command
from reference_impl.message import Host, Message, decode_properties, encode_properties
from reference_impl.sabotage.base import (
    CoreSettings,
    Passing,
    PassingCore,
    Sabotage,
    Sleep,
    around_core,
    around_disk,
    around_store,
    of_user,
)
from reference_impl.server import Core
from reference_impl.store import Appended, Store
from reference_impl.store.tables import SUBSCRIPTION_GROUPS, TOPICS

LAG_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes that ``ack-before-sync`` leaves unsynced; ours, below what the store accepts."""
TWICE_EVERY: Final = 10
"""Every how many messages ``store-twice`` stores one again."""
CORRUPT_EVERY: Final = 10
"""Every how many messages ``corrupt-body`` changes one."""
REORDER_EVERY: Final = 8
"""Every how many messages of a queue ``reorder-queue`` holds one back."""
REORDER_HOLD_MS: Final = 1000
"""How long it waits for a message to overtake."""
LONG_PROPERTY_CHARS_MIN: Final = 1_000
"""From which length on ``store-refused`` leaves a property out."""
PROPERTIES_OF: Final = {
    int(RequestCode.SEND_MESSAGE): "properties",
    int(RequestCode.SEND_MESSAGE_V2): SEND_V1_TO_V2["properties"],
}
"""Which field of a send has the message's properties."""
ALIVE: Final = "abort"
"""The file that ``refuse-after-crash`` has while it lives; RocketMQ's own, which it only logs, has that name."""
SLOW_SYNC_MS: Final = 40
"""How long ``slow-flush`` makes each sync wait: a slow disk, far from the flush's time-out."""


class AckBeforeSync(Passing):
    """Reports a sync that has not happened; dur-ack-power-sf must catch it.

    Outside the record of what was synced: a power cut then takes what was acknowledged.
    """

    @property
    def synced_position(self) -> int:
        """Claims everything."""
        return int(self.inner.appended_position)

    def sync(self) -> int:
        """Claims everything; really syncs only when very much is left to sync."""
        position = int(self.inner.appended_position)
        if position - int(self.inner.synced_position) > LAG_BYTES_MAX:
            self.inner.sync()
        return position

    def close(self) -> None:
        """A clean stop is honest."""
        self.inner.sync()
        self.inner.close()


class AckFailedSync(Passing):
    """Logs a failed sync and counts it as done, as RocketMQ 4.9.7 does; dur-ack-fsync-error must catch it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.claimed = 0

    @property
    def synced_position(self) -> int:
        """What is synced, or was tried to be."""
        return max(self.claimed, int(self.inner.synced_position))

    def sync(self) -> int:
        """Try, and claim."""
        position = int(self.inner.appended_position)
        try:
            return int(self.inner.sync())
        except OSError:
            self.claimed = position
            return position


class SwallowingDisk(Passing):
    """Takes what a full disk refuses into memory and says nothing; dur-ack-disk-full must catch it."""

    def open_file(self, name: str) -> File:
        """A file that never finds the disk full."""
        return cast(File, SwallowingFile(self.inner.open_file(name)))


class SwallowingFile(Passing):
    """Keeps what a write refuses, and says nothing."""

    swallowed = errno.ENOSPC
    """Which error it keeps to itself."""

    def __init__(self, inner: File) -> None:
        super().__init__(inner)
        self.refused = b""

    @property
    def size(self) -> int:
        """What was taken, wherever it is."""
        return int(self.inner.size) + len(self.refused)

    def append(self, data: bytes | memoryview) -> int:
        """Take it, and try to write it."""
        at = self.size
        self.refused += bytes(data)
        self._try_again()
        return at

    def write_at(self, at: int, data: bytes | memoryview) -> None:
        """What was refused is not there to be written again."""
        size = int(self.inner.size)
        if at < size:
            try:
                self.inner.write_at(at, bytes(data)[: size - at])
            except OSError as error:
                if error.errno != self.swallowed:
                    raise

    def read(self, at: int, size: int) -> bytes:
        """What was taken, wherever it is."""
        end = int(self.inner.size)
        found: bytes = self.inner.read(at, size) if at < end else b""
        missing = max(0, at - end)
        return found + self.refused[missing : missing + size - len(found)]

    def sync(self) -> int:
        """Claim everything."""
        claimed = self.size
        self._try_again()
        self.inner.sync()
        return claimed

    def _try_again(self) -> None:
        if not self.refused:
            return
        try:
            self.inner.append(self.refused)
        except OSError as error:
            if error.errno != self.swallowed:
                raise
        else:
            self.refused = b""


class LateDisk(Passing):
    """Keeps what is appended in the process until the next sync; dur-ack-kill must catch it."""

    def open_file(self, name: str) -> File:
        """A file that is written by syncs alone."""
        return cast(File, _LateFile(self.inner.open_file(name)))


class _LateFile(SwallowingFile):
    def append(self, data: bytes | memoryview) -> int:
        at = self.size
        self.refused += bytes(data)
        return at


class LoseMetadataOnRestart(Passing):
    """Starts without the topics and groups of its earlier life; dur-meta-power must catch it."""

    def read_file(self, name: str) -> bytes | None:
        """Everything but them."""
        return None if name in (TOPICS, SUBSCRIPTION_GROUPS) else cast("bytes | None", self.inner.read_file(name))


class StoreTwice(Passing):
    """Stores every tenth message twice; con-dup-cause must catch it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.count = 0

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, perhaps again."""
        stored = cast(Appended, self.inner.append(message, now_ms, store_host))
        self.count += of_user(message.topic)
        if of_user(message.topic) and self.count % TWICE_EVERY == 0:
            self.inner.append(message, now_ms, store_host)
        return stored


class AnswerNextOffset(Passing):
    """Tells producers the offset after the one that a message was stored at; sto-offset-unique must catch it."""

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, and tell something else."""
        stored = cast(Appended, self.inner.append(message, now_ms, store_host))
        return replace(stored, queue_offset=stored.queue_offset + 1) if of_user(message.topic) else stored


class CorruptBody(Passing):
    """Changes one byte of every tenth body before it is stored, checksum and all; dur-body-intact must catch it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.count = 0

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, perhaps changed."""
        return cast(Appended, self.inner.append(self._changed(message), now_ms, store_host))

    def append_batch(self, messages: Sequence[Message], now_ms: int, store_host: Host) -> list[Appended]:
        """Store, perhaps changed."""
        changed = [self._changed(message) for message in messages]
        return cast("list[Appended]", self.inner.append_batch(changed, now_ms, store_host))

    def _changed(self, message: Message) -> Message:
        if not message.body or not of_user(message.topic):
            return message
        self.count += 1
        if self.count % CORRUPT_EVERY:
            return message
        middle = len(message.body) // 2
        other = bytes((message.body[middle] ^ 0x01,))
        return replace(message, body=message.body[:middle] + other + message.body[middle + 1 :])


class CorruptRetryCopy(Passing):
    """Gives each retry copy another tag than its message has; con-retry-identity must catch it."""

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, perhaps with another tag."""
        if message.topic.startswith(RETRY_PREFIX):
            message = replace(message, properties={**message.properties, PROPERTY_TAGS: "retry"})
        return cast(Appended, self.inner.append(message, now_ms, store_host))


class _HeldBack(Struct):
    message: Message
    now_ms: int
    host: Host


class ReorderQueue(Passing):
    """Stores a message after the one that was sent next, and answers the offset it will have; sto-fifo-queue must
    catch it.
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.counts: dict[tuple[str, int], int] = {}
        self.held: dict[tuple[str, int], _HeldBack] = {}

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store at once, or let the next message of the queue go first."""
        key = message.topic, message.queue_id
        if not of_user(message.topic):
            return self._store(message, now_ms, store_host)
        count = self.counts[key] = self.counts.get(key, 0) + 1
        earlier = self.held.pop(key, None)
        if earlier is None and count % REORDER_EVERY == 0:
            self.held[key] = _HeldBack(message, now_ms, store_host)
            position = int(self.inner.appended_position)
            return Appended(int(self.inner.max_offset(*key)) + 1, position, position, 0)
        stored = self._store(message, now_ms, store_host)
        if earlier is not None:
            self._store(earlier.message, now_ms, store_host)
        return stored

    def append_batch(self, messages: Sequence[Message], now_ms: int, store_host: Host) -> list[Appended]:
        """Store at once, after whatever waits."""
        self.release(now_ms + REORDER_HOLD_MS)
        return cast("list[Appended]", self.inner.append_batch(messages, now_ms, store_host))

    def empty(self) -> None:
        """Forget what waits, too."""
        self.held.clear()
        self.inner.empty()

    def release(self, now_ms: int) -> None:
        """Store what nothing has overtaken in time."""
        for key, held in list(self.held.items()):
            if now_ms - held.now_ms >= REORDER_HOLD_MS:
                del self.held[key]
                self._store(held.message, held.now_ms, held.host)

    def next_release_ms(self) -> int | None:
        """When ``release`` has something to do."""
        return min((held.now_ms + REORDER_HOLD_MS for held in self.held.values()), default=None)

    def _store(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        return cast(Appended, self.inner.append(message, now_ms, store_host))


class StoreRefused(PassingCore):
    """Stores what it refuses as illegal, without the properties that are too long; dur-reject-absent must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Take the message after all, and keep the refusal as the answer."""
        effects = super().request(now_ms, conn, peer, command)
        name = PROPERTIES_OF.get(command.code)
        refused = any(
            isinstance(effect, Reply) and effect.command.code == ResponseCode.MESSAGE_ILLEGAL for effect in effects
        )
        if name is None or not refused:
            return effects
        short = {
            key: value
            for key, value in decode_properties(command.fields[name]).items()
            if len(value) < LONG_PROPERTY_CHARS_MIN
        }
        again = replace(command, fields={**command.fields, name: encode_properties(short)})
        stored = super().request(now_ms, conn, peer, again)
        return [*effects, *(effect for effect in stored if not isinstance(effect, Reply))]


class ReleasingCore(PassingCore):
    """Gives ``ReorderQueue`` its time; part of that bug."""

    def __init__(self, inner: Core, store: ReorderQueue) -> None:
        super().__init__(inner)
        self.store = store

    def tick(self, now_ms: int) -> list[Effect]:
        """Release first, so that what the core reads is all there."""
        self.store.release(now_ms)
        return super().tick(now_ms)

    def next_deadline_ms(self) -> int | None:
        """The earlier of both."""
        times = (self.store.next_release_ms(), super().next_deadline_ms())
        return min((time for time in times if time is not None), default=None)

    def stop(self, now_ms: int) -> list[Effect]:
        """Nothing stays behind at a clean stop."""
        self.store.release(now_ms + REORDER_HOLD_MS)
        return super().stop(now_ms)


class AckBeforeReplicate(PassingCore):
    """Answers SYNC_MASTER sends before any slave has them; rep-sync-ack must catch it."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Whatever waits for a slave is told that it is there."""
        del now_ms
        state = self.inner.state  # type: ignore[attr-defined]
        return [*effects, *state.replica_line.reached(state.store.appended_position)]


def _releasing(core: Core, settings: CoreSettings) -> Core:
    del settings
    # The core was made with the wrapped store; a wrapper passes unknown names on, so this finds it.
    store = core.state.store  # type: ignore[attr-defined]
    return ReleasingCore(core, store)


def _slow_flush(disk: Disk, sleep: Sleep) -> Disk:
    slow = FaultyDisk(disk, sleep)
    slow.fsync_delay_ms = SLOW_SYNC_MS
    return slow


class RefuseAfterCrash(PassingCore):
    """Does not start where its last life was not ended in order; dur-power-start must catch it."""

    def stop(self, now_ms: int) -> list[Effect]:
        """An end in order."""
        self.state.disk.remove(ALIVE)
        return super().stop(now_ms)


def _refusing(disk: Disk, sleep: Sleep) -> Disk:
    del sleep
    if disk.read_file(ALIVE) is not None:
        raise StoreDamagedError(f"{ALIVE} is there: the last life was not ended in order")
    disk.replace(ALIVE, b"1", durable=True)
    return disk


SABOTAGES: Final = (
    Sabotage(
        "store-refused",
        "stores what it refuses as illegal",
        "dur-reject-absent",
        wrap_core=around_core(StoreRefused),
    ),
    Sabotage(
        "ack-before-sync",
        "answers SYNC_FLUSH sends before anything is synced",
        "dur-ack-power-sf",
        wrap_store=around_store(AckBeforeSync),
    ),
    Sabotage(
        "ack-failed-sync",
        "counts a sync of the log that failed as done",
        "dur-ack-fsync-error",
        wrap_store=around_store(AckFailedSync),
    ),
    Sabotage(
        "ack-refused-write",
        "keeps in memory what a full disk refuses, and calls it synced",
        "dur-ack-disk-full",
        wrap_disk=around_disk(SwallowingDisk),
    ),
    Sabotage(
        "store-twice",
        "stores every tenth message twice",
        "con-dup-cause",
        wrap_store=around_store(StoreTwice),
    ),
    Sabotage(
        "answer-next-offset",
        "answers sends with the offset after the message's own",
        "sto-offset-unique",
        wrap_store=around_store(AnswerNextOffset),
    ),
    Sabotage(
        "corrupt-body",
        "changes one byte of every tenth body before it is stored",
        "dur-body-intact",
        wrap_store=around_store(CorruptBody),
    ),
    Sabotage(
        "reorder-queue",
        "stores every eighth message of a queue after the next one",
        "sto-fifo-queue",
        wrap_store=around_store(ReorderQueue),
        wrap_core=_releasing,
    ),
    Sabotage(
        "ack-before-replicate",
        "answers SYNC_MASTER sends before a slave has them",
        "rep-sync-ack",
        wrap_core=around_core(AckBeforeReplicate),
    ),
    Sabotage(
        "ack-before-write",
        "keeps messages in the process until the next sync",
        "dur-ack-kill",
        wrap_disk=around_disk(LateDisk),
    ),
    Sabotage(
        "lose-metadata-on-restart",
        "starts without the topics and groups of its earlier life",
        "dur-meta-power",
        wrap_disk=around_disk(LoseMetadataOnRestart),
    ),
    Sabotage(
        "corrupt-retry-copy",
        "gives retry copies another tag",
        "con-retry-identity",
        wrap_store=around_store(CorruptRetryCopy),
    ),
    Sabotage(
        "refuse-after-crash",
        "does not start where its last life was not ended in order",
        "dur-power-start",
        wrap_disk=_refusing,
        wrap_core=around_core(RefuseAfterCrash),
    ),
)
ODDITIES: Final = (
    Sabotage("slow-flush", "each sync of the commit log takes 40 ms longer", None, wrap_disk=_slow_flush),
)
