"""The store's facade: messages in, records out. The commit log has the bytes, the consume queues know where they are.

Thread rule: everything belongs to one thread, except ``sync``, which may run in one other thread meanwhile. Time
comes in as an argument. What is appended can be read at once, synced or not, as in RocketMQ: who wants an
acknowledgement to mean more waits until ``synced_position`` has reached the record's end.

Clauses: sto-offset-dense, sto-offset-unique, sto-fifo-queue, sto-recover-no-ghost. Source: rocketmq
DefaultMessageStore.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from reference_impl.commands import PROPERTY_KEYS, PROPERTY_UNIQ_KEY
from reference_impl.disk import Disk
from reference_impl.errors import RecordError
from reference_impl.message import (
    BLANK_BYTES_MIN,
    MAGIC_BLANK,
    MAGIC_V1,
    MAGIC_V2,
    Host,
    Message,
    Record,
    decode_record,
    encode_record,
    java_hash,
    peek_record,
)
from reference_impl.store.commit_log import CommitLog, first_position
from reference_impl.store.consume_queue import ConsumeQueue
from reference_impl.store.index import KeyIndex, hashes_of
from reference_impl.store.reads import READ_BYTES_MAX, SCANNED_MESSAGES, Read, choose, fetch, wanted_by
from reference_impl.store.scan import HEAD_BYTES, Scanned, Scanner, store_time
from reference_impl.store.snapshot import NAME as SNAPSHOT
from reference_impl.store.snapshot import Snapshot, read_snapshot, write_snapshot
from reference_impl.store.tables import QUEUE_ENDS, load_table, save_table

COMMIT_LOG_FILE_BYTES: Final = 1 << 30
"""RocketMQ's mappedFileSizeCommitLog."""

TAGS_REMEMBERED_MAX: Final = 4096
"""Tags whose hash is kept; ours: hashing one again costs microseconds."""

RECORD_BYTES_MAX: Final = 64 << 20
"""Longest record, or rest of a file, taken over from another log; ours: a message comes in a frame of 16 MiB."""

QUERIED_MAX: Final = 10_000
"""Records one query by key looks at; ours: a key that everybody uses must not stop everything else."""


class Appended(Struct, frozen=True, gc=False):
    """Where a message was stored. Nothing here says that it is synced."""

    queue_offset: int
    physical_offset: int
    """Position of the record in the commit log, bytes."""
    end_position: int
    """Position after it: synced when ``Store.synced_position`` is at least this."""
    size: int
    """Bytes of the record."""


