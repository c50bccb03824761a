"""Planted bugs of single answers: a code other than the one that clients rely on, or a made-up value.

Each row says to which request, and to which of its answers by a part of the remark, another answer is given.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command
from reference_impl.sabotage.base import PassingCore, Sabotage, around_core
from reference_impl.server import Core

_BOUNDS: Final = tuple(
    int(code)
    for code in (
        RequestCode.GET_MAX_OFFSET,
        RequestCode.GET_MIN_OFFSET,
        RequestCode.SEARCH_OFFSET_BY_TIMESTAMP,
    )
)


class Instead(Struct, frozen=True):
    """Which answer is replaced, and by what."""

    requests: tuple[int, ...]
    """Request codes."""
    remark: str
    """What the right answer's remark begins with; empty: any answer."""
    code: int
    """The response code that is given."""
    fields: dict[str, str] = {}
    """The header that is given."""
    body: bytes = b""


class OtherAnswer(PassingCore):
    """Does what it is asked, and answers some requests otherwise."""

    def __init__(self, inner: Core, instead: Instead) -> None:
        super().__init__(inner)
        self.instead = instead

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Put another answer in the place of the right one."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code not in self.instead.requests:
            return effects
        return [self.other(effect, conn, command) for effect in effects]

    def other(self, effect: Effect, conn: int, asked: Command) -> Effect:
        """The other answer, where this is the one to be replaced."""
        if not isinstance(effect, Reply) or (effect.conn, effect.command.opaque) != (conn, asked.opaque):
            return effect
        if not (effect.command.remark or "").startswith(self.instead.remark):
            return effect
        instead = self.instead
        answer = replace(effect.command, code=instead.code, fields=dict(instead.fields), body=instead.body, remark=None)
        return replace(effect, command=answer)


class AnswerUnknown(PassingCore):
    """As a NameServer, says SUCCESS where it would be silent; ns-unknown-code must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Answer in any case."""
        effects = super().request(now_ms, conn, peer, command)
        if effects or command.is_oneway or command.is_response:
            return effects
        return [Reply(conn, command.reply(ResponseCode.SUCCESS))]


class MadeUpOffset(PassingCore):
    """Tells a group without members that it goes on at 7; prt-offset-none must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Make one up."""
        group = command.fields.get("consumerGroup")
        if command.code != RequestCode.QUERY_CONSUMER_OFFSET or group in self.state.members.consumers:
            return super().request(now_ms, conn, peer, command)
        return [Reply(conn, command.reply(ResponseCode.SUCCESS, {"offset": "7"}))]


class BoundsOfNothing(PassingCore):
    """Says TOPIC_NOT_EXIST about the bounds of a topic that it does not have; prt-bounds-none must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Look whether the topic is there."""
        topic = command.fields.get("topic", "")
        if command.code not in _BOUNDS or self.state.topics.get(topic) is not None:
            return super().request(now_ms, conn, peer, command)
        return [Reply(conn, command.reply(ResponseCode.TOPIC_NOT_EXIST))]


def _planted(name: str, summary: str, guarantee: str, instead: Instead, role: str = "broker") -> Sabotage:
    def wrap(core: Core) -> Core:
        return OtherAnswer(core, instead)

    return Sabotage(name, summary, guarantee, role=role, wrap_core=around_core(wrap))


_OK: Final = int(ResponseCode.SUCCESS)
_ERROR: Final = int(ResponseCode.SYSTEM_ERROR)
_SENDS: Final = (int(RequestCode.SEND_MESSAGE_V2),)

