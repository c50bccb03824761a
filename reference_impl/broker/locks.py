"""LOCK_BATCH_MQ and UNLOCK_BATCH_MQ (41, 42): which member owns a queue that is consumed in order.

What a client may rely on: a queue answered as locked belongs to nobody else until it is unlocked or not renewed for
``lockExpiryMs``. What it may not: that the queue exists, or that a lock survives a restart of the broker.
Clauses: ord-queue-lock, ord-lock-expiry. Source: RocketMQ AdminBrokerProcessor.lockBatchMQ.
"""

from __future__ import annotations

from typing import Any, Final

from reference_impl.broker.members import json_body
from reference_impl.broker.request import Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import RequestCode
from reference_impl.delivery.locks import QueueKey
from reference_impl.effects import Effect
from reference_impl.loose_json import dumps
from reference_impl.shapes import member_objects, member_text, member_whole


def lock_queues(state: BrokerState, request: Request) -> list[Effect]:
    """41: lock or renew; the answer lists what was granted, which may be nothing. Codes 0, 1."""
    # DECODE
    group, client, queues = decode_lock(json_body(request))
    # CHECK: RocketMQ locks any key
    # APPLY
    granted = state.locks.lock(group, client, queues, request.now_ms)
    # REPLY
    return request.reply(body=encode_granted(granted))


def unlock_queues(state: BrokerState, request: Request) -> list[Effect]:
    """42: give up; what is somebody else's stays. Codes 0, 1."""
    # DECODE
    group, client, queues = decode_lock(json_body(request))
    # CHECK: unlocking what one does not own is no mistake
    # APPLY
    state.locks.unlock(group, client, queues)
    # REPLY
    return request.reply()


def decode_lock(body: dict[str, Any]) -> tuple[str, str, list[QueueKey]]:
    """Group, client id and queues of a lock or unlock body. JsonError when it lacks something."""
    queues = [
        (member_text(entry, "topic"), member_text(entry, "brokerName"), member_whole(entry, "queueId"))
        for entry in member_objects(body, "mqSet")
    ]
    return member_text(body, "consumerGroup"), member_text(body, "clientId"), queues


def encode_granted(queues: list[QueueKey]) -> bytes:
    """Body of the answer to 41."""
    found = [{"topic": topic, "brokerName": broker, "queueId": queue_id} for topic, broker, queue_id in queues]
    return dumps({"lockOKMQSet": found})


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.LOCK_BATCH_MQ: lock_queues,
    RequestCode.UNLOCK_BATCH_MQ: unlock_queues,
}
"""What this module serves, by code."""
