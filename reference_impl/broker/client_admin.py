"""Questions of administrators that only a consumer can answer: GET_CONSUMER_RUNNING_INFO (307) and
CONSUME_MESSAGE_DIRECTLY (309). The broker hands them on and hands the answer back.

What a client may rely on: the answer is the member's own, code and all, or 207 when none came in time. Source:
RocketMQ AdminBrokerProcessor.callConsumer.
"""

from __future__ import annotations

from typing import Final

from reference_impl.broker.offsets import record_bytes
from reference_impl.broker.relays import RELAY_TIMEOUT_MS
from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Effect, Reply
from reference_impl.errors import RecordError
from reference_impl.frame import Command
from reference_impl.headers import text
from reference_impl.message import decode_offset_message_id

VERSION_CALLED: Final = 62
"""Clients from 3.1.8 on can be asked."""


def running_info(state: BrokerState, request: Request) -> list[Effect]:
    """307: what goes on inside a member. Codes 0, 1, 207, and the member's own."""
    return _hand_on(state, request, dict(request.command.fields), request.command.body)


def consume_directly(state: BrokerState, request: Request) -> list[Effect]:
    """309: let a member consume one message now, whatever its offsets. Codes 0, 1, 207, and the member's own.

    ``msgId`` is an offset message id; without one the request's own body is handed on. No offset is committed.
    """
    # DECODE
    fields = dict(request.command.fields)
    msg_id = fields.get("msgId")
    # CHECK
    body = request.command.body
    if msg_id is not None:
        try:
            _, position = decode_offset_message_id(msg_id)
        except RecordError as error:
            raise RefusalError(ResponseCode.SYSTEM_ERROR, f"msgId: {error}") from error
        found = record_bytes(state, position)
        if found is None:
            raise RefusalError(ResponseCode.SYSTEM_ERROR, f"can not find message by the offset id, {msg_id}")
        body = found
    # APPLY, REPLY
    return _hand_on(state, request, {**fields, "brokerName": state.settings.brokerName}, body)


def _hand_on(state: BrokerState, request: Request, fields: dict[str, str], body: bytes) -> list[Effect]:
    # DECODE
    group, client_id = text(fields, "consumerGroup"), fields.get("clientId", "null")
    # CHECK
    client = state.members.member(group, client_id)
    if client is None:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"The Consumer <{group}> <{client_id}> not online")
    if client.version < VERSION_CALLED:
        raise RefusalError(
            ResponseCode.SYSTEM_ERROR,
            f"The Consumer <{client_id}> Version <{client.version}> too low to finish, please upgrade it to "
            "V3_1_8_SNAPSHOT",
        )
    # APPLY: nothing changes
    asked_ms = request.now_ms

    def then(now_ms: int, answer: Command | None) -> list[Effect]:
        # REPLY
        if answer is not None:
            told = request.command.reply(answer.code, answer.fields, answer.body, answer.remark)
            return [Reply(request.conn, told)]
        if now_ms - asked_ms >= RELAY_TIMEOUT_MS:
            remark = f"consumer <{group}> <{client_id}> Timeout: no answer in {RELAY_TIMEOUT_MS} ms"
            return request.reply(ResponseCode.CONSUME_MSG_TIMEOUT, remark=remark)
        remark = f"invoke consumer <{group}> <{client_id}> Exception: the connection closed"
        return request.reply(ResponseCode.SYSTEM_ERROR, remark=remark)

    return state.relays.ask(client.conn, request.command.code, fields, body, asked_ms, then)


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.GET_CONSUMER_RUNNING_INFO: running_info,
    RequestCode.CONSUME_MESSAGE_DIRECTLY: consume_directly,
}
"""What this module serves, by code."""
