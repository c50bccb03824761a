"""PULL_MESSAGE: read a queue from an offset, or wait until there is something to read.

What a client may rely on: records come in offset order, ``nextBeginOffset`` is after everything that was looked at,
and a held pull is answered at once by a message it wants, or at the scan after its time. What it may not: that
``maxMsgNums`` records come. After any refusal nothing was read and no offset was committed. Sources: RocketMQ
PullMessageProcessor, PullRequestHoldService.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import (
    FAQ_TAIL,
    MASTER_ID,
    PERM_READ,
    PROPERTY_RETRY_TOPIC,
    PULL_COMMIT_OFFSET,
    PULL_SUBSCRIPTION,
    PULL_SUSPEND,
    RETRY_PREFIX,
    RequestCode,
    ResponseCode,
)
from reference_impl.delivery.filters import Filter, Subscription, compiled_of, filter_of, parse_expression
from reference_impl.delivery.held import HeldPull
from reference_impl.delivery.sql92 import Expression
from reference_impl.effects import Effect
from reference_impl.errors import ExpressionError
from reference_impl.headers import int32, int64, text
from reference_impl.store import Read

_CODES = {
    "FOUND": ResponseCode.SUCCESS,
    "NO_MATCHED_MESSAGE": ResponseCode.PULL_RETRY_IMMEDIATELY,
    "OFFSET_OVERFLOW_ONE": ResponseCode.PULL_NOT_FOUND,
    "OFFSET_OVERFLOW_BADLY": ResponseCode.PULL_OFFSET_MOVED,
    "OFFSET_TOO_SMALL": ResponseCode.PULL_OFFSET_MOVED,
}
"""Store's status to answer's code; NO_MESSAGE_IN_QUEUE depends on the offset."""
BAD_FILTER_REMARK = "The broker's consumer filter data is not exist!Your expression may be wrong!"


class _Pull(NamedTuple):
    """The request's header. RocketMQ: PullMessageRequestHeader."""

    group: str
    topic: str
    queue_id: int
    offset: int
    max_num: int
    sys_flag: int
    commit_offset: int
    suspend_ms: int
    sub_version: int
    expression: str | None
    kind: str | None


def no_filter_remark(kind: str | None) -> str:
    """Why another subscription than to tags is refused where ``enablePropertyFilter`` is off."""
    return f"The broker does not support consumer to filter message by {kind}"


def pull(state: BrokerState, request: Request) -> list[Effect]:
    """Answer with records, with what is wrong with the offset, or later. Codes 0, 1, 16, 17, 19, 20, 21, 23 to 28."""
    return _run(state, request, may_hold=True)


def wake(state: BrokerState, now_ms: int, pulls: list[HeldPull]) -> list[Effect]:
    """Run held pulls once more, this time without holding them. Called when a message came and by the hold scan."""
    effects: list[Effect] = []
    for held in pulls:
        request = Request(now_ms, held.conn, held.peer, held.command)
        try:
            effects += _run(state, request, may_hold=False)
        except RefusalError as refusal:
            effects += request.reply(refusal.code, refusal.fields, remark=refusal.remark)
    return effects


def hold_period_ms(state: BrokerState) -> int:
    """Time between two scans of the held pulls."""
    settings = state.settings
    return settings.hold_scan_ms if settings.longPollingEnable else settings.shortPollingTimeMills


def scan_held(state: BrokerState, now_ms: int) -> list[Effect]:
    """The periodic look at all held pulls. Clause: con-longpoll-timeout."""
    if not state.held.count:
        return []
    return wake(state, now_ms, state.held.scan(now_ms, state.store.max_offset))


def _run(state: BrokerState, request: Request, may_hold: bool) -> list[Effect]:
    # DECODE
    header = _decode(request)
    # CHECK
    _check_permissions(state, request, header)
    wanted = _filter(state, header)
    if header.max_num < 0:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"maxMsgNums is {header.max_num}; ask for 0 or more messages")
    # APPLY
    found = _read(state, header, wanted)
    if may_hold and header.sys_flag & PULL_COMMIT_OFFSET and state.slave is None:
        state.offsets.commit(header.group, header.topic, header.queue_id, header.commit_offset)
    code = _code(found, header.offset)
    if found.count:
        state.statistics.got(header.topic, header.group, found.count, len(found.records))
    else:
        state.statistics.missed()
    # REPLY
    waits = code == ResponseCode.PULL_NOT_FOUND and may_hold and header.sys_flag & PULL_SUSPEND
    if waits and _hold(state, request, header, wanted):
        return []
    next_offset = found.next_offset
    if code == ResponseCode.PULL_OFFSET_MOVED and state.slave is not None and not state.settings.offsetCheckInSlave:
        # The master may know more of the queue: nothing is corrected, ask there.
        code, next_offset = ResponseCode.PULL_RETRY_IMMEDIATELY, header.offset
    fields = {
        "suggestWhichBrokerId": str(_suggested(state, request, header, found)),
        "nextBeginOffset": str(next_offset),
        "minOffset": str(found.min_offset),
        "maxOffset": str(found.max_offset),
    }
    return request.reply(code, fields, found.records, found.status)


