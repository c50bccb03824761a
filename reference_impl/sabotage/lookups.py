"""Planted bugs of what is looked up and of what may be stored: ids, keys, times, batches, limits.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from msgspec.structs import replace

from reference_impl.commands import SEND_V1_TO_V2, RequestCode, ResponseCode
from reference_impl.delivery.topics import topic_complaint
from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command
from reference_impl.message import Host, Message, decode_properties, decode_record, encode_properties
from reference_impl.sabotage.base import Passing, PassingCore, Sabotage, around_core, around_store, of_user
from reference_impl.sabotage.pulling import changed, records_of
from reference_impl.sabotage.storage import LONG_PROPERTY_CHARS_MIN, PROPERTIES_OF
from reference_impl.server import Core
from reference_impl.store import Appended, Store

WRONG_EVERY: Final = 5
"""Every how many sends these bugs do wrong by one."""
BATCH_EVERY: Final = 3
"""Every how many batches ``tear-batches`` tears one."""
PAST_MS: Final = 5_000
"""How far in the past ``store-in-the-past`` puts a message."""
LATER: Final = 2
"""How many messages too late ``search-too-late`` begins."""
INDEXED_MS: Final = 10_000
"""How old a message is before ``index-late`` finds it by its keys."""
OFFSET_HEX: Final = 16
"""Hex digits of a message id that are its place in the log."""
TAKEN_BYTES_MAX: Final = 15 * 1024 * 1024
"""Largest body that ``take-too-large`` takes; a frame holds little more."""
ANY_TOPIC: Final = "taken-all-the-same"
"""Where ``take-any-topic`` stores what has no topic to be stored in."""
TOPICS_OF: Final = {
    int(RequestCode.SEND_MESSAGE): "topic",
    int(RequestCode.SEND_MESSAGE_V2): SEND_V1_TO_V2["topic"],
}
"""Which field of a send has the topic."""


def replies_to(effects: list[Effect], command: Command) -> list[Reply]:
    """Answers to this request among what the core wants done."""
    return [effect for effect in effects if isinstance(effect, Reply) and effect.command.opaque == command.opaque]


def answered(effects: list[Effect], old: Reply, new: Command) -> list[Effect]:
    """The same with another answer."""
    return [replace(old, command=new) if effect is old else effect for effect in effects]


class AnswerOtherId(PassingCore):
    """Answers every fifth send with an id that names the byte before its record; sto-offset-resp must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.sends = 0

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Another id for some."""
        del now_ms
        for effect in effects:
            if isinstance(effect, Reply) and effect.command.fields.get("msgId") and effect.command.code == 0:
                self.sends += 1
                name = effect.command.fields["msgId"]
                if self.sends % WRONG_EVERY == 0 and "," not in name:
                    place = max(int(name[-OFFSET_HEX:], 16) - 1, 0)
                    other = f"{name[:-OFFSET_HEX]}{place:0{OFFSET_HEX}X}"
                    effects = answered(effects, effect, changed(effect.command, msgId=other))
        return effects


class SearchTooLate(PassingCore):
    """Begins two messages after the time that is searched; sto-query-time must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """A later place."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.SEARCH_OFFSET_BY_TIMESTAMP:
            return effects
        for reply in replies_to(effects, command):
            later = int(reply.command.fields["offset"]) + LATER
            effects = answered(effects, reply, changed(reply.command, offset=later))
        return effects


class IndexLate(PassingCore):
    """Finds a message by its keys only ten seconds after it was stored; sto-query-key must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Nothing young."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.QUERY_MESSAGE:
            return effects
        for reply in replies_to(effects, command):
            old = b"".join(
                record
                for record in records_of(reply.command.body)
                if decode_record(record).store_time_ms + INDEXED_MS <= now_ms
            )
            if not old:
                reply_code = int(ResponseCode.QUERY_NOT_FOUND)
                effects = answered(effects, reply, replace(reply.command, code=reply_code, body=b""))
            else:
                effects = answered(effects, reply, replace(reply.command, body=old))
        return effects


class ViewTheNext(PassingCore):
    """Gives the record after the one that is asked for by its id, where there is one; sto-view-id must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """One further."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.VIEW_MESSAGE_BY_ID:
            return effects
        for reply in replies_to(effects, command):
            further = int(command.fields["offset"]) + len(reply.command.body)
            others = super().request(now_ms, conn, peer, changed(command, offset=further))
            found = [other for other in replies_to(others, command) if other.command.code == 0]
            effects = answered(effects, reply, found[0].command) if found else effects
        return effects


