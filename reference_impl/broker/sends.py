"""SEND_MESSAGE (10), SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320): store, then answer where.

What a client may rely on: SUCCESS means stored, under SYNC_FLUSH on the disk too, under SYNC_MASTER on a slave too;
codes 10 to 12 mean stored; a queue holds what one producer sent it one after another in that order. What it may
not: WAIT=false is answered without the flush and the slave; no answer says nothing. After a refusal nothing was
stored, though the topic may have been made. Clauses: dur-ack-kill, dur-ack-power-sf, dur-notok-stored,
sto-fifo-queue, rep-sync-ack, rep-slave-missing, rep-slave-slow. Sources: RocketMQ SendMessageProcessor,
AbstractSendMessageProcessor.msgCheck.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from reference_impl.broker.arrivals import make_internal_topic, store_batch, store_message
from reference_impl.broker.flushing import Answer, stored_but
from reference_impl.broker.persistence import save_topics
from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import (
    FAQ_TAIL,
    NOT_ALLOWED_SEND_TOPICS,
    PERM_WRITE,
    PROPERTIES_BYTES_MAX,
    PROPERTY_CLUSTER,
    PROPERTY_DELAY,
    PROPERTY_WAIT,
    RETRY_PREFIX,
    SEND_V1_TO_V2,
    SYS_TRANSACTION_MASK,
    TRANS_HALF_TOPIC,
    RequestCode,
    ResponseCode,
)
from reference_impl.delivery.topics import TopicConfig, dead_letter_topic, topic_complaint
from reference_impl.effects import Effect, NeedFlush, Reply
from reference_impl.errors import RecordError
from reference_impl.frame import Command
from reference_impl.headers import flag, int32, int32_or, int64, missing
from reference_impl.message import Message, decode_batch, decode_properties, offset_message_id
from reference_impl.store import Appended
from reference_impl.transactions import half_message, is_prepared

VERSION_MAX_RECONSUME = 121
"""Clients from 3.4.9 on may name their own limit of redeliveries; older ones get the group's."""
REGION_FIELDS = {"MSG_REGION": "DefaultRegion", "TRACE_ON": "true"}
"""In every answer to a send; Java clients read them."""


class SendHeader(Struct, frozen=True, gc=False):
    """A send's header, whichever of the three codes brought it. RocketMQ: SendMessageRequestHeader."""

    group: str
    topic: str
    model: str
    """``defaultTopic``: the topic after whose pattern a missing one is made."""
    queues: int
    """``defaultTopicQueueNums``: how many queues the producer wants then."""
    queue_id: int
    """Negative: the broker chooses."""
    sys_flag: int
    born_ms: int
    """Producer's clock."""
    flag: int
    properties: str
    reconsume_times: int
    max_reconsume: int | None
    batch: bool


def send(state: BrokerState, request: Request) -> list[Effect]:
    """Store one message or a batch. Codes 0, 1, 2, 10, 13, 16, 17, 26."""
    # DECODE
    header = decode_send(request.command)
    properties = decode_properties(header.properties)
    waits = properties.get(PROPERTY_WAIT) != "false"
    prepared = not header.batch and is_prepared(properties)
    # CHECK
    made: list[Effect] = []
    topic = check_send(state, request, header, made)
    queue_id = choose_queue(state, header.queue_id, topic)
    target, target_queue, dead = _final_topic(state, request, header, queue_id)
    messages = _messages(state, request, header, target, target_queue, properties)
    if prepared:
        _check_prepared(state)
        made += make_internal_topic(state, TRANS_HALF_TOPIC, 1, request.now_ms)
        messages = [half_message(message) for message in messages]
    # APPLY
    if dead:
        made += make_internal_topic(state, target, 1, request.now_ms)
    if header.batch:
        stored, woken = store_batch(state, messages, request.now_ms)
    else:
        one, woken = store_message(state, messages[0], request.now_ms)
        stored = [one]
    state.statistics.put(header.topic, len(stored), stored[-1].end_position - stored[0].physical_offset)
    # REPLY
    return [*acknowledge(state, request, stored, target_queue, waits), *woken, *made]


def acknowledge(
    state: BrokerState, request: Request, stored: list[Appended], queue_id: int, waits: bool
) -> list[Effect]:
    """Answer where the messages are: under SYNC_FLUSH once they are on the disk, under SYNC_MASTER once they are on a
    slave, unless the message says WAIT=false.
    """
    fields = {
        "msgId": ",".join([offset_message_id(state.host, one.physical_offset) for one in stored]),
        "queueId": str(queue_id),
        "queueOffset": str(stored[0].queue_offset),
        **REGION_FIELDS,
    }
    command = request.command
    ok = command.reply(ResponseCode.SUCCESS, fields)
    if not waits or not (state.settings.sync_flush or state.settings.sync_master) or command.is_oneway:
        return [Reply(request.conn, ok)]
    return _when_safe(state, request, Answer(request.conn, ok), stored[-1].end_position)