def _suggested(state: BrokerState, request: Request, header: _Pull, found: Read) -> int:
    """Which broker of the name to ask next time. Clause: rep-redirect. Source: RocketMQ PullMessageProcessor."""
    group = state.groups.find(header.group, request.now_ms)
    if not state.settings.slaveReadEnable or group is None:
        return MASTER_ID
    return group.slow_broker if _from_disk(state, header, found.next_offset - 1) else group.broker_id


def _from_disk(state: BrokerState, header: _Pull, offset: int) -> bool:
    """Whether a message is so far behind that it counts as not in memory any more, as RocketMQ reckons."""
    memory_bytes, end = state.settings.memory_bytes, state.store.appended_position
    if not memory_bytes or end <= memory_bytes:
        return False
    position = state.store.position_of(header.topic, header.queue_id, offset)
    return position is not None and end - position > memory_bytes


def _decode(request: Request) -> _Pull:
    fields = request.command.fields
    sys_flag = int32(fields, "sysFlag")
    # RocketMQ misses these only where it needs them.
    commits, waits, versioned = sys_flag & PULL_COMMIT_OFFSET, sys_flag & PULL_SUSPEND, not sys_flag & PULL_SUBSCRIPTION
    return _Pull(
        group=text(fields, "consumerGroup"),
        topic=text(fields, "topic"),
        queue_id=int32(fields, "queueId"),
        offset=int64(fields, "queueOffset"),
        max_num=int32(fields, "maxMsgNums"),
        sys_flag=sys_flag,
        commit_offset=int64(fields, "commitOffset", None if commits else 0),
        suspend_ms=int64(fields, "suspendTimeoutMillis", None if waits else 0),
        sub_version=int64(fields, "subVersion", None if versioned else 0),
        expression=fields.get("subscription"),
        kind=fields.get("expressionType"),
    )


def _check_permissions(state: BrokerState, request: Request, header: _Pull) -> None:
    """In RocketMQ's order: broker, group, topic, queue."""
    if not state.settings.brokerPermission & PERM_READ:
        raise RefusalError(
            ResponseCode.NO_PERMISSION, f"the broker[{state.settings.brokerIP1}] pulling message is forbidden"
        )
    group = state.groups.find(header.group, request.now_ms)
    if group is None:
        raise RefusalError(
            ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
            f"subscription group [{header.group}] does not exist, {FAQ_TAIL}",
        )
    if not group.consume_enable:
        raise RefusalError(ResponseCode.NO_PERMISSION, f"subscription group no permission, {header.group}")
    topic = state.topics.get(header.topic)
    if topic is None:
        raise RefusalError(
            ResponseCode.TOPIC_NOT_EXIST, f"topic[{header.topic}] not exist, apply first please! {FAQ_TAIL}"
        )
    if not topic.perm & PERM_READ:
        raise RefusalError(ResponseCode.NO_PERMISSION, f"the topic[{header.topic}] pulling message is forbidden")
    if not 0 <= header.queue_id < topic.read_queues:
        host, port = request.peer
        raise RefusalError(
            ResponseCode.SYSTEM_ERROR,
            f"queueId[{header.queue_id}] is illegal, topic:[{header.topic}] "
            f"topicConfig.readQueueNums:[{topic.read_queues}] consumer:[/{host}:{port}]",
        )


def _filter(state: BrokerState, header: _Pull) -> Filter | None:
    """The test to put to each message; a retry topic is a topic like others, unless ``filterSupportRetry``."""
    if header.sys_flag & PULL_SUBSCRIPTION:
        subscription, compiled = _own_subscription(header)
    else:
        subscription, compiled = _known_subscription(state, header)
    if not subscription.by_tags and not state.settings.enablePropertyFilter:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, no_filter_remark(subscription.kind))
    if subscription.by_tags and not subscription.is_usable:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"the subscription to {header.topic} has no tags; say * for all")
    if header.topic.startswith(RETRY_PREFIX) and state.settings.filterSupportRetry:
        return _filter_of_retries(state, header, subscription)
    return filter_of(subscription, compiled)


