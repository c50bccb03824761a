"""Subscriptions: which messages a group wants, by the hash codes of tags, as RocketMQ's brokers do, or by SQL92.

Two tags with one hash code pass the broker together; the client compares the texts. Must not know queues or
connections. Sources: RocketMQ FilterAPI, SubscriptionData, DefaultMessageFilter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from reference_impl.delivery.sql92 import compile_expression
from reference_impl.message import java_hash

ALL = "*"
TAG = "TAG"
TAGS_MAX = 1000
"""Tags in one expression; ours, far above what anybody subscribes to."""

SQL92 = "SQL92"


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


class Filter(Struct, frozen=True):
    """The test to put to each message: first its tags code, and only then its properties, which cost a read."""

    codes: frozenset[int] = frozenset()
    """Wanted tags codes; empty = every one."""
    by_properties: Callable[[Mapping[str, str]], bool] | None = None
    """Whether a message with these properties is wanted; None = every one."""

    def by_code(self, code: int) -> bool:
        """Whether a message with this tags code may be wanted."""
        return not self.codes or code in self.codes

    def accepts(self, code: int, properties: Mapping[str, str]) -> bool:
        """Whether a message with this tags code and these properties is wanted."""
        return self.by_code(code) and (self.by_properties is None or self.by_properties(properties))


def filter_of(subscription: Subscription) -> Filter | None:
    """The test that a subscription means; None where everything is wanted. Raises ExpressionError."""
    if subscription.kind == SQL92:
        return Filter(by_properties=compile_expression(subscription.expression).accepts)
    return Filter(subscription.codes) if subscription.codes else None