SABOTAGES: Final = (
    _planted(
        "no-topic-is-error",
        "says SYSTEM_ERROR to a send whose topic it does not have",
        "prt-send-no-topic",
        Instead(_SENDS, "topic[", _ERROR),
    ),
    _planted(
        "any-queue-will-do",
        "says SUCCESS to a send whose queue does not exist",
        "prt-send-no-queue",
        Instead(_SENDS, "request queueId[", _OK),
    ),
    _planted(
        "system-topics-open",
        "says SUCCESS to a send to a system topic",
        "prt-send-system-topic",
        Instead(_SENDS, "Sending message to topic", _OK),
    ),
    _planted(
        "empty-member-list",
        "answers an empty list for a group without members",
        "prt-members-none",
        Instead(
            (int(RequestCode.GET_CONSUMER_LIST_BY_GROUP),), "no consumer for this", _OK, body=b'{"consumerIdList":[]}'
        ),
    ),
    _planted(
        "view-nothing",
        "says SUCCESS where no message is to be viewed",
        "prt-view-none",
        Instead((int(RequestCode.VIEW_MESSAGE_BY_ID),), "can not find message", _OK),
    ),
    _planted(
        "query-finds-nothing",
        "says SUCCESS and gives no message for a key that nobody has",
        "prt-query-none",
        Instead((int(RequestCode.QUERY_MESSAGE),), "can not find message", _OK),
    ),
    _planted(
        "send-back-nothing",
        "says SUCCESS to a send-back of a message that is not there",
        "prt-sendback-none",
        Instead((int(RequestCode.CONSUMER_SEND_MSG_BACK),), "look message by offset failed", _OK),
    ),
    _planted(
        "commit-nothing",
        "says SUCCESS to the end of a transaction that it does not know",
        "prt-end-none",
        Instead((int(RequestCode.END_TRANSACTION),), "Find prepared transaction message failed", _OK),
    ),
    _planted(
        "refuse-heartbeats",
        "takes heartbeats and says SYSTEM_ERROR",
        "prt-heartbeat-ok",
        Instead((int(RequestCode.HEART_BEAT),), "", _ERROR),
    ),
    _planted(
        "accept-bad-body",
        "says SUCCESS to a heartbeat that it cannot read",
        "prt-bad-body",
        Instead((int(RequestCode.HEART_BEAT),), "the body is", _OK),
    ),
    _planted(
        "offline-is-error",
        "says SYSTEM_ERROR about the connections of a group without members",
        "adm-connections-none",
        Instead((int(RequestCode.GET_CONSUMER_CONNECTION_LIST),), "the consumer group[", _ERROR),
    ),
    _planted(
        "no-producers-listed",
        "answers an empty list for producers that are not there",
        "adm-producers-none",
        Instead(
            (int(RequestCode.GET_PRODUCER_CONNECTION_LIST),), "the producer group[", _OK, body=b'{"connectionSet":[]}'
        ),
    ),
    _planted(
        "statistics-of-nothing",
        "answers empty statistics for a topic that it does not have",
        "adm-stats-none",
        Instead((int(RequestCode.GET_TOPIC_STATS_INFO),), "topic[", _OK, body=b'{"offsetTable":{}}'),
    ),
    Sabotage(
        "unknown-code-succeeds-ns",
        "says SUCCESS to a request code that it does not know",
        "ns-unknown-code",
        role="namesrv",
        wrap_core=around_core(AnswerUnknown),
    ),
    Sabotage(
        "made-up-offset",
        "tells a group without members that it goes on at 7",
        "prt-offset-none",
        wrap_core=around_core(MadeUpOffset),
    ),
    Sabotage(
        "bounds-of-nothing",
        "says TOPIC_NOT_EXIST about the bounds of a topic that it does not have",
        "prt-bounds-none",
        wrap_core=around_core(BoundsOfNothing),
    ),
    _planted(
        "empty-value",
        "answers an empty value for a key that nobody put",
        "ns-kv-none",
        Instead((int(RequestCode.GET_KV_CONFIG),), "No config item", _OK, fields={"value": ""}),
        role="namesrv",
    ),
    _planted(
        "empty-namespace",
        "answers an empty table for a namespace that nobody used",
        "ns-kvlist-none",
        Instead((int(RequestCode.GET_KVLIST_BY_NAMESPACE),), "No config item", _OK, body=b'{"table":{}}'),
        role="namesrv",
    ),
)
