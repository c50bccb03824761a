"""The broker's topics: configuration, creation on first use, the version that NameServers compare.

Must not know requests, connections or files: handlers call it, ``broker.persistence`` saves it.
Sources: RocketMQ TopicConfig, TopicConfigManager, TopicValidator.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from reference_impl.commands import (
    BENCHMARK_TOPIC,
    DLQ_PREFIX,
    OFFSET_MOVED_EVENT,
    PERM_INHERIT,
    PERM_READ,
    PERM_WRITE,
    REPLY_TOPIC_POSTFIX,
    RETRY_PREFIX,
    SCHEDULE_TOPIC,
    SELF_TEST_TOPIC,
    SYSTEM_TOPICS,
    TBW102,
    TOPIC_CHARS_MAX,
)

_TOPIC_PATTERN = re.compile(r"[%|a-zA-Z0-9_-]+")
SYSTEM_PREFIX = "rmq_sys_"
BENCHMARK_QUEUES = 1024
"""Queues of BenchmarkTest."""
_PERM_LETTERS = (("R", PERM_READ), ("W", PERM_WRITE), ("X", PERM_INHERIT))
SCHEDULE_QUEUES = 18
"""Queues of the schedule topic: one per delay level of the default ladder; a longer ladder adds queues."""


class TopicConfig(Struct, frozen=True):
    """One topic of this broker, as ``topics.json`` and REGISTER_BROKER hold it."""

    name: str
    read_queues: int = 8
    write_queues: int = 8
    perm: int = PERM_READ | PERM_WRITE
    """Bit mask: 4 read, 2 write, 1 inherit (may stand model for topics created on first use)."""
    sys_flag: int = 0
    order: bool = False

    def __str__(self) -> str:
        """In RocketMQ's words; remarks quote it."""
        perm = "".join(letter if self.perm & bit else "-" for letter, bit in _PERM_LETTERS)
        return (
            f"TopicConfig [topicName={self.name}, readQueueNums={self.read_queues}, "
            f"writeQueueNums={self.write_queues}, perm={perm}, topicFilterType=SINGLE_TAG, "
            f"topicSysFlag={self.sys_flag}, order={str(self.order).lower()}]"
        )

    def to_json(self) -> dict[str, Any]:
        """RocketMQ's JSON shape."""
        return {
            "topicName": self.name,
            "readQueueNums": self.read_queues,
            "writeQueueNums": self.write_queues,
            "perm": self.perm,
            "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": self.sys_flag,
            "order": self.order,
        }

    @classmethod
    def from_json(cls, shape: dict[str, Any]) -> TopicConfig:
        """Read RocketMQ's JSON shape; absent members get RocketMQ's defaults."""
        return cls(
            name=str(shape["topicName"]),
            read_queues=int(shape.get("readQueueNums", 16)),
            write_queues=int(shape.get("writeQueueNums", 16)),
            perm=int(shape.get("perm", PERM_READ | PERM_WRITE)),
            sys_flag=int(shape.get("topicSysFlag", 0)),
            order=bool(shape.get("order", False)),
        )


class DataVersion(Struct):
    """What a NameServer compares to see whether the topics changed. RocketMQ: DataVersion."""

    timestamp_ms: int = 0
    counter: int = 0

    def advance(self, now_ms: int) -> None:
        """Count one change, made at ``now_ms``."""
        self.timestamp_ms = now_ms
        self.counter += 1

    def to_json(self) -> dict[str, int]:
        """RocketMQ's JSON shape."""
        return {"counter": self.counter, "stateVersion": 0, "timestamp": self.timestamp_ms}


def topic_complaint(topic: str) -> str | None:
    """Why a name cannot be a topic's, in RocketMQ 4.9's words; None when it can. RocketMQ: TopicValidator."""
    if not topic.strip():
        return "The specified topic is blank."
    if not _TOPIC_PATTERN.fullmatch(topic):
        return "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
    if len(topic) > TOPIC_CHARS_MAX:
        return "The specified topic is longer than topic max length."
    return None


