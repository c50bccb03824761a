"""Looks at what brokers saw: messages, offsets, dead letters, groups; over the protocol, so that a look sees what any
client could see.

A look changes nothing that a test could notice: it pulls as mqadmin does, commits nothing, and joins no group.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from mqcheck.embedded.asking import Line
from mqcheck.errors import NodeError
from mqcheck.rocketmq.codes import P_KEYS, P_TAGS, P_UNIQ_KEY, PULL_SUBSCRIPTION, RequestCode, ResponseCode
from mqcheck.rocketmq.frame import loads_loose
from mqcheck.rocketmq.message import StoredRecord, content, decode_records, offset_message_id

T = TypeVar("T")

TOOLS_GROUP: Final = "TOOLS_CONSUMER"
"""The group that every broker is born with for tools to read with."""

BORN_GROUPS: Final = frozenset(
    {
        TOOLS_GROUP,
        "FILTERSRV_CONSUMER",
        "SELF_TEST_C_GROUP",
        "CID_ONS-HTTP-PROXY",
        "CID_ONSAPI_PULL",
        "CID_ONSAPI_PERMISSION",
        "CID_ONSAPI_OWNER",
        "CID_RMQ_SYS_TRANS",
    }
)
"""Groups of every broker, which no test has made [SubscriptionGroupManager.init]."""

GET_CONSUMER_CONNECTION_LIST: Final = 203
"""Request code: who is in a group."""

RETRY_PREFIX: Final = "%RETRY%"
DLQ_PREFIX: Final = "%DLQ%"

PULL_MESSAGES: Final = 32
"""Messages asked for at once; a broker's own limit is about as low. Ours."""

LOOK_SECONDS: Final = 0.02
"""Between two looks of `wait_for`. Ours."""


class Queue(NamedTuple):
    """One queue of a topic."""

    topic: str
    broker: str
    queue: int


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as a broker has it stored."""

    topic: str
    broker: str
    """Its brokerName."""
    queue: int
    offset: int
    """Within its queue."""
    body: bytes
    """As it was sent, unpacked where the client packed it."""
    tags: str | None
    keys: tuple[str, ...]
    properties: Mapping[str, str]
    """All of them, RocketMQ's own too."""
    message_id: str
    """What its producer was told and its consumers see: the same for every copy of it."""
    stored_ms: int
    """When it was stored, by the broker's clock."""
    born_ms: int
    """When it was sent, by the producer's clock."""
    reconsume_times: int
    """How often it was handed out again by then."""
    position: int
    """In the broker's log."""

    @property
    def text(self) -> str:
        """Its body as UTF-8."""
        return self.body.decode()


@dataclass(frozen=True, slots=True)
class SeenGroup:
    """A consumer group as a broker knows it."""

    name: str
    members: tuple[str, ...] = ()
    """Client ids of those who are connected."""
    subscriptions: Mapping[str, str] = field(default_factory=dict)
    """Topic → expression, as its members have told."""


