"""Bodies of heartbeats and queue locks, and the fields of a pull: what several parts of the client write. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mqcheck.errors import FrameError
from mqcheck.rocketmq.frame import loads_loose
from mqcheck.rocketmq.message import java_hash
from mqcheck.rocketmq.models import FromWhere, MessageQueue, Mode

TAG: Final = "TAG"
"""The kind of an expression that names tags."""

_FROM_WHERE: Final = {"first": "CONSUME_FROM_FIRST_OFFSET", "last": "CONSUME_FROM_LAST_OFFSET"}
_MODE: Final = {"clustering": "CLUSTERING", "broadcasting": "BROADCASTING"}


@dataclass(frozen=True, slots=True)
class Subscription:
    """One topic of a group's subscription."""

    topic: str
    expression: str
    version: int
    """Milliseconds since 1970 when it was made; a broker refuses pulls newer than what it knows (25)."""
    kind: str = TAG
    """What the expression is: TAG or SQL92."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the expression; empty for all, and where it is not made of tags."""
        if self.kind != TAG or self.expression.strip() in ("", "*"):
            return ()
        return tuple(tag.strip() for tag in self.expression.split("||") if tag.strip())

    def accepts(self, tag: str | None) -> bool:
        """The client's exact check: brokers filter by hash codes, which collide (guarantee flt-tag-exact)."""
        tags = self.tags
        return not tags or tag in tags


@dataclass(frozen=True, slots=True)
class GroupView:
    """What a heartbeat tells about one consumer group of a client."""

    group: str
    mode: Mode
    from_where: FromWhere
    subscriptions: tuple[Subscription, ...]


def heartbeat_body(client_id: str, producers: Iterable[str], consumers: Iterable[GroupView]) -> bytes:
    """HeartbeatData."""
    return msgspec.json.encode(
        {
            "clientID": client_id,
            "producerDataSet": [{"groupName": group} for group in sorted(producers)],
            "consumerDataSet": [_consumer(view) for view in consumers],
        }
    )


def _consumer(view: GroupView) -> dict[str, Any]:
    return {
        "groupName": view.group,
        "consumeType": "CONSUME_PASSIVELY",
        "messageModel": _MODE[view.mode],
        "consumeFromWhere": _FROM_WHERE[view.from_where],
        "subscriptionDataSet": [
            {
                "topic": item.topic,
                "subString": item.expression,
                "tagsSet": item.tags,
                "codeSet": [java_hash(tag) for tag in item.tags],
                "subVersion": item.version,
                "expressionType": item.kind,
                "classFilterMode": False,
            }
            for item in view.subscriptions
        ],
        "unitMode": False,
    }


def lock_body(client_id: str, group: str, queues: Sequence[MessageQueue]) -> bytes:
    """Body of LOCK_BATCH_MQ and UNLOCK_BATCH_MQ."""
    mq_set = [{"topic": q.topic, "brokerName": q.broker, "queueId": q.queue} for q in queues]
    return msgspec.json.encode({"clientId": client_id, "consumerGroup": group, "mqSet": mq_set})


def parse_locked(body: bytes) -> frozenset[MessageQueue]:
    """The queues granted by LOCK_BATCH_MQ. Raises FrameError."""
    try:
        granted = loads_loose(body).get("lockOKMQSet") or ()
        return frozenset(MessageQueue(q["topic"], q["brokerName"], int(q["queueId"])) for q in granted)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FrameError(f"granted locks cannot be read: {error!r}: {body[:200]!r}") from error


def parse_members(body: bytes) -> tuple[str, ...]:
    """The sorted ids of GET_CONSUMER_LIST_BY_GROUP. Raises FrameError."""
    try:
        return tuple(sorted(str(member) for member in loads_loose(body).get("consumerIdList") or ()))
    except (ValueError, TypeError, AttributeError) as error:
        raise FrameError(f"member list cannot be read: {error!r}: {body[:200]!r}") from error
