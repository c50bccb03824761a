"""Subscriptions and tag filters: which messages a group wants, decided on hash codes as RocketMQ's brokers do.

Two tags with one hash code pass the broker together; the client compares the texts. Must not know queues or
connections. Sources: RocketMQ FilterAPI, SubscriptionData, DefaultMessageFilter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from reference_impl.message import java_hash

ALL = "*"
TAG = "TAG"
TAGS_MAX = 1000
"""Tags in one expression; ours, far above what anybody subscribes to."""

Accept = Callable[[int], bool]
"""Whether a message with this tags code is wanted."""


class Subscription(Struct, frozen=True):
    """What one group wants of one topic."""

    topic: str
    expression: str = ALL
    codes: frozenset[int] = frozenset()
    """Java hash codes of the tags; empty = everything."""
    version: int = 0
    """``subVersion``: set by the client, milliseconds; higher is newer."""
    kind: str = TAG
    """``expressionType``: TAG or SQL92."""

    def to_json(self) -> dict[str, Any]:
        """RocketMQ's SubscriptionData."""
        tags = _tags(self.expression)
        return {
            "topic": self.topic,
            "subString": self.expression,
            "tagsSet": tags,
            "codeSet": sorted(self.codes),
            "subVersion": self.version,
            "expressionType": self.kind,
            "classFilterMode": False,
        }


def parse_expression(topic: str, expression: str | None, version: int = 0, kind: str = TAG) -> Subscription:
    """``A || B``, ``*`` or nothing (= everything). Raises ValueError where only separators are left."""
    text = (expression or "").strip()
    if text in ("", ALL) or kind != TAG:
        return Subscription(topic, expression or ALL, frozenset(), version, kind)
    tags = _tags(text)
    if not tags:
        raise ValueError(f"the expression {text!r} names no tag; write tags joined by ||, or *")
    if len(tags) > TAGS_MAX:
        raise ValueError(f"{len(tags)} tags in one expression, more than {TAGS_MAX}; subscribe to * instead")
    return Subscription(topic, text, frozenset(java_hash(tag) for tag in tags), version, kind)


def _tags(expression: str) -> list[str]:
    parts = (part.strip() for part in expression.split("||"))
    return [part for part in parts if part and part != ALL]


def acceptor(subscription: Subscription) -> Accept | None:
    """The test to put to each tags code; None where everything is wanted."""
    if not subscription.codes:
        return None
    return subscription.codes.__contains__