def _filter_of_retries(state: BrokerState, header: _Pull, subscription: Subscription) -> Filter | None:
    """By tags as the subscription says, and by the expression that the topic's group has for the topic that a message
    comes from, whoever pulls. RocketMQ: ExpressionForRetryMessageFilter.
    """
    if subscription.whole:
        return None
    group = header.topic.removeprefix(RETRY_PREFIX)

    def wanted(properties: Mapping[str, str]) -> bool:
        data = state.members.filters.get(group, properties.get(PROPERTY_RETRY_TOPIC, ""))
        return data is None or data.compiled.accepts(properties)

    by_tags = filter_of(subscription)
    return Filter(None if by_tags is None else by_tags.codes, wanted)


def _own_subscription(header: _Pull) -> tuple[Subscription, Expression | None]:
    """The one that the pull itself brings. As in RocketMQ an expression that cannot be read filters nothing."""
    try:
        found = parse_expression(header.topic, header.expression, header.sub_version, header.kind)
    except ValueError:
        raise RefusalError(ResponseCode.SUBSCRIPTION_PARSE_FAILED, "parse the consumer's subscription failed") from None
    if found.by_tags:
        return found, None
    try:
        return found, compiled_of(found.kind, found.expression or "")
    except ExpressionError:
        return found, None


def _read(state: BrokerState, header: _Pull, wanted: Filter | None) -> Read:
    """The first message decides for all of them whether they come from the disk; RocketMQ looks at each."""
    settings = state.settings
    limits = settings.maxTransferCountOnMessageInMemory, settings.maxTransferBytesOnMessageInMemory
    if _from_disk(state, header, header.offset):
        limits = settings.maxTransferCountOnMessageInDisk, settings.maxTransferBytesOnMessageInDisk
    place = header.topic, header.queue_id, header.offset, min(header.max_num, limits[0]), limits[1]
    if wanted is None:
        return state.store.read(*place)
    by_code = None if wanted.codes is None else wanted.by_code
    tests = by_code, wanted.by_properties
    return state.store.read(*place, *tests, scanned=header.max_num)


def _known_subscription(state: BrokerState, header: _Pull) -> tuple[Subscription, Expression | None]:
    """The one that the group's heartbeats brought, with its expression; refused where the pull knows a newer one."""
    live, config = state.members.consumers.get(header.group), state.groups.groups.get(header.group)
    if live is None:
        raise RefusalError(ResponseCode.SUBSCRIPTION_NOT_EXIST, f"the consumer's group info not exist{FAQ_TAIL}")
    if live.model == "BROADCASTING" and config is not None and not config.broadcast_enable:
        raise RefusalError(
            ResponseCode.NO_PERMISSION, f"the consumer group[{header.group}] can not consume by broadcast way"
        )
    found = live.subscriptions.get(header.topic)
    if found is None:
        raise RefusalError(ResponseCode.SUBSCRIPTION_NOT_EXIST, f"the consumer's subscription not exist{FAQ_TAIL}")
    if found.version < header.sub_version:
        raise RefusalError(ResponseCode.SUBSCRIPTION_NOT_LATEST, "the consumer's subscription not latest")
    if found.by_tags:
        return found, None
    data = state.members.filters.get(header.group, header.topic)
    if data is None:
        raise RefusalError(ResponseCode.FILTER_DATA_NOT_EXIST, BAD_FILTER_REMARK)
    if data.version < header.sub_version:
        raise RefusalError(ResponseCode.FILTER_DATA_NOT_LATEST, "the consumer's consumer filter data not latest")
    return found, data.compiled


def _code(found: Read, offset: int) -> ResponseCode:
    code = _CODES.get(found.status)
    if code is None:
        return ResponseCode.PULL_NOT_FOUND if offset == 0 else ResponseCode.PULL_OFFSET_MOVED
    return code


def _hold(state: BrokerState, request: Request, header: _Pull, wanted: Filter | None) -> bool:
    settings = state.settings
    wait_ms = header.suspend_ms if settings.longPollingEnable else settings.shortPollingTimeMills
    return state.held.hold(
        HeldPull(
            request.conn,
            request.peer,
            request.command,
            header.topic,
            header.queue_id,
            header.offset,
            wanted,
            request.now_ms + wait_ms,
        )
    )


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.PULL_MESSAGE: pull,
    RequestCode.LITE_PULL_MESSAGE: pull,
}
"""What this module serves, by code."""