class Store:
    """See the module. Made by ``Store.open``."""

    def __init__(self, disk: Disk, indexed: bool) -> None:
        self._disk = disk
        self._indexed = indexed
        self._log: CommitLog
        self._index = KeyIndex()
        self._queues: dict[tuple[str, int], ConsumeQueue] = {}
        self._tags_codes: dict[str, int] = {}
        self._scanner = Scanner()

    @classmethod
    def open(cls, disk: Disk, *, commit_log_file_bytes: int = COMMIT_LOG_FILE_BYTES, indexed: bool = True) -> Store:
        """Open and recover: every valid record up to the first that is not; the rest of the log is removed.

        What was recovered is synced before this returns, so that nothing that was shown to a reader can vanish later.
        ``indexed``: whether messages can be found by their keys. Raises ``OSError``.
        """
        store = cls(disk, indexed)
        known = store._resume(first_position(disk))
        store._log = CommitLog.open(disk, commit_log_file_bytes, store._take_in, known)
        if store._log.appended_position < known or not store._ends_at(known):
            # Somebody has cut or changed the log since: only the log itself counts, and once it has grown past where
            # the snapshot ended, the snapshot would look true again.
            store._log.close()
            store._forget()
            disk.remove(SNAPSHOT)
            store._log = CommitLog.open(disk, commit_log_file_bytes, store._take_in)
        store._drop_gone()
        for topic, ends in (load_table(disk, QUEUE_ENDS) or {}).items():
            for queue_id, end in ends.items():
                store._queues.setdefault((topic, int(queue_id)), ConsumeQueue(end))
        return store

    @property
    def appended_position(self) -> int:
        """Position after the last record."""
        return self._log.appended_position

    @property
    def synced_position(self) -> int:
        """Everything before this position survives a power cut."""
        return self._log.synced_position

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store a message at the end of its queue, with ``now_ms`` as store time.

        Raises ``RecordError`` (topic or properties too long), ``RecordTooLargeError``, ``StoreBusyError``,
        ``OSError``; nothing is stored then and no queue offset is used up.
        """
        queue = self._queues.get((message.topic, message.queue_id))
        queued = message.queued
        offset = queue.max_offset if queued and queue is not None else 0
        position = self._log.appended_position
        data = encode_record(
            message, queue_offset=offset, physical_offset=position, store_time_ms=now_ms, store_host=store_host
        )
        at = self._log.position_for(len(data))
        if at != position:
            data = encode_record(
                message, queue_offset=offset, physical_offset=at, store_time_ms=now_ms, store_host=store_host
            )
        end = self._log.append(data)
        if queued:
            if queue is None:
                queue = self._queues[message.topic, message.queue_id] = ConsumeQueue()
            queue.add(at, len(data), self._tags_code(message))
            self._enter_keys(message, at)
        return Appended(offset, at, end, len(data))

    def append_batch(self, messages: Sequence[Message], now_ms: int, store_host: Host) -> list[Appended]:
        """Store messages one after another with one write, all in one file; all or, where an error is raised, none.

        Errors as ``append``. A power cut may leave the first few of them.
        """
        position = self._log.appended_position
        records = self._encode_batch(messages, position, now_ms, store_host)
        at = self._log.position_for(sum(map(len, records)))
        if at != position:
            records = self._encode_batch(messages, at, now_ms, store_host)
        self._log.append(b"".join(records))
        stored = []
        for message, data in zip(messages, records, strict=True):
            queue = self._queues.setdefault((message.topic, message.queue_id), ConsumeQueue())
            stored.append(Appended(queue.max_offset, at, at + len(data), len(data)))
            queue.add(at, len(data), self._tags_code(message))
            self._enter_keys(message, at)
            at += len(data)
        return stored

    @property
    def last_file_position(self) -> int:
        """Where the last file of the commit log begins."""
        return self._log.last_file_position

    def read_log(self, position: int, size: int) -> bytes:
        """Up to ``size`` bytes of the commit log as they are, from one file; nothing where it has no such position."""
        return self._log.read(position, size)

    def begin_at(self, position: int) -> None:
        """Let a store that never had a message begin its log at ``position``."""
        self._log.begin_at(position)

    def take_over(self, data: bytes | bytearray) -> list[Scanned]:
        """Append the whole records that ``data`` begins with: the next ones of another broker's log, byte for byte.

        Gives the records; what follows them in ``data`` is the caller's to keep. Raises ``RecordError`` when ``data``
        begins with no record of this position and its queue, ``RecordTooLargeError``, ``StoreBusyError``, ``OSError``;
        nothing was appended then. Source: rocketmq DefaultMessageStore.appendToCommitLog.
        """
        if _may_be_cut(data):
            return []
        records = self._whole_records(memoryview(bytes(data)))
        size = sum(record.size for record in records)
        self._log.copy(bytes(data[:size]), fills=not records[-1].topic)
        for record in records:
            if record.topic:
                self._take_in(record)
        return records

    def _whole_records(self, data: memoryview) -> list[Scanned]:
        """Up to the end of a file, to one that is cut or to one that is wrong; RecordError where that is the first."""
        position = self._log.appended_position
        offsets: dict[tuple[str, int], int] = {}
        records: list[Scanned] = []
        at = 0
        while not records or records[-1].topic:
            record = self._scanner.record_at(data, at, position + at)
            if record is None:
                if not records:
                    raise RecordError(f"no record at {position}: {bytes(data[:BLANK_BYTES_MIN]).hex()} …")
                break
            key = record.topic, record.queue_id
            if record.topic and not self._follows(record, offsets.get(key)):
                if records:
                    break
                raise RecordError(
                    f"record at {position + at} has offset {record.queue_offset} of {record.topic}:{record.queue_id}, "
                    f"which ends at {self.max_offset(*key)}"
                )
            if record.queued:
                offsets[key] = record.queue_offset + 1
            records.append(record)
            at += record.size
        return records

    def read(
        self,
        topic: str,
        queue_id: int,
        offset: int,
        max_num: int,
        max_bytes: int = READ_BYTES_MAX,
        accept: Callable[[int], bool] | None = None,
        accept_properties: Callable[[Mapping[str, str]], bool] | None = None,
        scanned: int = SCANNED_MESSAGES,
    ) -> Read:
        """Up to ``max_num`` records of a queue from ``offset`` on, at most ``max_bytes`` but at least one.

        ``accept`` is asked with each message's tags code (Java's hash of TAGS, 0 without), then ``accept_properties``
        with its properties, which have to be read for that; ``scanned`` are looked at, but at least
        ``SCANNED_MESSAGES`` and at most ``SCANNED_MESSAGES_MAX``. Source: rocketmq DefaultMessageStore.getMessage.
        """
        queue = self._queues.get((topic, queue_id))
        if queue is None:
            return Read("NO_MESSAGE_IN_QUEUE", b"", 0, 0, 0, 0)
        low, high = queue.min_offset, queue.max_offset
        if offset < low:
            return Read("OFFSET_TOO_SMALL", b"", 0, low, low, high)
        if offset == high:
            return Read("OFFSET_OVERFLOW_ONE", b"", 0, offset, low, high)
        if offset > high:
            return Read("OFFSET_OVERFLOW_BADLY", b"", 0, high, low, high)
        wanted = wanted_by(self._log, queue, accept, accept_properties)
        chosen, looked_at = choose(queue, offset - low, max_num, max_bytes, wanted, scanned)
        status = "FOUND" if chosen else "NO_MATCHED_MESSAGE"
        return Read(status, fetch(self._log, queue, chosen), len(chosen), offset + looked_at, low, high)

    def record_at(self, physical_offset: int) -> Record | None:
        """The record that begins at a position of the commit log, or None when none does."""
        size, _ = peek_record(self._log.read(physical_offset, HEAD_BYTES))
        if physical_offset < 0 or not HEAD_BYTES <= size <= self._log.file_end(physical_offset) - physical_offset:
            return None
        try:
            record = decode_record(self._log.read(physical_offset, size))
        except RecordError:
            return None
        return record if record.physical_offset == physical_offset else None

    def by_key(self, topic: str, key: str, max_num: int, begin_ms: int, end_ms: int) -> list[bytes]:
        """The latest ``max_num`` records of a topic with a key (a word of KEYS, or UNIQ_KEY) that were stored within
        [begin_ms, end_ms], in the order of the log. Clause: sto-query-key.
        """
        found: list[bytes] = []
        for looked_at, position in enumerate(self._index.find(topic, key)):
            if len(found) >= max_num or looked_at >= QUERIED_MAX:
                break
            record = self.record_at(position)
            if record is None or record.topic != topic or not begin_ms <= record.store_time_ms <= end_ms:
                continue
            unique, keys = record.properties.get(PROPERTY_UNIQ_KEY), record.properties.get(PROPERTY_KEYS, "")
            if key == unique or key in keys.split():
                found.append(self._log.read(position, record.size))
        return found[::-1]

    def queues(self) -> Iterator[tuple[str, int]]:
        """All queues that have messages, as (topic, queue id), in no promised order."""
        return iter(list(self._queues))

    def min_offset(self, topic: str, queue_id: int) -> int:
        """Offset of the first message of a queue; 0 for a queue without messages."""
        queue = self._queues.get((topic, queue_id))
        return 0 if queue is None else queue.min_offset

    def max_offset(self, topic: str, queue_id: int) -> int:
        """Offset that the next message of a queue will get; 0 for a queue without messages."""
        queue = self._queues.get((topic, queue_id))
        return 0 if queue is None else queue.max_offset

    def position_of(self, topic: str, queue_id: int, offset: int) -> int | None:
        """Where a message is in the commit log, None where the queue has no such offset."""
        queue = self._queues.get((topic, queue_id))
        if queue is None or not queue.min_offset <= offset < queue.max_offset:
            return None
        return queue.positions[offset - queue.min_offset]

    def offset_by_time(self, topic: str, queue_id: int, time_ms: int) -> int:
        """Offset of the first message stored at ``time_ms`` or later; the last message's when all are earlier; 0
        without any.

        RocketMQ 4.9 answers the same after the last record; between two records it takes the nearer, 5.x the later one.
        Store times are taken to rise, as long as the clock does. Clause: sto-query-time.
        """
        queue = self._queues.get((topic, queue_id))
        if queue is None or not queue.positions:
            return 0 if queue is None else queue.min_offset
        index = bisect_left(queue.positions, time_ms, key=self._store_time)
        return queue.min_offset + min(index, len(queue.positions) - 1)

    def earliest_time(self, topic: str, queue_id: int) -> int:
        """Store time in ms of the first message of a queue; -1 for a queue without messages."""
        queue = self._queues.get((topic, queue_id))
        return -1 if queue is None or not queue.positions else self._store_time(queue.positions[0])

    def sync(self) -> int:
        """Make everything appended so far durable and return the position covered. May run in one other thread.

        Raises ``OSError``: ``synced_position`` stays, and the next call writes again what this one could not make
        sure of.
        """
        return self._log.sync()

    def empty(self) -> None:
        """Drop all messages, durably. Queue offsets begin at 0 again, positions do not (waits for a running sync)."""
        self._log.empty()
        self._forget()
        self._disk.remove(SNAPSHOT, QUEUE_ENDS)

    def remove_older(self, before_ms: int, count: int) -> int:
        """Remove up to ``count`` of the oldest files of the log whose last message was stored before ``before_ms``;
        how many. The one that is written to stays. Raises ``OSError``.
        """
        gone = 0
        for end in self._log.file_ends[:count]:
            last = self._last_position(end)
            if last is not None and self._store_time(last) >= before_ms:
                break
            gone += 1
        if gone:
            self._keep_ends(self._log.file_ends[gone - 1])
            self._log.remove_first(gone)
            self._drop_gone()
        return gone

    def forget_topic(self, topic: str, before: int) -> bool:
        """Drop the queues of a topic that end before a position: their messages stay in the log, unreadable, and the
        topic's next message is its first; whether the log still had any. The next start finds the messages again, so
        whoever deletes a topic has to say so again. Source: rocketmq DefaultMessageStore.cleanUnusedTopic.
        """
        if before <= self._log.min_position:
            return False
        for key, queue in list(self._queues.items()):
            if key[0] == topic and not (queue.positions and queue.positions[-1] >= before):
                del self._queues[key]
        ends = load_table(self._disk, QUEUE_ENDS) or {}
        if ends.pop(topic, None) is not None:
            save_table(self._disk, QUEUE_ENDS, ends, durable=True)
        return True

    def save(self) -> None:
        """At a clean stop, after the last sync: write down what a start would else have to find out from the log.

        Does nothing while something is not synced. Raises ``OSError``; then the next start reads the whole log.
        """
        if self.appended_position == self.synced_position:
            write_snapshot(self._disk, Snapshot(self.appended_position, self._queues, self._index))

    def close(self) -> None:
        """Close the files. Does not sync (waits for a running sync)."""
        self._log.close()

    def _take_in(self, found: Scanned) -> bool:
        """Enter a recovered or copied record into its queue; False if its offset is not the queue's next one."""
        if not found.queued:
            return True
        if not self._follows(found, None):
            return False
        queue = self._queues.get((found.topic, found.queue_id))
        if queue is None or found.queue_offset != queue.max_offset:
            queue = self._queues[found.topic, found.queue_id] = ConsumeQueue(found.queue_offset)
        queue.add(found.position, found.size, found.tags_code)
        if self._indexed:
            self._index.add(found.key_hashes, found.position)
        return True

    def _enter_keys(self, message: Message, position: int) -> None:
        if self._indexed:
            self._index.add(hashes_of(message.topic, message.properties), position)

    def _resume(self, log_begin: int) -> int:
        """Take over the snapshot of a clean stop; the position up to which the log is known by it."""
        snapshot = read_snapshot(self._disk)
        if snapshot is None:
            return 0
        if snapshot.end_position < log_begin:
            # Old files went after it was made: its queues would not join what is left.
            self._disk.remove(SNAPSHOT)
            return 0
        self._queues, self._index = snapshot.queues, snapshot.index
        return snapshot.end_position

    def _ends_at(self, position: int) -> bool:
        """Whether the last message that the snapshot knows is there, and is the last before ``position``."""
        last = self._last_position(position)
        if last is None:
            return True
        record = self.record_at(last)
        return record is not None and last + record.size <= position

    def _last_position(self, before: int) -> int | None:
        """Where the last message before a position of the log is, None without any."""
        queues = [queue.positions for queue in self._queues.values() if queue.positions and queue.positions[0] < before]
        return max((positions[bisect_left(positions, before) - 1] for positions in queues), default=None)

    def _drop_gone(self) -> None:
        """Forget messages of files that have been removed."""
        begin = self._log.min_position
        for queue in self._queues.values():
            queue.forget_before(begin)
        self._index.forget_before(begin)

    def _keep_ends(self, begin: int) -> None:
        """Write down where queues go on that will have no message left once the log begins at ``begin``."""
        ends: dict[str, dict[str, int]] = {}
        for (topic, queue_id), queue in self._queues.items():
            if not queue.positions or queue.positions[-1] < begin:
                ends.setdefault(topic, {})[str(queue_id)] = queue.max_offset
        save_table(self._disk, QUEUE_ENDS, ends, durable=True)

    def _forget(self) -> None:
        self._queues.clear()
        self._index.clear()

    def _follows(self, found: Scanned, next_offset: int | None) -> bool:
        """Whether a record is the next of its queue, the first there is of it, the first after its topic was
        deleted and made anew (which RocketMQ begins at 0), or one that is in no queue (0 too).
        """
        if next_offset is None:
            queue = self._queues.get((found.topic, found.queue_id))
            next_offset = found.queue_offset if queue is None else queue.max_offset
        return found.queue_offset in (next_offset, 0)

    def _encode_batch(self, messages: Sequence[Message], at: int, now_ms: int, store_host: Host) -> list[bytes]:
        offsets: dict[tuple[str, int], int] = {}
        records = []
        for message in messages:
            key = message.topic, message.queue_id
            offset = offsets.get(key, self.max_offset(*key))
            offsets[key] = offset + 1
            data = encode_record(
                message, queue_offset=offset, physical_offset=at, store_time_ms=now_ms, store_host=store_host
            )
            records.append(data)
            at += len(data)
        return records

    def _tags_code(self, message: Message) -> int:
        tags = message.properties.get("TAGS")
        if not tags:
            return 0
        code = self._tags_codes.get(tags)
        if code is None:
            if len(self._tags_codes) >= TAGS_REMEMBERED_MAX:
                self._tags_codes.clear()
            code = self._tags_codes[tags] = java_hash(tags)
        return code

    def _store_time(self, position: int) -> int:
        return store_time(self._log.read(position, HEAD_BYTES))


def _may_be_cut(data: bytes | bytearray) -> bool:
    """Whether ``data`` may be the beginning of a record that is not whole."""
    if len(data) < BLANK_BYTES_MIN:
        return True
    size, magic = peek_record(memoryview(data))
    return magic in (MAGIC_V1, MAGIC_V2, MAGIC_BLANK) and len(data) < size <= RECORD_BYTES_MAX