def _when_safe(state: BrokerState, request: Request, answer: Answer, position: int) -> list[Effect]:
    """Let the answer wait for what the settings ask for. Source: RocketMQ CommitLog.handleDiskFlushAndHA."""
    settings = state.settings
    effects: list[Effect] = []
    if settings.sync_flush:
        deadline_ms = request.now_ms + settings.syncFlushTimeout
        state.flush_line.wait(answer, ResponseCode.FLUSH_DISK_TIMEOUT, position, deadline_ms)
        effects.append(NeedFlush(urgent=True))
    if settings.sync_master and state.master is not None:
        if state.master.usable(position):
            deadline_ms = request.now_ms + settings.slaveTimeout
            state.replica_line.wait(answer, ResponseCode.FLUSH_SLAVE_TIMEOUT, position, deadline_ms)
        else:
            answer.command = stored_but(answer.command, ResponseCode.SLAVE_NOT_AVAILABLE)
    return effects if answer.waits else [Reply(answer.conn, answer.command)]


_NO_LIMIT: Final = -(1 << 31)
"""Stands for a maxReconsumeTimes that is not there; nobody means it."""
_LONG: Final = tuple(SEND_V1_TO_V2)
_SHORT: Final = tuple(SEND_V1_TO_V2.values())
"""The fields' names in the order of SendMessageRequestHeaderV2, as the codes spell them."""


def decode_send(command: Command) -> SendHeader:
    """The header of a send, from whichever code brought it. HeaderError where a field is missing or no number."""
    fields = command.fields
    long = command.code in (RequestCode.SEND_MESSAGE, RequestCode.SEND_REPLY_MESSAGE)
    (
        group, topic, model, queues, queue_id, sys_flag, born_ms, flag_, properties, reconsume_times, _, max_reconsume,
        batch, _,
    ) = _LONG if long else _SHORT  # fmt: skip
    # The long names are of a header that is read field by field.
    optional = int32_or if long else int32
    limit = optional(fields, max_reconsume, _NO_LIMIT) if max_reconsume in fields else _NO_LIMIT
    try:
        return SendHeader(
            group=fields[group],
            topic=fields[topic],
            model=fields[model],
            queues=int32(fields, queues),
            queue_id=int32(fields, queue_id),
            sys_flag=int32(fields, sys_flag),
            born_ms=int64(fields, born_ms),
            flag=int32(fields, flag_),
            properties=fields.get(properties, ""),
            reconsume_times=optional(fields, reconsume_times, 0),
            max_reconsume=limit if limit != _NO_LIMIT and command.version >= VERSION_MAX_RECONSUME else None,
            batch=command.code == RequestCode.SEND_BATCH_MESSAGE or flag(fields, batch),
        )
    except KeyError as error:
        raise missing(error.args[0]) from None


def check_send(state: BrokerState, request: Request, header: SendHeader, made: list[Effect]) -> TopicConfig:
    """Refuse what RocketMQ refuses, in its order; the topic. ``made`` gets the effects of making a missing one."""
    if header.topic in NOT_ALLOWED_SEND_TOPICS:
        raise RefusalError(
            ResponseCode.NO_PERMISSION, f"Sending message to topic[{header.topic}] is forbidden.", REGION_FIELDS
        )
    topic = state.topics.get(header.topic) or _make_topic(state, request, header, made)
    if topic.order and not state.settings.brokerPermission & PERM_WRITE:
        raise RefusalError(
            ResponseCode.NO_PERMISSION,
            f"the broker[{state.settings.brokerIP1}] sending message is forbidden",
            REGION_FIELDS,
        )
    if header.queue_id >= max(topic.write_queues, topic.read_queues):
        host, port = request.peer
        raise RefusalError(
            ResponseCode.SYSTEM_ERROR,
            f"request queueId[{header.queue_id}] is illegal, {topic} Producer: {host}:{port}",
            REGION_FIELDS,
        )
    return topic


def _check_prepared(state: BrokerState) -> None:
    if state.settings.rejectTransactionMessage:
        raise RefusalError(
            ResponseCode.NO_PERMISSION,
            f"the broker[{state.settings.brokerIP1}] sending transaction message is forbidden",
            REGION_FIELDS,
        )