class TearBatches(Passing):
    """Stores every third batch without its last message; sto-batch-atomic must catch it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.batches = 0

    def append_batch(self, messages: Sequence[Message], now_ms: int, store_host: Host) -> list[Appended]:
        """Store, perhaps not all."""
        self.batches += 1
        torn = len(messages) > 1 and self.batches % BATCH_EVERY == 0
        kept = messages[:-1] if torn else messages
        stored = cast("list[Appended]", self.inner.append_batch(kept, now_ms, store_host))
        return [*stored, stored[-1]] if torn else stored


class ReverseBatches(Passing):
    """Stores the messages of a batch in the opposite order; sto-batch-order must catch it."""

    def append_batch(self, messages: Sequence[Message], now_ms: int, store_host: Host) -> list[Appended]:
        """Store the last first."""
        return cast("list[Appended]", self.inner.append_batch(messages[::-1], now_ms, store_host))


class StoreInThePast(Passing):
    """Stores every fifth message with a time that is five seconds ago; sto-time-order must catch it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.count = 0

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, perhaps as if long ago."""
        self.count += of_user(message.topic)
        past = of_user(message.topic) and self.count % WRONG_EVERY == 0
        return cast(Appended, self.inner.append(message, now_ms - PAST_MS if past else now_ms, store_host))


class TakeTooLarge(PassingCore):
    """Takes bodies that are larger than it says; sto-size-limit must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        state = inner.state  # type: ignore[attr-defined]
        state.settings = replace(state.settings, maxMessageSize=TAKEN_BYTES_MAX)


class TakeAnyTopic(PassingCore):
    """Stores a message to a topic that cannot be in another one; sto-topic-limit must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """To another topic."""
        name = TOPICS_OF.get(command.code)
        if name is not None and topic_complaint(command.fields.get(name, "")) is not None:
            command = changed(command, **{name: ANY_TOPIC})
        return super().request(now_ms, conn, peer, command)


class TakeLongProperties(PassingCore):
    """Leaves out properties that are too long, and stores the rest; sto-props-limit must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Without what is long."""
        name = PROPERTIES_OF.get(command.code)
        if name is not None:
            properties = decode_properties(command.fields.get(name, ""))
            short = {key: value for key, value in properties.items() if len(value) < LONG_PROPERTY_CHARS_MIN}
            if short != properties:
                command = changed(command, **{name: encode_properties(short)})
        return super().request(now_ms, conn, peer, command)


SABOTAGES: Final = (
    Sabotage(
        "answer-other-id",
        "answers every fifth send with an id that names the byte before its record",
        "sto-offset-resp",
        wrap_core=around_core(AnswerOtherId),
    ),
    Sabotage(
        "search-too-late",
        "begins two messages after the time that is searched",
        "sto-query-time",
        wrap_core=around_core(SearchTooLate),
    ),
    Sabotage(
        "index-late",
        "finds a message by its keys only ten seconds after it was stored",
        "sto-query-key",
        wrap_core=around_core(IndexLate),
    ),
    Sabotage(
        "view-the-next",
        "gives the record after the one that is asked for by its id",
        "sto-view-id",
        wrap_core=around_core(ViewTheNext),
    ),
    Sabotage(
        "tear-batches",
        "stores every third batch without its last message",
        "sto-batch-atomic",
        wrap_store=around_store(TearBatches),
    ),
    Sabotage(
        "reverse-batches",
        "stores the messages of a batch in the opposite order",
        "sto-batch-order",
        wrap_store=around_store(ReverseBatches),
    ),
    Sabotage(
        "store-in-the-past",
        "stores every fifth message with a time that is five seconds ago",
        "sto-time-order",
        wrap_store=around_store(StoreInThePast),
    ),
    Sabotage(
        "take-too-large",
        "takes bodies that are larger than it says",
        "sto-size-limit",
        wrap_core=around_core(TakeTooLarge),
    ),
    Sabotage(
        "take-any-topic",
        "stores a message to a topic that cannot be in another one",
        "sto-topic-limit",
        wrap_core=around_core(TakeAnyTopic),
    ),
    Sabotage(
        "take-long-properties",
        "leaves out properties that are too long, and stores the rest",
        "sto-props-limit",
        wrap_core=around_core(TakeLongProperties),
    ),
)
