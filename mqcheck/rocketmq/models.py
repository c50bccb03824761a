"""The values that the recording client takes and gives: messages, queues, routes, deliveries, outcomes, settings.

Plain data only; nothing here opens a connection, reads a clock or writes the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from mqcheck.rocketmq.message import StoredRecord

Mode = Literal["clustering", "broadcasting"]
"""RocketMQ's message model: a group shares its messages, or every member gets all of them."""

FromWhere = Literal["first", "last"]
"""Where a group without stored offset begins: CONSUME_FROM_FIRST_OFFSET or CONSUME_FROM_LAST_OFFSET."""

ListenerResult = Literal["success", "later", "suspend", "exception"]
"""A listener's verdict: done, RECONSUME_LATER, SUSPEND_CURRENT_QUEUE_A_MOMENT (orderly), or it raised."""

RawOutcome = Literal["ok", "none", "unsent", "closed"]
"""What came back to a raw request: answers, silence, nothing (no connection), or the end of the connection."""

Encoding = Literal["json", "binary"]
"""Which of the two header encodings a request is written in."""


DELAY_LEVELS_MS: Final = tuple(
    1000 * seconds
    for seconds in (1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200)
)
"""RocketMQ's default delay levels 1 to 18."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Numbers of one client; the defaults are the official Java client's (``rocketmq.md`` §6, §7.1, §18.7)."""

    heartbeat_ms: int = 30_000
    route_poll_ms: int = 30_000
    rebalance_ms: int = 20_000
    persist_ms: int = 5_000
    send_timeout_ms: int = 3_000
    """Budget of a whole send call, all attempts together (sendMsgTimeout)."""
    send_retries: int = 2
    """Attempts after the first (retryTimesWhenSendFailed)."""
    suspend_ms: int = 15_000
    """How long a broker is asked to hold a pull (brokerSuspendMaxTimeMillis)."""
    pull_timeout_ms: int = 30_000
    relock_ms: int = 20_000
    lock_life_ms: int = 30_000
    """How long an orderly consumer trusts its last granted lock."""
    pull_batch: int = 32
    threshold_messages: int = 1_000
    threshold_bytes: int = 100 * 1024 * 1024
    threshold_span: int = 2_000
    """Largest distance of offsets in one queue's cache (concurrent consumers only)."""
    consume_threads: int = 8
    """Listener calls of one concurrent consumer that may run at once."""
    two_way_commit: bool = True
    """Commit offsets with an answer; the official client commits one-way, which is unknown until a query shows it."""
    request_timeout_ms: int = 3_000
    connect_timeout_ms: int = 3_000
    pull_retry_ms: int = 1_000
    """Pause after a failed pull."""
    flow_control_ms: int = 50
    """Pause of a pull loop whose cache is full."""
    local_retry_ms: int = 5_000
    """Pause before a message whose send-back failed is given to the listener again."""
    close_wait_ms: int = 5_000
    """How long a closing consumer waits for running listeners."""
    orderly_suspend_ms: int = 1_000
    """Pause of a queue after an orderly listener said suspend."""
    lock_retry_ms: int = 3_000
    """Pause before an orderly consumer whose lock was refused or lost rebalances again."""
    async_outstanding: int = 64
    """Asynchronous sends of one producer that may be under way at once."""
    delay_levels_ms: tuple[int, ...] = DELAY_LEVELS_MS
    """What the broker's delay levels mean, from level 1 on (messageDelayLevel)."""
    compress_from_bytes: int | None = None
    """Bodies from this size on are sent zlib-compressed; None: never, so that the wire carries what was given."""
    prefix: str = ""
    """What names of topics and groups begin with, in a cluster that others use too (`names`)."""
    destructive: bool = False
    """Whether such a cluster may be changed for the others."""
    encoding: Encoding = "json"

    def delay_ms(self, level: int) -> int:
        """Milliseconds of a delay level; levels above the last mean the last, 0 and below none."""
        levels = self.delay_levels_ms
        return levels[min(level, len(levels)) - 1] if level > 0 else 0


