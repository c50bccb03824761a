"""Members: HEART_BEAT (34), UNREGISTER_CLIENT (35), GET_CONSUMER_LIST_BY_GROUP (38), NOTIFY_CONSUMER_IDS_CHANGED
(40, pushed), CHECK_CLIENT_CONFIG (46), GET_CONSUMER_CONNECTION_LIST and GET_PRODUCER_CONNECTION_LIST (203, 204).

What a client may rely on: joining, leaving and a closed connection are pushed to every member of the group, the
joining one included. What it may not: a member that stays connected and falls silent is out after the expiry and a
scan, and nobody is told. Clause: con-on-expire. Sources: RocketMQ ClientManageProcessor, ConsumerManageProcessor,
DefaultConsumerIdsChangeListener.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from reference_impl.broker.arrivals import make_internal_topic
from reference_impl.broker.pulls import no_filter_remark
from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.delivery.filters import TAG, TAGS_MAX, Subscription, compiled_of
from reference_impl.delivery.members import Client, ConsumerReport, connection_json
from reference_impl.delivery.topics import retry_topic
from reference_impl.effects import Close, Effect, Push
from reference_impl.errors import ExpressionError, JsonError
from reference_impl.frame import FLAG_ONEWAY, Command
from reference_impl.headers import text
from reference_impl.loose_json import dumps, loads_loose
from reference_impl.shapes import (
    member_flag,
    member_list,
    member_object,
    member_objects,
    member_text,
    member_whole,
    member_wholes,
)

GROUPS_MAX = 10_000
"""Groups in one heartbeat; ours."""
_CONSUME_TYPES = ("CONSUME_ACTIVELY", "CONSUME_PASSIVELY")
_MODELS = ("BROADCASTING", "CLUSTERING")
_FROM_WHERE = ("CONSUME_FROM_LAST_OFFSET",)


def heart_beat(state: BrokerState, request: Request) -> list[Effect]:
    """34: the client lives, in these groups, with these subscriptions. Codes 0, 1 (unreadable body)."""
    # DECODE
    report = json_body(request)
    client = Client(
        member_text(report, "clientID", ""),
        request.conn,
        request.peer,
        request.command.language,
        request.command.version,
    )
    producers = [member_text(entry, "groupName") for entry in member_objects(report, "producerDataSet")]
    consumers = [_consumer(entry, request.now_ms) for entry in member_objects(report, "consumerDataSet")]
    news = False
    if report.get("withoutSub") is True:
        news = not all(state.members.knows(consumer.group, client) for consumer in consumers)
        consumers = [state.members.with_known_subscriptions(consumer) for consumer in consumers]
    # CHECK
    if len(producers) + len(consumers) > GROUPS_MAX:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"more than {GROUPS_MAX} groups in one heartbeat")
    # APPLY
    effects: list[Effect] = []
    for name in producers:
        state.members.producer_seen(name, client, request.now_ms)
    for consumer in consumers:
        group = state.groups.find(consumer.group, request.now_ms)
        if group is not None and group.retry_queues > 0:
            effects += make_internal_topic(state, retry_topic(consumer.group), group.retry_queues, request.now_ms)
        if state.members.consumer_seen(consumer, client, request.now_ms):
            news = True
            effects += notify(state, [consumer.group])
    # REPLY
    return [*request.reply(fields=_version_two(report, news)), *effects]


def _version_two(report: dict[str, Any], news: bool) -> dict[str, str]:
    """What a 5.x client wants to hear: that it may leave its subscriptions out, unless they are news here.

    Older clients name no fingerprint and get no such fields. RocketMQ: ClientManageProcessor.heartBeatV2.
    """
    if "heartbeatFingerprint" not in report:
        return {}
    changed = news or not report["heartbeatFingerprint"]
    return {"IS_SUPPORT_HEART_BEAT_V2": "true", "IS_SUB_CHANGE": str(changed).lower()}


def unregister(state: BrokerState, request: Request) -> list[Effect]:
    """35: the client leaves one producer group, one consumer group, or both. Code 0."""
    # DECODE
    fields = request.command.fields
    text(fields, "clientID")
    # CHECK: leaving a group one is not in is no mistake
    # APPLY
    changed = state.members.leave(request.conn, fields.get("consumerGroup"), fields.get("producerGroup"))
    # REPLY
    return [*request.reply(), *notify(state, changed)]


def members_of_group(state: BrokerState, request: Request) -> list[Effect]:
    """38: client ids of a group's members. Codes 0, 1 (nobody there)."""
    # DECODE
    group = text(request.command.fields, "consumerGroup")
    # CHECK
    ids = state.members.client_ids(group)
    if not ids:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"no consumer for this group, {group}")
    # APPLY: nothing changes
    # REPLY
    return request.reply(body=dumps({"consumerIdList": ids}))


def check_config(state: BrokerState, request: Request) -> list[Effect]:
    """46: whether a subscription could be served. Codes 0, 1 (SQL92 without enablePropertyFilter), 23."""
    # DECODE
    subscription = member_object(json_body(request), "subscriptionData")
    # CHECK
    kind = member_text(subscription, "expressionType", "") or TAG
    if kind != TAG:
        if not state.settings.enablePropertyFilter:
            raise RefusalError(ResponseCode.SYSTEM_ERROR, no_filter_remark(kind))
        _check_expression(kind, member_text(subscription, "subString", ""))
    # APPLY: nothing changes
    # REPLY
    return request.reply()


