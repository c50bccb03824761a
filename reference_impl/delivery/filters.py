"""Subscriptions: which messages a group wants, by the hash codes of tags, as RocketMQ's brokers do, or by SQL92.

Two tags with one hash code pass the broker together; the client compares the texts. Of a heartbeat's tags the broker
believes the codes, not the text. Must not know queues or connections. Sources: RocketMQ FilterAPI, SubscriptionData,
DefaultMessageFilter, ExpressionMessageFilter, ConsumerFilterManager.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from reference_impl.delivery.sql92 import Expression, compile_expression
from reference_impl.errors import ExpressionError
from reference_impl.message import java_hash

ALL = "*"
TAG = "TAG"
TAGS_MAX = 1000
"""Tags in one expression; ours, far above what anybody subscribes to."""

SQL92 = "SQL92"
KEPT_MS: Final = 24 * 3600 * 1000
"""How long an expression outlives the group that brought it [BrokerConfig.filterDataCleanTimeSpan]."""
_TRIMMED: Final = "".join(map(chr, range(33)))
"""What Java's ``trim`` takes away."""


class Subscription(Struct, frozen=True):
    """What one group wants of one topic."""

    topic: str
    expression: str | None = ALL
    codes: frozenset[int] | None = frozenset()
    """Java hash codes of the tags; those of ``*`` mean nothing, and no codes beside another text mean no message."""
    version: int = 0
    """``subVersion``: set by the client, milliseconds; higher is newer."""
    kind: str | None = TAG
    """``expressionType``: SQL92; TAG, empty or none for tags."""
    tags: tuple[str, ...] = ()
    whole: bool = False
    """``classFilterMode``, of filters in Java that no broker runs any more: every message is wanted."""

    @property
    def by_tags(self) -> bool:
        """Whether tags decide, not properties. RocketMQ: ExpressionType.isTagType."""
        return self.kind in (None, "", TAG)

    @property
    def is_usable(self) -> bool:
        """Whether it says which messages are wanted; RocketMQ's broker fails on null in place of text or codes."""
        return self.expression is not None and (self.codes is not None or self.expression == ALL or not self.by_tags)

    def to_json(self) -> dict[str, Any]:
        """RocketMQ's SubscriptionData, which leaves out what is null."""
        shape = {
            "topic": self.topic,
            "subString": self.expression,
            "tagsSet": list(self.tags),
            "codeSet": None if self.codes is None else sorted(self.codes),
            "subVersion": self.version,
            "expressionType": self.kind,
            "classFilterMode": self.whole,
        }
        return {name: value for name, value in shape.items() if value is not None}


def parse_expression(topic: str, expression: str | None, version: int = 0, kind: str | None = TAG) -> Subscription:
    """``A || B``, ``*`` or nothing (= everything), as a pull brings it; other kinds are kept as they are.

    Raises ValueError where only ``||`` are left, and where another kind than TAG says nothing. An empty kind is
    another one, although its messages are chosen by tags: it has no codes, so none is wanted but by ``*``.
    """
    if kind not in (None, TAG):
        if not expression:
            raise ValueError(f"a subscription of the kind {kind!r} needs an expression")
        return Subscription(topic, expression, version=version, kind=kind)
    if expression in (None, "", ALL):
        return Subscription(topic, ALL, version=version)
    parts = str(expression).split("||")
    if not any(parts):
        raise ValueError(f"the expression {expression!r} names no tag; write tags joined by ||, or *")
    tags = tuple(dict.fromkeys(tag for part in parts if (tag := part.strip(_TRIMMED))))
    if len(tags) > TAGS_MAX:
        raise ValueError(f"{len(tags)} tags in one expression, more than {TAGS_MAX}; subscribe to * instead")
    return Subscription(topic, expression, frozenset(map(java_hash, tags)), version, TAG, tags)


class Filter(Struct, frozen=True):
    """The test to put to each message: first its tags code, and only then its properties, which cost a read."""

    codes: frozenset[int] | None = None
    """Wanted tags codes; None = every one."""
    by_properties: Callable[[Mapping[str, str]], bool] | None = None
    """Whether a message with these properties is wanted; None = every one."""

    def by_code(self, code: int) -> bool:
        """Whether a message with this tags code may be wanted."""
        return self.codes is None or code in self.codes

    def accepts(self, code: int, properties: Mapping[str, str]) -> bool:
        """Whether a message with this tags code and these properties is wanted."""
        return self.by_code(code) and (self.by_properties is None or self.by_properties(properties))


def filter_of(subscription: Subscription, compiled: Expression | None = None) -> Filter | None:
    """The test that a subscription means; ``compiled`` is its expression, if it has one that can be read. None where
    everything is wanted.
    """
    if subscription.whole:
        return None
    if subscription.by_tags:
        return None if subscription.expression == ALL else Filter(subscription.codes or frozenset())
    return None if compiled is None else Filter(by_properties=compiled.accepts)


def compiled_of(kind: str | None, expression: str) -> Expression:
    """Read an expression. Raises ExpressionError, also where nobody knows the kind."""
    if kind != SQL92:
        raise ExpressionError(f"no expressions of the kind {kind!r} are known, only {SQL92}")
    return compile_expression(expression)


class FilterData(Struct, frozen=True):
    """The expression that filters a group's messages of a topic."""

    kind: str | None
    compiled: Expression
    version: int
    seen_ms: int
    """When the group was last known to want the topic."""


class FilterTable(Struct):
    """Expressions of groups: what heartbeats brought. RocketMQ: ConsumerFilterManager.

    A younger version replaces an older one and, where it cannot be read, removes it. What a group brought outlives its
    members, so that a member that comes back with an older version is served by the younger one still.
    """

    by_group: dict[str, dict[str, FilterData]] = field(default_factory=dict)

    def register(self, group: str, subscriptions: Iterable[Subscription], now_ms: int) -> None:
        """A heartbeat named these subscriptions."""
        for subscription in subscriptions:
            if not subscription.by_tags and subscription.expression:
                self._register(self.by_group.setdefault(group, {}), subscription, subscription.expression, now_ms)

    def get(self, group: str, topic: str) -> FilterData | None:
        """The expression that filters a group's messages of a topic."""
        return self.by_group.get(group, {}).get(topic)

    def sweep(self, now_ms: int, is_wanted: Callable[[str, str], bool]) -> None:
        """Forget what no group has wanted for a day; ``is_wanted`` says whether a group wants a topic now."""
        for group, known in list(self.by_group.items()):
            for topic, data in list(known.items()):
                if is_wanted(group, topic):
                    known[topic] = replace(data, seen_ms=now_ms)
                elif now_ms - data.seen_ms >= KEPT_MS:
                    del known[topic]
            if not known:
                del self.by_group[group]

    def _register(self, known: dict[str, FilterData], subscription: Subscription, text: str, now_ms: int) -> None:
        old = known.get(subscription.topic)
        if old is not None and subscription.version <= old.version:
            return
        try:
            compiled = compiled_of(subscription.kind, text)
        except ExpressionError:
            known.pop(subscription.topic, None)
            return
        known[subscription.topic] = FilterData(subscription.kind, compiled, subscription.version, now_ms)