@dataclass(frozen=True, slots=True, order=True)
class MessageQueue:
    """One queue of one topic on one broker group."""

    topic: str
    broker: str
    queue: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as an application gives it to a producer."""

    topic: str
    body: bytes
    tag: str | None = None
    keys: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    """User properties; RocketMQ drops empty values and values with U+0001 or U+0002, so those are not judged."""
    delay_level: int = 0
    sharding_key: str | None = None
    flag: int = 0
    wait_store: bool = True
    """False: the broker may answer before a SYNC_FLUSH (property WAIT)."""
    half_of: str | None = None
    """The producer group that is to decide whether it is delivered at all: a half message; `TransactionalProducer`
    sets it."""


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """What a send call told its caller."""

    outcome: Literal["ok", "kept", "error", "unknown"]
    """ok = SEND_OK; kept = stored with a warning (10, 11, 12); error; unknown = one-way, nobody answers."""
    message: int
    """The history's id of the message."""
    unique_key: str
    attempts: int
    code: int | None = None
    broker: str | None = None
    queue: int | None = None
    queue_offset: int | None = None
    offset_message_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as a listener sees it."""

    delivery: int
    """The history's id of this delivery."""
    message: int | None
    """Id of the kit's message; None for a record no kit of this run sent."""
    attempt: int | None
    body: bytes
    tag: str | None
    keys: tuple[str, ...]
    properties: Mapping[str, str]
    topic: str
    """Where it was read (the retry topic for a redelivery)."""
    origin_topic: str
    broker: str
    queue: int
    queue_offset: int
    physical_offset: int
    reconsume_times: int
    flag: int
    unique_key: str | None
    store_time_ms: int
    born_time_ms: int


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """What a consumer does wrong on purpose."""

    never_acknowledge: bool = False
    """Deliveries happen, but no result is recorded, nothing is committed or sent back."""
    stop_mid_message: int | None = None
    """On this delivery (counted from 1) the whole client is abandoned before the listener is called."""
    keep_lock: bool = False
    """Queue locks are not given back on revoke or close."""


@dataclass(frozen=True, slots=True)
class BrokerRoute:
    """A broker group's part of a topic route."""

    broker: str
    cluster: str
    addresses: Mapping[int, str]
    """Broker id → address; id 0 is the master."""
    perm: int
    read_queues: int
    write_queues: int


@dataclass(frozen=True, slots=True)
class Route:
    """The answer to GET_ROUTEINFO_BY_TOPIC, brokers sorted by name."""

    topic: str
    brokers: tuple[BrokerRoute, ...]

    def write_queues(self) -> tuple[MessageQueue, ...]:
        """Queues a producer may choose: writable broker groups with a master."""
        return tuple(
            MessageQueue(self.topic, b.broker, q)
            for b in self.brokers
            if b.perm & 2 and 0 in b.addresses
            for q in range(b.write_queues)
        )

    def read_queues(self) -> tuple[MessageQueue, ...]:
        """Queues a consumer group shares: readable broker groups."""
        return tuple(
            MessageQueue(self.topic, b.broker, q) for b in self.brokers if b.perm & 4 for q in range(b.read_queues)
        )

    def capped(self, queues: int) -> Route:
        """The same route with at most ``queues`` queues per broker (a topic that will be made from TBW102)."""
        return Route(
            self.topic,
            tuple(
                replace(b, read_queues=min(queues, b.read_queues), write_queues=min(queues, b.write_queues))
                for b in self.brokers
            ),
        )


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """What one NameServer said about one topic."""

    outcome: Literal["ok", "error", "unsent", "unknown"]
    code: int | None
    route: Route | None
    strict: bool | None = None
    """True: the body was JSON by the book (quoted keys)."""


@dataclass(frozen=True, slots=True)
class PullAnswer:
    """The answer to one PULL_MESSAGE."""

    outcome: Literal["ok", "error", "unsent", "unknown"]
    code: int | None = None
    records: tuple[StoredRecord, ...] = ()
    next_offset: int | None = None
    min_offset: int | None = None
    max_offset: int | None = None
    suggested_broker_id: int | None = None
    remark: str | None = None
    op: int | None = None
    """The history's id of the pull."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back to a raw request."""

    outcome: RawOutcome
    """ok = at least one answer; none = silence until the deadline; closed = the connection ended first."""
    answers: int
    code: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A queue read from its minimum to its maximum offset."""

    outcome: Literal["ok", "error"]
    complete: bool
    min_offset: int | None
    max_offset: int | None
    records: int
