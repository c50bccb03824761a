"""Consumer groups as configured: may they read, how often is a message tried again, are members told of each other.

Must not know who is connected (``members`` does). Source: RocketMQ SubscriptionGroupConfig, SubscriptionGroupManager.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct, field

from reference_impl.delivery.topics import DataVersion
from reference_impl.shapes import member_flag, member_text, member_whole


class GroupConfig(Struct, frozen=True):
    """One consumer group's configuration."""

    name: str
    consume_enable: bool = True
    broadcast_enable: bool = True
    orderly: bool = False
    retry_queues: int = 1
    """Queues of %RETRY%; 0 makes the broker drop what is sent back."""
    retry_max: int = 16
    """Redeliveries before the dead letter topic, unless the request names its own limit."""
    notify_changes: bool = True
    """Whether members are pushed code 40 when others come and go."""
    from_min: bool = True
    """Kept and shown; RocketMQ's broker does not act on it either."""
    broker_id: int = 0
    """Which broker of the name serves its pulls, where slaves may."""
    slow_broker: int = 1
    """Which one serves a pull that is far behind [whichBrokerWhenConsumeSlowly]."""

    def to_json(self) -> dict[str, Any]:
        """RocketMQ's JSON shape."""
        return {
            "groupName": self.name,
            "consumeEnable": self.consume_enable,
            "consumeFromMinEnable": self.from_min,
            "consumeBroadcastEnable": self.broadcast_enable,
            "consumeMessageOrderly": self.orderly,
            "retryQueueNums": self.retry_queues,
            "retryMaxTimes": self.retry_max,
            "brokerId": self.broker_id,
            "whichBrokerWhenConsumeSlowly": self.slow_broker,
            "notifyConsumerIdsChangedEnable": self.notify_changes,
            "groupSysFlag": 0,
            "consumeTimeoutMinute": 15,
        }

    @classmethod
    def from_json(cls, shape: dict[str, Any]) -> GroupConfig:
        """Read RocketMQ's JSON shape; absent members get RocketMQ's defaults. JsonError without a name."""
        return cls(
            name=member_text(shape, "groupName"),
            consume_enable=member_flag(shape, "consumeEnable", True),
            broadcast_enable=member_flag(shape, "consumeBroadcastEnable", True),
            orderly=member_flag(shape, "consumeMessageOrderly", False),
            retry_queues=member_whole(shape, "retryQueueNums", 1),
            retry_max=member_whole(shape, "retryMaxTimes", 16),
            notify_changes=member_flag(shape, "notifyConsumerIdsChangedEnable", True),
            from_min=member_flag(shape, "consumeFromMinEnable", True),
            broker_id=member_whole(shape, "brokerId", 0),
            slow_broker=member_whole(shape, "whichBrokerWhenConsumeSlowly", 1),
        )


BORN: Final = (
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
)
"""Groups that every broker is born with [SubscriptionGroupManager.init]; the first one is mqadmin's own."""


class GroupTable(Struct):
    """All configured groups of one broker. RocketMQ: SubscriptionGroupManager."""

    auto_create: bool
    groups: dict[str, GroupConfig] = field(default_factory=dict)
    version: DataVersion = field(default_factory=DataVersion)
    unsaved: bool = False
    """A change is not in ``subscriptionGroup.json`` yet."""

    def __post_init__(self) -> None:
        self.groups = {name: GroupConfig(name) for name in BORN}

    def __iter__(self) -> Iterator[GroupConfig]:
        return iter(self.groups.values())

    def find(self, group: str, now_ms: int) -> GroupConfig | None:
        """The group's configuration, made on first use where ``autoCreateSubscriptionGroup`` allows; else None."""
        config = self.groups.get(group)
        if config is None and self.auto_create and group:
            config = GroupConfig(group)
            self.put(config, now_ms)
        return config

    def put(self, config: GroupConfig, now_ms: int) -> None:
        """Create or change a group."""
        self.groups[config.name] = config
        self.version.advance(now_ms)
        self.unsaved = True

    def remove(self, group: str, now_ms: int) -> bool:
        """Forget a group; whether it was there."""
        if self.groups.pop(group, None) is None:
            return False
        self.version.advance(now_ms)
        self.unsaved = True
        return True

    def reset(self) -> None:
        """Only the groups that every broker is born with."""
        self.groups = {name: GroupConfig(name) for name in BORN}
        self.unsaved = True

    def to_json(self) -> dict[str, Any]:
        """RocketMQ's SubscriptionGroup wrapper: ``subscriptionGroup.json`` and code 201."""
        return {
            "subscriptionGroupTable": {group.name: group.to_json() for group in self},
            "dataVersion": self.version.to_json(),
        }

    def replace_json(self, shape: dict[str, Any]) -> None:
        """Become a copy of another broker's table, unless the versions are equal. RocketMQ:
        syncSubscriptionGroupConfig.
        """
        version = shape["dataVersion"]
        if (int(version["timestamp"]), int(version["counter"])) == (self.version.timestamp_ms, self.version.counter):
            return
        copies = [GroupConfig.from_json(entry) for entry in shape["subscriptionGroupTable"].values()]
        self.groups = {config.name: config for config in copies}
        self.version = DataVersion(int(version["timestamp"]), int(version["counter"]))
        self.unsaved = True

    def load_json(self, shape: dict[str, Any]) -> None:
        """Take over a saved table."""
        for entry in shape.get("subscriptionGroupTable", {}).values():
            config = GroupConfig.from_json(entry)
            self.groups[config.name] = config
        version = shape.get("dataVersion", {})
        self.version = DataVersion(int(version.get("timestamp", 0)), int(version.get("counter", 0)))
