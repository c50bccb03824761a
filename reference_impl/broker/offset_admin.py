"""Administration of progress: offsets as slaves read them (43, 45), how far groups are behind (208, 317), offsets
given to another group (314), offsets moved by time (222), offsets as the members have them (223).

What a client may rely on: 222 answers the new offsets after they were sent to every member. What it may not: that
the members have them already, or that the broker's own offsets changed: members commit what they were told. Source:
RocketMQ AdminBrokerProcessor, Broker2Client.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from reference_impl.broker.request import UNSET_REMARK, RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.broker.topic_admin import queue_key, store_time
from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.delivery.members import Client
from reference_impl.delivery.topics import TopicConfig
from reference_impl.effects import Effect, Push
from reference_impl.errors import JsonError
from reference_impl.frame import FLAG_ONEWAY, Command
from reference_impl.headers import flag, int64_or, text
from reference_impl.loose_json import dumps, dumps_keyed, loads_loose

VERSION_RESET: Final = 28
"""Clients from 3.0.7 on understand 220 and 221."""
STATUS_TIMEOUT_MS: Final = 5000
"""How long a member may take to tell its offsets [Broker2Client.getConsumeStatus]."""


def all_offsets(state: BrokerState, request: Request) -> list[Effect]:
    """43: every committed offset. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    return request.reply(body=dumps(state.offsets.to_json()))


def delay_offsets(state: BrokerState, request: Request) -> list[Effect]:
    """45: how far each delay level has been delivered. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    return request.reply(body=dumps(state.schedule.to_json()))


def consume_stats(state: BrokerState, request: Request) -> list[Effect]:
    """208: how far a group is, in one topic or in all of which it has offsets. Code 0."""
    # DECODE
    fields = request.command.fields
    group, topic = text(fields, "consumerGroup"), fields.get("topic", "")
    # CHECK, APPLY: nothing to refuse, nothing changes
    # REPLY
    names = [topic] if topic.strip() else state.offsets.topics_of(group)
    behind = [_behind(state, group, config, config.read_queues) for config in _read_topics(state, group, names)]
    table = [pair for one in behind for pair in one.table]
    body = {"consumeTps": sum((one.tps for one in behind), 0.0), "offsetTable": dumps_keyed(table)}
    return request.reply(body=dumps(body))


def all_consume_stats(state: BrokerState, request: Request) -> list[Effect]:
    """317: how far every group is in every topic of which it has offsets; ``isOrder``: in ordered ones. Code 0."""
    # DECODE
    ordered = flag(request.command.fields, "isOrder")
    # CHECK, APPLY: nothing to refuse, nothing changes
    # REPLY
    found, total = [], 0
    for group in state.groups:
        stats = []
        for config in _read_topics(state, group.name, state.offsets.topics_of(group.name)):
            if config.order or not ordered:
                one = _behind(state, group.name, config, config.write_queues)
                stats.append({"consumeTps": one.tps, "offsetTable": dumps_keyed(one.table)})
                total += one.diff
        found.append({group.name: stats})
    address = "{}:{}".format(*state.host)
    return request.reply(body=dumps({"brokerAddr": address, "consumeStatsList": found, "totalDiff": total}))


def clone_offsets(state: BrokerState, request: Request) -> list[Effect]:
    """314: give a group another's offsets of one topic. Code 0, whatever came of it (as RocketMQ).

    Nothing is cloned where the broker has no such topic, or where the source is online and reads others.
    """
    # DECODE
    fields = request.command.fields
    source, target, topic = text(fields, "srcGroup"), text(fields, "destGroup"), fields.get("topic", "")
    offline = flag(fields, "offline")
    # CHECK
    foreign = not offline and state.members.is_foreign(source, topic)
    # APPLY
    if state.topics.get(topic) is not None and not foreign:
        state.offsets.clone(source, target, topic)
    # REPLY
    return request.reply()


def reset_offsets(state: BrokerState, request: Request) -> list[Effect]:
    """222: tell all members of a group to go on from the offsets of a time (-1: the end). Codes 0, 1, 206.

    Without ``isForce`` nobody is moved forward. Needs an offset on every queue. RocketMQ: Broker2Client.resetOffset.
    """
    # DECODE
    fields = request.command.fields
    group, name, time_ms = text(fields, "group"), text(fields, "topic"), int64_or(fields, "timestamp", 0)
    force = flag(fields, "isForce")
    # CHECK
    topic = state.topics.get(name)
    if topic is None:
        remark = f"[reset-offset] reset offset failed, no topic in this broker. topic={name}"
        raise RefusalError(ResponseCode.SYSTEM_ERROR, remark)
    offsets = [_target(state, group, topic, queue_id, time_ms, force) for queue_id in range(topic.write_queues)]
    members = _members_from(state, group)
    if not members:
        remark = f"Consumer not online, so can not reset offset, Group: {group} Topic: {name} Timestamp: {time_ms}"
        raise RefusalError(ResponseCode.CONSUMER_NOT_ONLINE, remark)
    # APPLY: the members will commit
    # REPLY
    table = dumps_keyed((queue_key(state, name, queue), b"%d" % offset) for queue, offset in enumerate(offsets))
    body = pushed = dumps({"offsetTable": table})
    if request.command.language == "CPP":
        queues = [{"brokerName": state.settings.brokerName, "offset": offset, "queueId": queue, "topic": name}
                  for queue, offset in enumerate(offsets)]  # fmt: skip
        pushed = dumps({"offsetTable": queues})
    head = {"topic": name, "group": group, "timestamp": str(time_ms), "isForce": "false"}
    command = Command(code=RequestCode.RESET_CONSUMER_CLIENT_OFFSET, flag=FLAG_ONEWAY, fields=head, body=pushed)
    return [*(Push(client.conn, command) for client in members), *request.reply(body=body, remark=UNSET_REMARK)]


class _Gathering(Struct):
    """Answers of members that come one by one."""

    outstanding: int
    tables: dict[str, Any]
    """Offsets by queue, by client id."""


def consumer_status(state: BrokerState, request: Request) -> list[Effect]:
    """223: the offsets that each member (or the one of ``clientAddr``, a client id) has in its memory. Codes 0, 1.

    Asks them by 221; who does not answer within STATUS_TIMEOUT_MS is left out.
    """
    # DECODE
    fields = request.command.fields
    group, topic, wanted = text(fields, "group"), text(fields, "topic"), fields.get("clientAddr", "").strip()
    # CHECK
    members = _members_from(state, group)
    if not members:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"No Any Consumer online in the consumer group: [{group}]")
    asked = [client for client in members if wanted in ("", client.client_id)]
    # APPLY: nothing changes
    gathering = _Gathering(len(asked), {})
    head = {"topic": topic, "group": group}
    effects: list[Effect] = []
    for client in asked:

        def then(_: int, answer: Command | None, client: Client = client) -> list[Effect]:
            gathering.outstanding -= 1
            if answer is not None and answer.code == ResponseCode.SUCCESS and answer.body:
                gathering.tables[client.client_id] = _told_offsets(answer.body)
            # REPLY
            return [] if gathering.outstanding else _status_reply(request, gathering)

        code = RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT
        effects += state.relays.ask(client.conn, code, head, b"", request.now_ms, then, STATUS_TIMEOUT_MS)
    return effects if asked else _status_reply(request, gathering)


def _status_reply(request: Request, gathering: _Gathering) -> list[Effect]:
    body = {"consumerTable": gathering.tables, "messageQueueTable": {}}
    return request.reply(body=dumps(body), remark=UNSET_REMARK)


def _told_offsets(body: bytes) -> msgspec.Raw:
    """The table of a member's answer, written as it came; empty where it cannot be read."""
    try:
        told = loads_loose(body)
    except JsonError:
        told = {}
    table = told.get("messageQueueTable") if isinstance(told, dict) else None
    pairs = table.items() if isinstance(table, dict) else ()
    return dumps_keyed((key.encode(), dumps(offset)) for key, offset in pairs)


