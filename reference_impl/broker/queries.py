"""QUERY_MESSAGE (12): messages by a key, or by their unique key, within a time.

What a client may rely on: what is answered has the key and the topic, the latest ``maxNum`` of it in the order in
which they were stored. What it may not: more than ``maxMsgsNumBatch`` of them. Clauses: sto-query-key. Source: RocketMQ
QueryMessageProcessor.
"""

from __future__ import annotations

from typing import Final

from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Effect
from reference_impl.headers import flag, int32, int64, text

UNIQUE_KEY_FIELD: Final = "_UNIQUE_KEY_QUERY"
"""Set by clients that look for one message; then the broker's own ``defaultQueryMaxNum`` counts."""


def query_message(state: BrokerState, request: Request) -> list[Effect]:
    """12: records with a key. Codes 0, 1, 22."""
    # DECODE
    fields = request.command.fields
    topic, key = text(fields, "topic"), text(fields, "key")
    begin_ms, end_ms = int64(fields, "beginTimestamp"), int64(fields, "endTimestamp")
    max_num = int32(fields, "maxNum")
    if flag(fields, UNIQUE_KEY_FIELD):
        max_num = state.settings.defaultQueryMaxNum
    # CHECK
    if max_num < 0:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"maxNum is {max_num}; ask for 0 or more messages")
    found = state.store.by_key(topic, key, min(max_num, state.settings.maxMsgsNumBatch), begin_ms, end_ms)
    last = {
        "indexLastUpdateTimestamp": str(request.now_ms),
        "indexLastUpdatePhyoffset": str(state.store.appended_position),
    }
    if not found:
        raise RefusalError(ResponseCode.QUERY_NOT_FOUND, "can not find message, maybe time range not correct", last)
    # APPLY: nothing changes
    # REPLY
    return request.reply(fields=last, body=b"".join(found))


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.QUERY_MESSAGE: query_message,
}
"""What this module serves, by code."""