class Looks:
    """Looks at the masters of `broker_addresses`; mixed into what has some. Every method raises NodeError when one of
    them does not answer.
    """

    @property
    def broker_addresses(self) -> Mapping[str, str]:
        """Masters, by brokerName."""
        raise NotImplementedError

    def messages(self, topic: str) -> tuple[SeenMessage, ...]:
        """Everything that a topic holds now, in the order of storage; nothing for a topic that there is not.

        Also of RocketMQ's own topics by their names: "%RETRY%GROUP", "SCHEDULE_TOPIC_XXXX" (what waits for its delay),
        "RMQ_SYS_TRANS_HALF_TOPIC".
        """
        found: list[SeenMessage] = []
        for broker, address in self.broker_addresses.items():
            with Line(address) as line:
                table = line.table(RequestCode.GET_ALL_TOPIC_CONFIG, "topicConfigTable")
                queues = int(table[topic]["readQueueNums"]) if topic in table else 0
                for queue in range(queues):
                    found += _read(line, Queue(topic, broker, queue))
        return tuple(sorted(found, key=lambda message: (message.stored_ms, message.broker, message.position)))

    def dead_letters(self, group: str) -> tuple[SeenMessage, ...]:
        """What a consumer group has given up: see `messages`."""
        return self.messages(DLQ_PREFIX + group)

    def topics(self) -> frozenset[str]:
        """Topics that any broker has, RocketMQ's own too."""
        names: set[str] = set()
        for address in self.broker_addresses.values():
            with Line(address) as line:
                names |= line.table(RequestCode.GET_ALL_TOPIC_CONFIG, "topicConfigTable").keys()
        return frozenset(names)

    def consumer_offset(self, group: str, topic: str | None = None) -> Mapping[Queue, int]:
        """What a group has committed: queue → offset of the next message to consume; with `topic`, of that alone.

        Consumers of official clients commit every five seconds, and when they are shut down.
        """
        found: dict[Queue, int] = {}
        for broker, address in self.broker_addresses.items():
            with Line(address) as line:
                table = line.table(RequestCode.GET_ALL_CONSUMER_OFFSET, "offsetTable")
            for key, offsets in table.items():
                of_topic, _, of_group = key.partition("@")
                if of_group == group and topic in (None, of_topic):
                    found |= {Queue(of_topic, broker, int(queue)): int(offset) for queue, offset in offsets.items()}
        return found

    def groups(self) -> Mapping[str, SeenGroup]:
        """Consumer groups that there are beside RocketMQ's own, by name, with those of their members who are here."""
        members: dict[str, set[str]] = {}
        subscriptions: dict[str, dict[str, str]] = {}
        for address in self.broker_addresses.values():
            with Line(address) as line:
                for name in line.table(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, "subscriptionGroupTable"):
                    if name in BORN_GROUPS:
                        continue
                    answer = line.ask(GET_CONSUMER_CONNECTION_LIST, {"consumerGroup": name})
                    told = _object(answer.body) if answer.code == ResponseCode.SUCCESS else {}
                    members.setdefault(name, set()).update(each["clientId"] for each in told.get("connectionSet", ()))
                    wanted = {topic: each["subString"] for topic, each in told.get("subscriptionTable", {}).items()}
                    subscriptions.setdefault(name, {}).update(wanted)
        return {
            name: SeenGroup(name, tuple(sorted(found)), subscriptions[name]) for name, found in sorted(members.items())
        }

    def redeliver(self, message: SeenMessage, group: str) -> None:
        """Have a message handed to a group once more, as if one of its members had sent it back.

        It comes through the group's retry topic after the first delay level (1 s): at once after ``advance("1s")``.
        """
        fields = {
            "offset": message.position,
            "group": group,
            "delayLevel": 1,
            "originMsgId": message.message_id,
            "originTopic": message.topic,
        }
        with Line(self.broker_addresses[message.broker]) as line:
            answer = line.ask(RequestCode.CONSUMER_SEND_MSG_BACK, fields)
        if answer.code != ResponseCode.SUCCESS:
            raise NodeError(f"{message.broker} does not take {message.message_id} back: {answer.code} {answer.remark}")

    def wait_for(self, what: Callable[[], T], timeout_s: float = 10.0) -> T:
        """Call `what` until it gives something true, and give that; AssertionError that shows the last value after
        `timeout_s` seconds. An AssertionError of its own counts as not yet.
        """
        end = time.monotonic() + timeout_s
        while True:
            try:
                value: Any = what()
            except AssertionError as error:
                value = error
            if value and not isinstance(value, AssertionError):
                found: T = value
                return found
            if time.monotonic() >= end:
                raise AssertionError(f"not within {timeout_s} s; at the end it was {value!r}") from None
            time.sleep(LOOK_SECONDS)


def _read(line: Line, queue: Queue) -> list[SeenMessage]:
    """All of one queue."""
    offset, end = (_bound(line, queue, code) for code in (RequestCode.GET_MIN_OFFSET, RequestCode.GET_MAX_OFFSET))
    found: list[SeenMessage] = []
    while offset < end:
        fields = {
            "consumerGroup": TOOLS_GROUP,
            "topic": queue.topic,
            "queueId": queue.queue,
            "queueOffset": offset,
            "maxMsgNums": PULL_MESSAGES,
            "sysFlag": PULL_SUBSCRIPTION,
            "commitOffset": 0,
            "suspendTimeoutMillis": 0,
            "subVersion": 0,
            "subscription": "*",
            "expressionType": "TAG",
        }
        answer = line.ask(RequestCode.PULL_MESSAGE, fields)
        following = int(answer.fields.get("nextBeginOffset", offset))
        if answer.code == ResponseCode.SUCCESS:
            found += [_seen(record, queue) for record in decode_records(answer.body)]
        if following <= offset:
            raise NodeError(f"{queue} cannot be read at {offset}: {answer.code} {answer.remark}")
        offset = following
    return found


def _bound(line: Line, queue: Queue, code: RequestCode) -> int:
    answer = line.ask(code, {"topic": queue.topic, "queueId": queue.queue})
    return int(answer.fields.get("offset", 0)) if answer.code == ResponseCode.SUCCESS else 0


def _seen(record: StoredRecord, queue: Queue) -> SeenMessage:
    properties = record.properties
    offset_id = offset_message_id(record.store_host, record.physical_offset)
    return SeenMessage(
        topic=record.topic,
        broker=queue.broker,
        queue=record.queue_id,
        offset=record.queue_offset,
        body=content(record),
        tags=properties.get(P_TAGS),
        keys=tuple(properties.get(P_KEYS, "").split()),
        properties=dict(properties),
        message_id=properties.get(P_UNIQ_KEY, offset_id),
        stored_ms=record.store_time_ms,
        born_ms=record.born_time_ms,
        reconsume_times=record.reconsume_times,
        position=record.physical_offset,
    )


def _object(body: bytes) -> dict[str, Any]:
    found = loads_loose(body)
    return found if isinstance(found, dict) else {}
