"""Transactions: half messages that wait for their producer's decision, and the checks that ask for it.

A half message lies in RMQ_SYS_TRANS_HALF_TOPIC; a commit copies it to its real topic, and commit and rollback alike
leave an *op* record that names the half message's queue offset. A half message without an op is *open*. Each check
stores an open half message again (so that the half queue's progress can pass it) and asks its producer. Must not
know connections or requests: the broker's handlers call it. Source: RocketMQ 4.9 TransactionalMessageServiceImpl,
TransactionalMessageBridge, EndTransactionProcessor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from reference_impl.commands import (
    PROPERTY_CHECK_IMMUNITY,
    PROPERTY_CHECK_TIMES,
    PROPERTY_PREPARED_QUEUE_OFFSET,
    PROPERTY_REAL_QID,
    PROPERTY_REAL_TOPIC,
    PROPERTY_TAGS,
    PROPERTY_TRAN_MSG,
    PROPERTY_WAIT,
    SYS_TRANSACTION_COMMIT,
    SYS_TRANSACTION_MASK,
    TRANS_CHECK_MAX_TIME_TOPIC,
    TRANS_HALF_TOPIC,
    TRANS_OP_HALF_TOPIC,
)
from reference_impl.message import Host, Message, Record, decode_record
from reference_impl.redelivery import as_message
from reference_impl.store import Read

CHECK_GROUP: Final = "CID_RMQ_SYS_TRANS"
"""The internal consumer group under which progress in both queues is committed."""
OP_TAG: Final = "d"
"""Tag of an op record: the half message is to be passed over."""
READ_MAX: Final = 32
"""Records read at once when progress is taken up again after a start; ours."""

SLICE: Final = 200
SLICE_PAUSE_MS: Final = 5
"""A round of checks looks at so many half messages, and lets everything else go on for so long; ours: RocketMQ checks
in a thread of its own.
"""


class Reader(Protocol):
    """What is needed of the store."""

    def min_offset(self, topic: str, queue_id: int) -> int:
        """First readable offset."""
        ...

    def max_offset(self, topic: str, queue_id: int) -> int:
        """Offset of the next message."""
        ...

    def read(self, topic: str, queue_id: int, offset: int, max_num: int) -> Read:
        """Messages from an offset on."""
        ...


class Rules(Struct, frozen=True):
    """When a half message is asked about, and when it is given up. RocketMQ: BrokerConfig, MessageStoreConfig."""

    timeout_ms: int
    """``transactionTimeOut``: a younger half message is left alone."""
    checks_max: int
    """``transactionCheckMax``."""
    reserved_ms: int
    """``fileReservedTime``: an older half message is given up."""


class Waits(Struct, frozen=True, tag=True):
    """Too young to be asked about."""


class GivenUp(Struct, frozen=True, tag=True):
    """Asked about too often, or too old: kept aside in TRANS_CHECK_MAX_TIME_TOPIC, delivered to nobody."""

    message: Message


class Again(Struct, frozen=True, tag=True):
    """To be stored again; ``ask``: and then its producer is asked."""

    message: Message
    ask: bool


def is_prepared(properties: Mapping[str, str]) -> bool:
    """Whether a send is half of a transaction: its property says so, whatever its sysFlag says (4.9)."""
    return properties.get(PROPERTY_TRAN_MSG, "").lower() == "true"


def half_message(message: Message) -> Message:
    """The form in which a prepared message waits: real topic and queue moved into properties, bits cleared."""
    properties = {
        **message.properties,
        PROPERTY_REAL_TOPIC: message.topic,
        PROPERTY_REAL_QID: str(message.queue_id),
    }
    return replace(
        message,
        topic=TRANS_HALF_TOPIC,
        queue_id=0,
        sys_flag=message.sys_flag & ~SYS_TRANSACTION_MASK,
        properties=properties,
    )


def committed_message(record: Record) -> Message | None:
    """The copy for the real topic; None where the record does not say which. All properties stay, as in 4.9."""
    topic = record.properties.get(PROPERTY_REAL_TOPIC)
    if not topic:
        return None
    return replace(
        as_message(record),
        topic=topic,
        queue_id=int(record.properties.get(PROPERTY_REAL_QID, "0")),
        sys_flag=record.sys_flag & ~SYS_TRANSACTION_MASK | SYS_TRANSACTION_COMMIT,
        prepared_offset=record.physical_offset,
    )


def op_message(half_offset: int, host: Host, now_ms: int) -> Message:
    """The record that settles the half message at a queue offset."""
    return Message(
        topic=TRANS_OP_HALF_TOPIC,
        queue_id=0,
        body=str(half_offset).encode(),
        properties={PROPERTY_WAIT: "true", PROPERTY_TAGS: OP_TAG},
        flag=0,
        sys_flag=0,
        born_time_ms=now_ms,
        born_host=host,
    )


def asked_about(half: Message) -> Message:
    """The half message as its producer gets to see it (code 39): under its real topic and queue."""
    topic = half.properties.get(PROPERTY_REAL_TOPIC, half.topic)
    return replace(half, topic=topic, queue_id=int(half.properties.get(PROPERTY_REAL_QID, "0")))


def origin_of(half: Message, queue_offset: int) -> int:
    """Offset that an open half message is known by: its own, or through rounds of immunity that of the first copy."""
    text = half.properties.get(PROPERTY_PREPARED_QUEUE_OFFSET, "")
    return int(text) if text.isdecimal() else queue_offset


def next_step(record: Record, rules: Rules, now_ms: int) -> Waits | GivenUp | Again:
    """What one round of checks does with an open half message.

    A round within ``CHECK_IMMUNITY_TIME_IN_SECONDS`` stores it again without asking, and counts.
    """
    checks = _number(record.properties.get(PROPERTY_CHECK_TIMES), 0)
    age_ms = now_ms - record.born_time_ms
    if checks >= rules.checks_max or age_ms > rules.reserved_ms:
        return GivenUp(replace(as_message(record), topic=TRANS_CHECK_MAX_TIME_TOPIC, queue_id=0))
    properties = {**record.properties, PROPERTY_CHECK_TIMES: str(checks + 1)}
    immunity = record.properties.get(PROPERTY_CHECK_IMMUNITY)
    seconds = _number(immunity, -1)
    immune_ms = rules.timeout_ms if seconds < 0 else seconds * 1000
    if immunity is not None and age_ms < immune_ms:
        properties[PROPERTY_PREPARED_QUEUE_OFFSET] = str(origin_of(record, record.queue_offset))
        properties[PROPERTY_WAIT] = "false"
        return Again(replace(as_message(record), properties=properties), ask=False)
    # A producer's clock that runs ahead must not keep its message from ever being asked about.
    if 0 <= age_ms < immune_ms:
        return Waits()
    return Again(replace(as_message(record), properties=properties), ask=True)


class _Open(Struct, frozen=True):
    offset: int
    """Queue offset of the latest copy."""
    op_offset: int
    """Where the op queue ended when that copy was stored: its op lies there or later."""


class TransactionTable(Struct):
    """The open half messages, the earliest copy first; one small entry for each."""

    open: dict[int, _Open] = field(default_factory=dict)
    """By origin."""
    half_end: int = 0
    """Queue offset after the last half message."""
    op_end: int = 0
    """Queue offset after the last op record."""
    ahead: deque[int] = field(default_factory=deque)
    """What the round of checks that is going on has not looked at yet, by origin."""
    next_slice_ms: int | None = None
    """When the round goes on; None when none is going on."""

    def half_stored(self, half: Message, queue_offset: int) -> None:
        """A half message, or a copy of one, was stored at a queue offset."""
        origin = origin_of(half, queue_offset)
        self.open.pop(origin, None)
        self.open[origin] = _Open(queue_offset, self.op_end)
        self.half_end = queue_offset + 1

    def op_stored(self, op_offset: int, origin: int) -> None:
        """The half message is settled."""
        self.op_end = op_offset + 1
        self.open.pop(origin, None)

    def given_up(self, origin: int) -> None:
        """The half message is asked about no more."""
        self.open.pop(origin, None)

    def begin_round(self, now_ms: int) -> None:
        """Look at every open half message, the earliest copy first; a round that is going on just goes on."""
        if self.next_slice_ms is None:
            self.ahead.extend(self.open)
            self.next_slice_ms = now_ms

    def take_slice(self, now_ms: int) -> list[tuple[int, int]]:
        """The next few that are open still: origin, and queue offset of the latest copy."""
        origins = [self.ahead.popleft() for _ in range(min(SLICE, len(self.ahead)))]
        self.next_slice_ms = now_ms + SLICE_PAUSE_MS if self.ahead else None
        return [(origin, self.open[origin].offset) for origin in origins if origin in self.open]

    def progress(self) -> tuple[int, int]:
        """From where half and op queue have to be read after a start: offsets to commit for ``CHECK_GROUP``."""
        first = next(iter(self.open.values()), None)
        return (self.half_end, self.op_end) if first is None else (first.offset, first.op_offset)

    def resume(self, store: Reader, half_offset: int, op_offset: int) -> None:
        """After a start: find out from the log what is open, from committed progress on."""
        self.reset()
        self.half_end = store.max_offset(TRANS_HALF_TOPIC, 0)
        self.op_end = store.max_offset(TRANS_OP_HALF_TOPIC, 0)
        first_op = self._clamp(store, TRANS_OP_HALF_TOPIC, op_offset)
        for record in _records(store, TRANS_HALF_TOPIC, self._clamp(store, TRANS_HALF_TOPIC, half_offset)):
            origin = origin_of(record, record.queue_offset)
            self.open.pop(origin, None)
            self.open[origin] = _Open(record.queue_offset, first_op)
        for record in _records(store, TRANS_OP_HALF_TOPIC, first_op):
            settled = _number(record.body.decode("ascii", "replace").rstrip(","), -1)
            self.open.pop(self._origin_at(store, settled), None)

    def reset(self) -> None:
        """Forget everything: both queues are empty."""
        self.open.clear()
        self.ahead.clear()
        self.next_slice_ms = None
        self.half_end = self.op_end = 0

    @staticmethod
    def _clamp(store: Reader, topic: str, offset: int) -> int:
        """A power cut may have taken the end of the log, retention its begin."""
        return min(max(offset, store.min_offset(topic, 0)), store.max_offset(topic, 0))

    @staticmethod
    def _origin_at(store: Reader, half_offset: int) -> int:
        found = store.read(TRANS_HALF_TOPIC, 0, half_offset, 1)
        return origin_of(decode_record(found.records), half_offset) if found.count else half_offset


def _records(store: Reader, topic: str, offset: int) -> list[Record]:
    """All records of a queue from an offset on."""
    records: list[Record] = []
    end = store.max_offset(topic, 0)
    while offset < end:
        found = store.read(topic, 0, offset, READ_MAX)
        at = 0
        for _ in range(found.count):
            record = decode_record(found.records, at)
            records.append(record)
            at += record.size
        if found.next_offset <= offset:
            break
        offset = found.next_offset
    return records


def _number(text: str | None, default: int) -> int:
    """A property that is a number; texts that are none count as absent."""
    try:
        return default if text is None else int(text)
    except ValueError:
        return default