class TopicTable(Struct):
    """All topics of one broker. RocketMQ: TopicConfigManager."""

    broker_name: str
    cluster_name: str
    auto_create: bool
    default_queues: int
    trace_topic: str = ""
    """Name of the topic of message traces; empty: there is none."""
    topics: dict[str, TopicConfig] = field(default_factory=dict)
    version: DataVersion = field(default_factory=DataVersion)
    unsaved: bool = False
    """A change is not in ``topics.json`` yet: nothing may be acknowledged before it is."""

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Only the topics that every broker is born with."""
        both = PERM_READ | PERM_WRITE
        model = both | PERM_INHERIT if self.auto_create else both
        born = (
            TopicConfig(TBW102, self.default_queues, self.default_queues, model),
            TopicConfig(SELF_TEST_TOPIC, 1, 1),
            TopicConfig(BENCHMARK_TOPIC, BENCHMARK_QUEUES, BENCHMARK_QUEUES),
            TopicConfig(self.cluster_name, 16, 16, both | PERM_INHERIT),
            TopicConfig(self.broker_name, 1, 1, both | PERM_INHERIT),
            TopicConfig(OFFSET_MOVED_EVENT, 1, 1),
            TopicConfig(SCHEDULE_TOPIC, SCHEDULE_QUEUES, SCHEDULE_QUEUES),
            TopicConfig(f"{self.cluster_name}_{REPLY_TOPIC_POSTFIX}", 1, 1),
        )
        self.topics = {topic.name: topic for topic in born}
        if self.trace_topic:
            self.topics[self.trace_topic] = TopicConfig(self.trace_topic, 1, 1)

    def __iter__(self) -> Iterator[TopicConfig]:
        return iter(self.topics.values())

    def system_names(self) -> set[str]:
        """Topics that belong to the broker itself: nobody may create or delete them."""
        reply = f"{self.cluster_name}_{REPLY_TOPIC_POSTFIX}"
        return {*SYSTEM_TOPICS, self.cluster_name, self.broker_name, reply}

    def is_system(self, topic: str) -> bool:
        """Whether a topic belongs to the broker itself."""
        return topic.startswith(SYSTEM_PREFIX) or topic in self.system_names()

    def set_order(self, ordered: Collection[str], now_ms: int) -> bool:
        """A NameServer's order configuration names the topics that are ordered, all others are not; whether anything
        changed. RocketMQ: TopicConfigManager.updateOrderTopicConfig.
        """
        wrong = [topic for topic in self if topic.order != (topic.name in ordered)]
        for topic in wrong:
            self.topics[topic.name] = replace(topic, order=not topic.order)
        if wrong:
            self.version.advance(now_ms)
            self.unsaved = True
        return bool(wrong)

    def get(self, topic: str) -> TopicConfig | None:
        """One topic's configuration, None when the broker does not have it."""
        return self.topics.get(topic)

    def put(self, config: TopicConfig, now_ms: int) -> bool:
        """Create or change a topic; whether anything changed (only then the version advances)."""
        if self.topics.get(config.name) == config:
            return False
        self.topics[config.name] = config
        self.version.advance(now_ms)
        self.unsaved = True
        return True

    def remove(self, topic: str, now_ms: int) -> bool:
        """Forget a topic; whether it was there."""
        if self.topics.pop(topic, None) is None:
            return False
        self.version.advance(now_ms)
        self.unsaved = True
        return True

    def create_by_send(self, topic: str, model: str, queues: int, now_ms: int) -> TopicConfig | None:
        """A first send makes the topic after its model's pattern; None where the model does not allow it.

        ``queues`` is what the producer asks for. RocketMQ: TopicConfigManager.createTopicInSendMessageMethod.
        """
        pattern = self.topics.get(model)
        if model == TBW102 and pattern is not None and not self.auto_create:
            # Once switched off, auto-creation stays off until somebody makes TBW102 anew: RocketMQ's own trap.
            pattern = replace(pattern, perm=PERM_READ | PERM_WRITE)
            self.put(pattern, now_ms)
        if pattern is None or not pattern.perm & PERM_INHERIT:
            return None
        count = max(0, min(queues, pattern.write_queues))
        config = TopicConfig(topic, count, count, pattern.perm & ~PERM_INHERIT, pattern.sys_flag)
        self.put(config, now_ms)
        return config

    def create_internal(self, topic: str, queues: int, now_ms: int) -> bool:
        """Retry and dead-letter topics are made by the broker itself; whether it was new."""
        if topic in self.topics:
            return False
        return self.put(TopicConfig(topic, queues, queues), now_ms)

    def to_json(self) -> dict[str, Any]:
        """RocketMQ's TopicConfigSerializeWrapper: ``topics.json``, code 21, part of REGISTER_BROKER."""
        return {
            "topicConfigTable": {topic.name: topic.to_json() for topic in self},
            "dataVersion": self.version.to_json(),
        }

    def replace_json(self, shape: dict[str, Any]) -> None:
        """Become a copy of another broker's table, unless the versions are equal. RocketMQ: syncTopicConfig."""
        version = shape["dataVersion"]
        if (int(version["timestamp"]), int(version["counter"])) == (self.version.timestamp_ms, self.version.counter):
            return
        copies = [TopicConfig.from_json(entry) for entry in shape["topicConfigTable"].values()]
        self.topics = {config.name: config for config in copies}
        self.version = DataVersion(int(version["timestamp"]), int(version["counter"]))
        self.unsaved = True

    def load_json(self, shape: dict[str, Any]) -> None:
        """Take over a saved table; topics that every broker is born with are kept where the file lacks them."""
        for entry in shape.get("topicConfigTable", {}).values():
            config = TopicConfig.from_json(entry)
            self.topics[config.name] = config
        version = shape.get("dataVersion", {})
        self.version = DataVersion(int(version.get("timestamp", 0)), int(version.get("counter", 0)))


def retry_topic(group: str) -> str:
    """Where a group's failed messages come back."""
    return RETRY_PREFIX + group


def dead_letter_topic(group: str) -> str:
    """Where messages go that failed too often."""
    return DLQ_PREFIX + group
