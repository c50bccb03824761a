"""Redelivery: messages that come later or come again.

A delayed message waits in SCHEDULE_TOPIC_XXXX, one queue per level, and is copied to its real topic when its time
has come. A message that a consumer sends back (code 36) becomes a retry copy, delayed by one level more each time,
and after the last retry a dead letter. Must not touch connections: the broker's handlers call it. Sources: RocketMQ
ScheduleMessageService, AbstractSendMessageProcessor.consumerSendMsgBack, SendMessageProcessor.handleRetryAndDLQ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from reference_impl.commands import (
    PROPERTY_DELAY,
    PROPERTY_ORIGIN_MESSAGE_ID,
    PROPERTY_REAL_QID,
    PROPERTY_REAL_TOPIC,
    PROPERTY_RETRY_TOPIC,
    PROPERTY_WAIT,
    SCHEDULE_TOPIC,
)
from reference_impl.delivery.topics import dead_letter_topic, retry_topic
from reference_impl.message import Message, Record, decode_record, offset_message_id

FIRST_RETRY_LEVEL = 3
"""A first failure waits this level; each further one a level more."""
DELIVER_MAX = 500
"""Messages copied per level and tick, so that a backlog does not stop everything else; ours."""


class Reader(Protocol):
    """What the schedule needs of the store."""

    def min_offset(self, topic: str, queue_id: int) -> int:
        """First readable offset."""
        ...

    def max_offset(self, topic: str, queue_id: int) -> int:
        """Offset of the next message."""
        ...

    def read(self, topic: str, queue_id: int, offset: int, max_num: int) -> Any:
        """Messages from an offset on."""
        ...


def delay_level(message: Message) -> int:
    """The level a message asks for; 0 = none. Negative levels and texts that are no number mean none."""
    text = message.properties.get(PROPERTY_DELAY)
    if text is None:
        return 0
    try:
        return max(0, int(text))
    except ValueError:
        return 0


def scheduled(message: Message, level: int, levels: int) -> Message:
    """The form in which a delayed message waits: its real topic and queue moved into properties.

    A level beyond the ladder becomes the last one, and the property says so.
    """
    level = min(level, levels)
    properties = {
        **message.properties,
        PROPERTY_DELAY: str(level),
        PROPERTY_REAL_TOPIC: message.topic,
        PROPERTY_REAL_QID: str(message.queue_id),
    }
    return replace(message, topic=SCHEDULE_TOPIC, queue_id=level - 1, properties=properties)


def awakened(record: Record) -> Message | None:
    """The copy for the real topic; None where the record does not say which. DELAY and REAL_* stay, as in RocketMQ."""
    topic = record.properties.get(PROPERTY_REAL_TOPIC)
    if not topic:
        return None
    return replace(as_message(record), topic=topic, queue_id=int(record.properties.get(PROPERTY_REAL_QID, "0")))


def as_message(record: Record) -> Message:
    """A stored record without its place: what would have to be appended to store it again."""
    return Message(
        topic=record.topic,
        queue_id=record.queue_id,
        body=record.body,
        properties=record.properties,
        flag=record.flag,
        sys_flag=record.sys_flag,
        born_time_ms=record.born_time_ms,
        born_host=record.born_host,
        reconsume_times=record.reconsume_times,
        prepared_offset=record.prepared_offset,
    )


def retry_copy(record: Record, group: str, level: int, retry_max: int, queue_id: int) -> Message:
    """What is stored for a message that ``group`` sent back: a retry copy, or a dead letter.

    A dead letter when ``retry_max`` retries are used up or ``level`` is negative; level 0 leaves the wait to the
    broker. RECONSUMETIMES counts this failure; ORIGIN_MESSAGE_ID stays the first record's through all copies.
    WAIT=false: these copies are not covered by a synchronous flush.
    """
    dead = level < 0 or record.reconsume_times >= retry_max
    wait_level = level or FIRST_RETRY_LEVEL + record.reconsume_times
    properties = dict(record.properties)
    properties.setdefault(PROPERTY_RETRY_TOPIC, record.topic)
    properties.setdefault(PROPERTY_ORIGIN_MESSAGE_ID, offset_message_id(record.store_host, record.physical_offset))
    properties[PROPERTY_DELAY] = "0" if dead else str(wait_level)
    properties[PROPERTY_WAIT] = "false"
    return replace(
        as_message(record),
        topic=dead_letter_topic(group) if dead else retry_topic(group),
        queue_id=0 if dead else queue_id,
        properties=properties,
        reconsume_times=record.reconsume_times + 1,
    )


class DelaySchedule(Struct):
    """How far each level has been delivered, and when its next message is due."""

    levels_ms: tuple[int, ...]
    scan_ms: int
    """Granularity in ms: a message is delivered at the first multiple of it at or after its time."""
    offsets: dict[int, int] = field(default_factory=dict)
    """Level → offset in its schedule queue of the next message to deliver."""
    due_ms: dict[int, int] = field(default_factory=dict)
    """Level → when its next message is due, for levels in which one waits."""
    corrected: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Level → (offset, time): messages before the offset were stored by a clock that was set back since, and are
    due then.
    """
    unsaved: bool = False
    """Progress is not in ``delayOffset.json`` yet."""

    def added(self, level: int, now_ms: int) -> None:
        """A message of this level was stored just now."""
        if level not in self.due_ms:
            self.due_ms[level] = self._rounded(now_ms + self.levels_ms[level - 1])

    def resume(self, store: Reader, now_ms: int) -> None:
        """After a start: look into every level that has something waiting."""
        for level in range(1, len(self.levels_ms) + 1):
            self._clamp(store, level)
            if self.offsets.get(level, 0) < store.max_offset(SCHEDULE_TOPIC, level - 1):
                self.due_ms[level] = now_ms

    def next_due_ms(self) -> int | None:
        """When ``pop`` has something to do; None where nothing waits."""
        return min(self.due_ms.values(), default=None)

    def follow_clock(self, now_ms: int) -> None:
        """After the clock was set back: look at once into levels that would wait longer than their delay."""
        for level, due_ms in self.due_ms.items():
            if due_ms - now_ms > self.levels_ms[level - 1] + self.scan_ms:
                self.due_ms[level] = now_ms

    def clock_moved(self) -> None:
        """The clock was moved on purpose: look at once into every level, between two looks of the usual grid too."""
        self.due_ms = dict.fromkeys(self.due_ms, 0)

    def pop(self, store: Reader, now_ms: int) -> Iterator[Message]:
        """The messages that are due, in order within a level; each counts as delivered once the next is asked for."""
        for level in sorted(level for level, due in self.due_ms.items() if due <= now_ms):
            yield from self._pop_level(store, level, now_ms)

    def postpone(self, now_ms: int) -> None:
        """Delivering failed: try what is due again at the next look, not at once."""
        for level, due_ms in self.due_ms.items():
            if due_ms <= now_ms:
                self.due_ms[level] = self._rounded(now_ms + self.scan_ms)

    def to_json(self) -> dict[str, Any]:
        """RocketMQ's DelayOffsetSerializeWrapper: ``delayOffset.json`` and code 45."""
        return {"offsetTable": {str(level): offset for level, offset in sorted(self.offsets.items())}}

    def load_json(self, shape: dict[str, Any]) -> None:
        """Take over saved progress."""
        self.offsets = {int(level): int(offset) for level, offset in shape.get("offsetTable", {}).items()}

    def reset(self) -> None:
        """Forget all progress: the schedule topic is empty."""
        self.offsets.clear()
        self.due_ms.clear()
        self.corrected.clear()
        self.unsaved = True

    def _pop_level(self, store: Reader, level: int, now_ms: int) -> Iterator[Message]:
        for _ in range(DELIVER_MAX):
            record = self._waiting(store, level)
            if record is None:
                self.due_ms.pop(level, None)
                return
            due_ms = self._due(store, level, record, now_ms)
            if due_ms > now_ms:
                self.due_ms[level] = self._rounded(due_ms)
                return
            message = awakened(record)
            if message is not None:
                yield message
            self.offsets[level] = record.queue_offset + 1
            self.unsaved = True
        self.due_ms[level] = now_ms

    def _due(self, store: Reader, level: int, record: Record, now_ms: int) -> int:
        """When a message is due. A clock that was set back must not keep it longer than its delay, counted from now."""
        delay_ms = self.levels_ms[level - 1]
        due_ms = record.store_time_ms + delay_ms
        if record.store_time_ms <= now_ms:
            return due_ms
        before, corrected_ms = self.corrected.get(level, (0, 0))
        if record.queue_offset >= before:
            before, corrected_ms = store.max_offset(SCHEDULE_TOPIC, level - 1), now_ms + delay_ms
            self.corrected[level] = before, corrected_ms
        return min(due_ms, corrected_ms)

    def _waiting(self, store: Reader, level: int) -> Record | None:
        offset = self.offsets.get(level, 0)
        found = store.read(SCHEDULE_TOPIC, level - 1, offset, 1)
        return decode_record(found.records) if found.count else None

    def _clamp(self, store: Reader, level: int) -> None:
        """A power cut may have taken the end of the log, so that saved progress lies beyond it."""
        low, high = store.min_offset(SCHEDULE_TOPIC, level - 1), store.max_offset(SCHEDULE_TOPIC, level - 1)
        self.offsets[level] = min(max(self.offsets.get(level, 0), low), high)

    def _rounded(self, time_ms: int) -> int:
        return -(-time_ms // self.scan_ms) * self.scan_ms