def consumer_connections(state: BrokerState, request: Request) -> list[Effect]:
    """203: who is connected in a consumer group. Codes 0, 206."""
    # DECODE
    name = text(request.command.fields, "consumerGroup")
    # CHECK
    group = state.members.consumers.get(name)
    if group is None:
        raise RefusalError(ResponseCode.CONSUMER_NOT_ONLINE, f"the consumer group[{name}] not online")
    # APPLY: nothing changes
    # REPLY
    answer = {
        "connectionSet": [connection_json(client) for client in group.members.values()],
        "subscriptionTable": {topic: found.to_json() for topic, found in group.subscriptions.items()},
        "consumeType": group.consume_type,
        "messageModel": group.model,
        "consumeFromWhere": group.from_where,
    }
    return request.reply(body=dumps(answer))


def producer_connections(state: BrokerState, request: Request) -> list[Effect]:
    """204: who is connected in a producer group. Codes 0, 1."""
    # DECODE
    name = text(request.command.fields, "producerGroup")
    # CHECK
    clients = state.members.producers.get(name)
    if not clients:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"the producer group[{name}] not exist")
    # APPLY: nothing changes
    # REPLY
    return request.reply(body=dumps({"connectionSet": [connection_json(client) for client in clients.values()]}))


def notify(state: BrokerState, groups: Iterable[str]) -> list[Effect]:
    """40 to every member of each group, where broker and group allow it. Clause: con-notify-ids."""
    effects: list[Effect] = []
    if not state.settings.notifyConsumerIdsChangedEnable:
        return effects
    for name in groups:
        config = state.groups.groups.get(name)
        if config is not None and not config.notify_changes:
            continue
        command = Command(
            code=RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, flag=FLAG_ONEWAY, fields={"consumerGroup": name}
        )
        effects += [Push(conn, command) for conn in state.members.connections(name)]
    return effects


def expire(state: BrokerState, now_ms: int) -> list[Effect]:
    """The scan for silent clients: out, connection closed, others not told. Clause: con-on-expire."""
    return [Close(conn) for conn in sorted(state.members.expire(now_ms))]


def json_body(request: Request) -> dict[str, Any]:
    """The request's body as a JSON object. RefusalError (code 1) when it is none."""
    try:
        body = loads_loose(request.command.body)
    except JsonError as error:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"the body is {type(body).__name__}, not a JSON object")
    return body


def _check_expression(kind: str, text: str) -> None:
    try:
        compiled_of(kind, text)
    except ExpressionError as error:
        raise RefusalError(ResponseCode.SUBSCRIPTION_PARSE_FAILED, str(error)) from error


def _consumer(entry: dict[str, Any], now_ms: int) -> ConsumerReport:
    return ConsumerReport(
        member_text(entry, "groupName"),
        _enum(entry.get("consumeType"), _CONSUME_TYPES, "CONSUME_PASSIVELY"),
        _enum(entry.get("messageModel"), _MODELS, "CLUSTERING"),
        _enum(entry.get("consumeFromWhere"), _FROM_WHERE, "CONSUME_FROM_LAST_OFFSET"),
        tuple(_subscription(found, now_ms) for found in member_objects(entry, "subscriptionDataSet")),
    )


def _subscription(entry: dict[str, Any], now_ms: int) -> Subscription:
    """From a heartbeat: as it is, with the client's own hash codes, because those are what RocketMQ compares."""
    codes, tags = member_wholes(entry, "codeSet"), member_list(entry, "tagsSet")
    if max(len(codes), len(tags)) > TAGS_MAX:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"more than {TAGS_MAX} tags in one subscription")
    return Subscription(
        member_text(entry, "topic"),
        _nullable_text(entry, "subString", None),
        None if _is_null(entry, "codeSet") else frozenset(codes),
        member_whole(entry, "subVersion", 0 if _is_null(entry, "subVersion") else now_ms),
        _nullable_text(entry, "expressionType", TAG),
        tuple(map(str, tags)),
        member_flag(entry, "classFilterMode", default=False),
    )


def _is_null(entry: dict[str, Any], name: str) -> bool:
    """Written as null, which RocketMQ tells from not written: the one overwrites what the other leaves as it is."""
    return name in entry and entry[name] is None


def _nullable_text(entry: dict[str, Any], name: str, default: str | None) -> str | None:
    return None if entry.get(name, default) is None else member_text(entry, name, default)


def _enum(value: Any, names: tuple[str, ...], default: str) -> str:
    """A name, or its position as the C++ client sends it."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return names[value]
    return value if isinstance(value, str) else default


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.HEART_BEAT: heart_beat,
    RequestCode.UNREGISTER_CLIENT: unregister,
    RequestCode.GET_CONSUMER_LIST_BY_GROUP: members_of_group,
    RequestCode.CHECK_CLIENT_CONFIG: check_config,
    RequestCode.GET_CONSUMER_CONNECTION_LIST: consumer_connections,
    RequestCode.GET_PRODUCER_CONNECTION_LIST: producer_connections,
}
"""What this module serves, by code."""
