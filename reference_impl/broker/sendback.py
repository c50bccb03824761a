"""CONSUMER_SEND_MSG_BACK (36): a consumer could not use a message; it comes again later, or becomes a dead letter.

What a client may rely on: after SUCCESS the message comes again not before its level's delay, with RECONSUMETIMES
one higher, or lies in the dead letter topic after the last retry. What it may not: that the copy survives a power
cut (it is written with WAIT=false). After a refusal nothing was stored. Clauses: con-retry-delay, con-retry-max,
con-retry-identity, con-retry-alo. Source: RocketMQ AbstractSendMessageProcessor.consumerSendMsgBack.
"""

from __future__ import annotations

from typing import Final

from reference_impl.broker.arrivals import make_internal_topic, store_message
from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.sends import VERSION_MAX_RECONSUME
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import DLQ_PREFIX, FAQ_TAIL, PERM_WRITE, RequestCode, ResponseCode
from reference_impl.effects import Effect
from reference_impl.headers import int32, int32_or, int64, text
from reference_impl.redelivery import retry_copy


def send_back(state: BrokerState, request: Request) -> list[Effect]:
    """Store a retry copy or a dead letter of a record. Codes 0, 1, 16, 26."""
    # DECODE
    fields = request.command.fields
    position = int64(fields, "offset")
    name = text(fields, "group")
    level = int32(fields, "delayLevel")
    own_limit = int32_or(fields, "maxReconsumeTimes", -1)
    # CHECK
    group = state.groups.find(name, request.now_ms)
    if group is None:
        raise RefusalError(
            ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"subscription group not exist, {name} {FAQ_TAIL}"
        )
    if not state.settings.brokerPermission & PERM_WRITE:
        raise RefusalError(
            ResponseCode.NO_PERMISSION, f"the broker[{state.settings.brokerIP1}] sending message is forbidden"
        )
    if group.retry_queues <= 0:
        # A group without retry queues asked for its failures to be dropped.
        return request.reply()
    record = state.store.record_at(position) if position >= 0 else None
    if record is None:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"look message by offset failed, {position}")
    # APPLY
    named = own_limit >= 0 and request.command.version >= VERSION_MAX_RECONSUME
    limit = own_limit if named else group.retry_max
    queue_id = state.rng.randrange(group.retry_queues) if group.retry_queues > 1 else 0
    copy = retry_copy(record, name, level, limit, queue_id)
    queues = 1 if copy.topic.startswith(DLQ_PREFIX) else group.retry_queues
    made = make_internal_topic(state, copy.topic, queues, request.now_ms)
    _, woken = store_message(state, copy, request.now_ms)
    state.statistics.sent_back(record.topic, name)
    # REPLY
    return [*request.reply(), *woken, *made]


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.CONSUMER_SEND_MSG_BACK: send_back,
}
"""What this module serves, by code."""
