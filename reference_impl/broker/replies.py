"""Request-reply: SEND_REPLY_MESSAGE (324, 325), PUSH_REPLY_MESSAGE_TO_CLIENT (326, pushed).

A consumer answers a request message; the broker hands the answer to the client that the request came from, and
tells the consumer how that went. What a client may rely on: SUCCESS means that the requester has the answer. What it
may not: that the answer is kept for a requester that is gone, although a copy is stored. Source: RocketMQ
ReplyMessageProcessor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reference_impl.broker.arrivals import store_message
from reference_impl.broker.request import Request
from reference_impl.broker.sends import REGION_FIELDS, SendHeader, check_send, choose_queue, decode_send, message_of
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import PROPERTY_PUSH_REPLY_TIME, PROPERTY_REPLY_TO_CLIENT, RequestCode, ResponseCode
from reference_impl.effects import Effect
from reference_impl.frame import Command
from reference_impl.message import Message, decode_properties, encode_properties, offset_message_id


def send_reply(state: BrokerState, request: Request) -> list[Effect]:
    """Store an answer and push it to its requester, whose own answer ends it. Codes 0, 1 (stored too), 16, 17."""
    # DECODE
    header = decode_send(request.command)
    properties = decode_properties(header.properties)
    requester = properties.get(PROPERTY_REPLY_TO_CLIENT)
    # CHECK
    made: list[Effect] = []
    topic = check_send(state, request, header, made)
    queue_id = choose_queue(state, header.queue_id, topic)
    # APPLY
    message = message_of(request, header, header.topic, queue_id, request.command.body, header.flag, properties)
    place = _place("0", queue_id, 0)
    if state.settings.storeReplyMessageEnable and state.slave is None:
        stored, woken = store_message(state, message, request.now_ms)
        place = _place(offset_message_id(state.host, stored.physical_offset), queue_id, stored.queue_offset)
        made += woken
    conn = state.members.connection_of(requester) if requester else None
    if conn is None:
        # REPLY
        remark = f"push reply message fail, channel of <{requester}> not found."
        if requester is None:
            remark = "reply message properties[REPLY_TO_CLIENT] is null"
        return [*request.reply(ResponseCode.SYSTEM_ERROR, place, remark=remark), *made]

    def then(now_ms: int, answer: Command | None) -> list[Effect]:
        # REPLY
        if answer is not None and answer.code == ResponseCode.SUCCESS:
            return request.reply(fields=place)
        remark = f"push reply message to {requester}fail."
        return request.reply(ResponseCode.SYSTEM_ERROR, place, remark=remark)

    pushed = _pushed_fields(state, request, header, message)
    code = RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT
    return [*state.relays.ask(conn, code, pushed, message.body, request.now_ms, then), *made]


def _place(msg_id: str, queue_id: int, offset: int) -> Mapping[str, str]:
    return {"msgId": msg_id, "queueId": str(queue_id), "queueOffset": str(offset), **REGION_FIELDS}


def _pushed_fields(state: BrokerState, request: Request, header: SendHeader, message: Message) -> dict[str, str]:
    """RocketMQ: ReplyMessageRequestHeader."""
    now = str(request.now_ms)
    return {
        "producerGroup": header.group,
        "topic": header.topic,
        "defaultTopic": header.model,
        "defaultTopicQueueNums": str(header.queues),
        "queueId": str(message.queue_id),
        "sysFlag": str(header.sys_flag),
        "bornTimestamp": str(header.born_ms),
        "flag": str(header.flag),
        "properties": encode_properties({PROPERTY_PUSH_REPLY_TIME: now, **message.properties}),
        "reconsumeTimes": str(header.reconsume_times),
        "unitMode": "false",
        "bornHost": "{}:{}".format(*request.peer),
        "storeHost": "{}:{}".format(*state.host),
        "storeTimestamp": now,
    }


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.SEND_REPLY_MESSAGE: send_reply,
    RequestCode.SEND_REPLY_MESSAGE_V2: send_reply,
}
"""What this module serves, by code."""