class _Behind(Struct, frozen=True):
    """How far a group is in one topic. RocketMQ: ConsumeStats, OffsetWrapper."""

    table: list[tuple[bytes, bytes]]
    """Queue and figures, as JSON."""
    tps: float
    diff: int
    """Messages that are not consumed."""


def _behind(state: BrokerState, group: str, topic: TopicConfig, queues: int) -> _Behind:
    table, diff = [], 0
    for queue_id in range(queues):
        high = state.store.max_offset(topic.name, queue_id)
        offset = state.offsets.query(group, topic.name, queue_id) or 0
        last_ms = max(0, store_time(state, topic.name, queue_id, offset - 1))
        value = {"brokerOffset": high, "consumerOffset": offset, "lastTimestamp": last_ms}
        table.append((queue_key(state, topic.name, queue_id), dumps(value)))
        diff += high - offset
    return _Behind(table, state.statistics.consume_tps(topic.name, group), diff)


def _read_topics(state: BrokerState, group: str, names: Iterable[str]) -> list[TopicConfig]:
    """Of these topics those that the broker has and an online group wants; an offline group may want anything."""
    found = (state.topics.get(name) for name in names)
    return [topic for topic in found if topic is not None and not state.members.is_foreign(group, topic.name)]


def _target(state: BrokerState, group: str, topic: TopicConfig, queue_id: int, time_ms: int, force: bool) -> int:
    """Where a group shall go on in a queue. RefusalError (1) where it has never committed anything there."""
    offset = state.offsets.query(group, topic.name, queue_id)
    if offset is None:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"THe consumer group <{group}> not exist")
    if time_ms == -1:
        wanted = state.store.max_offset(topic.name, queue_id)
    else:
        wanted = state.store.offset_by_time(topic.name, queue_id, time_ms)
    return wanted if force or wanted < offset else offset


def _members_from(state: BrokerState, group: str) -> list[Client]:
    """All members of a group. RefusalError (1) where one is too old to be asked."""
    found = state.members.consumers.get(group)
    members = [] if found is None else list(found.members.values())
    for client in members:
        if client.version < VERSION_RESET:
            remark = f"the client does not support this feature. version={client.version}"
            raise RefusalError(ResponseCode.SYSTEM_ERROR, remark)
    return members


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.GET_ALL_CONSUMER_OFFSET: all_offsets,
    RequestCode.GET_ALL_DELAY_OFFSET: delay_offsets,
    RequestCode.GET_CONSUME_STATS: consume_stats,
    RequestCode.GET_BROKER_CONSUME_STATS: all_consume_stats,
    RequestCode.CLONE_GROUP_OFFSET: clone_offsets,
    RequestCode.INVOKE_BROKER_TO_RESET_OFFSET: reset_offsets,
    RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS: consumer_status,
}
"""What this module serves, by code."""
