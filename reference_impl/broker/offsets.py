"""Offsets: QUERY and UPDATE_CONSUMER_OFFSET (14, 15), SEARCH_OFFSET_BY_TIMESTAMP, GET_MAX_OFFSET, GET_MIN_OFFSET,
GET_EARLIEST_MSG_STORETIME (29 to 32), VIEW_MESSAGE_BY_ID (33).

What a client may rely on: a committed offset is answered until another commit, and survives a kill of the broker
once it is ``flushConsumerOffsetInterval`` old. What it may not: that a commit is checked; it may go back or beyond
the queue. Clauses: con-offset-persist, con-restart-resume, con-group-indep. Sources: RocketMQ
ConsumerManageProcessor, AdminBrokerProcessor.
"""

from __future__ import annotations

from typing import Final

from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Effect
from reference_impl.headers import int32, int64, text
from reference_impl.message import encode_record


def query_offset(state: BrokerState, request: Request) -> list[Effect]:
    """14: the committed offset; a group that committed nothing begins at 0 on a queue that still has its first message.

    Codes 0, 22 (nothing committed, and the queue no longer begins at 0, or the asker, from 5.0 on, wants no such 0).
    """
    # DECODE
    fields = request.command.fields
    group, topic, queue_id = text(fields, "consumerGroup"), text(fields, "topic"), int32(fields, "queueId")
    # CHECK
    offset = state.offsets.query(group, topic, queue_id)
    if offset is None and state.store.min_offset(topic, queue_id) > 0:
        raise RefusalError(
            ResponseCode.QUERY_NOT_FOUND, "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"
        )
    if offset is None and fields.get("setZeroIfNotFound", "").lower() == "false":
        raise RefusalError(ResponseCode.QUERY_NOT_FOUND, "Not found, do not set to zero, maybe this group boot first")
    # APPLY: nothing changes
    # REPLY
    return request.reply(fields={"offset": str(offset or 0)})


def update_offset(state: BrokerState, request: Request) -> list[Effect]:
    """15: commit an offset as it is. Code 0 always."""
    # DECODE
    fields = request.command.fields
    group, topic, queue_id = text(fields, "consumerGroup"), text(fields, "topic"), int32(fields, "queueId")
    offset = int64(fields, "commitOffset")
    # CHECK: 4.9 accepts any group, topic, queue and offset
    # APPLY
    state.offsets.commit(group, topic, queue_id, offset)
    # REPLY
    return request.reply()


def search_offset(state: BrokerState, request: Request) -> list[Effect]:
    """29: the offset by store time. Code 0; a queue that is not there answers 0."""
    # DECODE
    fields = request.command.fields
    topic, queue_id, time_ms = text(fields, "topic"), int32(fields, "queueId"), int64(fields, "timestamp")
    # CHECK, APPLY: nothing to refuse, nothing changes
    offset = state.store.offset_by_time(topic, queue_id, time_ms)
    # REPLY
    return request.reply(fields={"offset": str(offset)})


def max_offset(state: BrokerState, request: Request) -> list[Effect]:
    """30: the offset of the next message. Code 0; a queue that is not there answers 0."""
    # DECODE
    topic, queue_id = _queue(request)
    # CHECK, APPLY: nothing to refuse, nothing changes
    # REPLY
    return request.reply(fields={"offset": str(state.store.max_offset(topic, queue_id))})


def min_offset(state: BrokerState, request: Request) -> list[Effect]:
    """31: the first readable offset. Code 0; a queue that is not there answers 0."""
    # DECODE
    topic, queue_id = _queue(request)
    # CHECK, APPLY: nothing to refuse, nothing changes
    # REPLY
    return request.reply(fields={"offset": str(state.store.min_offset(topic, queue_id))})


def earliest_time(state: BrokerState, request: Request) -> list[Effect]:
    """32: store time in ms of the first message, -1 without one. Code 0."""
    # DECODE
    topic, queue_id = _queue(request)
    # CHECK, APPLY: nothing to refuse, nothing changes
    # REPLY
    return request.reply(fields={"timestamp": str(state.store.earliest_time(topic, queue_id))})


def view_message(state: BrokerState, request: Request) -> list[Effect]:
    """33: one record by its position in the log. Codes 0, 1."""
    # DECODE
    position = int64(request.command.fields, "offset")
    # CHECK
    body = record_bytes(state, position)
    if body is None:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"can not find message by the offset, {position}")
    # APPLY: nothing changes
    # REPLY
    return request.reply(body=body)


def record_bytes(state: BrokerState, position: int) -> bytes | None:
    """The stored record at a position of the log, as it stands there; None when none does."""
    record = state.store.record_at(position) if position >= 0 else None
    if record is None:
        return None
    return encode_record(
        record,
        queue_offset=record.queue_offset,
        physical_offset=record.physical_offset,
        store_time_ms=record.store_time_ms,
        store_host=record.store_host,
        properties=record.raw_properties,
    )


def _queue(request: Request) -> tuple[str, int]:
    fields = request.command.fields
    return text(fields, "topic"), int32(fields, "queueId")


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.QUERY_CONSUMER_OFFSET: query_offset,
    RequestCode.UPDATE_CONSUMER_OFFSET: update_offset,
    RequestCode.SEARCH_OFFSET_BY_TIMESTAMP: search_offset,
    RequestCode.GET_MAX_OFFSET: max_offset,
    RequestCode.GET_MIN_OFFSET: min_offset,
    RequestCode.GET_EARLIEST_MSG_STORETIME: earliest_time,
    RequestCode.VIEW_MESSAGE_BY_ID: view_message,
}
"""What this module serves, by code."""