def _make_topic(state: BrokerState, request: Request, header: SendHeader, made: list[Effect]) -> TopicConfig:
    """A first send makes the topic, and it stays even if the send is refused after all (as in RocketMQ)."""
    complaint = topic_complaint(header.topic)
    if complaint is not None:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, complaint, REGION_FIELDS)
    topic = state.topics.create_by_send(header.topic, header.model, header.queues, request.now_ms)
    if topic is not None:
        save_topics(state)
        made += state.registrar.register(state.topics)
    elif header.topic.startswith(RETRY_PREFIX):
        made += make_internal_topic(state, header.topic, 1, request.now_ms)
        topic = state.topics.get(header.topic)
    if topic is None:
        raise RefusalError(
            ResponseCode.TOPIC_NOT_EXIST,
            f"topic[{header.topic}] not exist, apply first please!{FAQ_TAIL}",
            REGION_FIELDS,
        )
    return topic


def choose_queue(state: BrokerState, queue_id: int, topic: TopicConfig) -> int:
    """The queue that the producer names, or any."""
    return queue_id if queue_id >= 0 else state.rng.randrange(max(1, topic.write_queues))


def _final_topic(state: BrokerState, request: Request, header: SendHeader, queue_id: int) -> tuple[str, int, bool]:
    """Where the message goes: a send to a retry topic beyond its limit is a dead letter (orderly consumers give up so).

    Topic, queue, and whether it is a dead letter. Source: RocketMQ SendMessageProcessor.handleRetryAndDLQ (4.9: >=).
    """
    if not header.topic.startswith(RETRY_PREFIX):
        return header.topic, queue_id, False
    name = header.topic.removeprefix(RETRY_PREFIX)
    group = state.groups.find(name, request.now_ms)
    if group is None:
        raise RefusalError(
            ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"subscription group not exist, {name} {FAQ_TAIL}", REGION_FIELDS
        )
    limit = group.retry_max if header.max_reconsume is None else header.max_reconsume
    if header.reconsume_times >= limit:
        return dead_letter_topic(name), 0, True
    return header.topic, queue_id, False


def _messages(
    state: BrokerState, request: Request, header: SendHeader, topic: str, queue_id: int, properties: dict[str, str]
) -> list[Message]:
    """The messages to store, with the broker's property added to the producer's (which are changed).

    RefusalError (13) where body, properties or the batch are against the rules.
    """
    body = request.command.body
    if len(body) > state.settings.maxMessageSize or len(header.properties.encode()) > PROPERTIES_BYTES_MAX:
        raise _illegal(state)
    properties[PROPERTY_CLUSTER] = state.settings.brokerClusterName
    if not header.batch:
        # 4.9 stores no WAIT, but where it adds further properties: to delayed and to half messages.
        if PROPERTY_WAIT in properties and PROPERTY_DELAY not in properties and not is_prepared(properties):
            del properties[PROPERTY_WAIT]
        return [message_of(request, header, topic, queue_id, body, header.flag, properties)]
    try:
        items = decode_batch(body)
    except RecordError as error:
        raise RefusalError(ResponseCode.MESSAGE_ILLEGAL, str(error), REGION_FIELDS) from error
    if header.sys_flag & SYS_TRANSACTION_MASK or PROPERTY_DELAY in properties or not items:
        raise _illegal(state)
    return [
        message_of(request, header, topic, queue_id, item.body, item.flag, {**item.properties, **properties})
        for item in items
    ]


def _illegal(state: BrokerState) -> RefusalError:
    return RefusalError(
        ResponseCode.MESSAGE_ILLEGAL,
        "the message is illegal, maybe msg body or properties length not matched. "
        f"msg body length limit {state.settings.maxMessageSize}B, msg properties length limit 32KB.",
        REGION_FIELDS,
    )


def message_of(
    request: Request,
    header: SendHeader,
    topic: str,
    queue_id: int,
    body: bytes,
    flag_: int,
    properties: dict[str, str],
) -> Message:
    """A message as it is stored; a batch has several of one header."""
    return Message(
        topic=topic,
        queue_id=queue_id,
        body=body,
        properties=properties,
        flag=flag_,
        sys_flag=header.sys_flag,
        born_time_ms=header.born_ms,
        born_host=request.peer,
        reconsume_times=header.reconsume_times,
    )


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.SEND_MESSAGE: send,
    RequestCode.SEND_MESSAGE_V2: send,
    RequestCode.SEND_BATCH_MESSAGE: send,
}
"""What this module serves, by code."""
