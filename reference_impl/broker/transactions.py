"""Transactions: END_TRANSACTION (37), CHECK_TRANSACTION_STATE (39, pushed), RESUME_CHECK_HALF_MESSAGE (323).

What a client may rely on: a half message is seen by nobody before its commit and by nobody after its rollback alone;
an undecided one is asked about every ``transactionCheckInterval``, up to ``transactionCheckMax`` times. What it may
not: that two commits make one message, or that a commit survives a power cut (it is written with no wait for the
disk). After a refusal nothing was stored. Clauses: txn-half-hidden, txn-commit-visible, txn-rollback-none, txn-check.
Source: RocketMQ EndTransactionProcessor, TransactionalMessageServiceImpl, AbstractTransactionalMessageCheckListener.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from reference_impl.broker.arrivals import make_internal_topic, store_message
from reference_impl.broker.request import UNSET_REMARK, RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import (
    PROPERTY_CHECK_TIMES,
    PROPERTY_PGROUP,
    PROPERTY_UNIQ_KEY,
    SYS_TRANSACTION_COMMIT,
    SYS_TRANSACTION_ROLLBACK,
    TRANS_CHECK_MAX_TIME_TOPIC,
    TRANS_HALF_TOPIC,
    TRANS_OP_HALF_TOPIC,
    RequestCode,
    ResponseCode,
)
from reference_impl.effects import Effect, Push
from reference_impl.errors import RecordError, StoreBusyError
from reference_impl.frame import FLAG_ONEWAY, Command
from reference_impl.headers import int32, int64, text
from reference_impl.message import (
    Message,
    Record,
    decode_offset_message_id,
    decode_record,
    encode_record,
    offset_message_id,
)
from reference_impl.redelivery import as_message
from reference_impl.store import Appended
from reference_impl.transactions import (
    CHECK_GROUP,
    SLICE_PAUSE_MS,
    Again,
    GivenUp,
    Rules,
    asked_about,
    committed_message,
    next_step,
    op_message,
    origin_of,
)

_HOUR_MS: Final = 3_600_000


def end_transaction(state: BrokerState, request: Request) -> list[Effect]:
    """37: commit or roll back a half message. No answer to "unknown". Codes 0, 1, 11."""
    # DECODE
    fields = request.command.fields
    group = text(fields, "producerGroup")
    half_offset = int64(fields, "tranStateTableOffset")
    position = int64(fields, "commitLogOffset")
    decision = int32(fields, "commitOrRollback")
    # CHECK
    if state.slave is not None:
        raise RefusalError(ResponseCode.SLAVE_NOT_AVAILABLE, "a slave ends no transactions: ask the master")
    if decision == 0:
        return []
    if decision not in (SYS_TRANSACTION_COMMIT, SYS_TRANSACTION_ROLLBACK):
        raise RefusalError(ResponseCode.SYSTEM_ERROR, "commitOrRollback field wrong")
    record = _half_at(state, position, group, half_offset)
    # APPLY
    effects: list[Effect] = []
    if decision == SYS_TRANSACTION_COMMIT:
        message = committed_message(record)
        if message is None:
            raise RefusalError(ResponseCode.SYSTEM_ERROR, "the half message names no topic")
        effects += store_message(state, message, request.now_ms)[1]
    effects += _settle(state, record, request.now_ms)
    # REPLY
    return [*request.reply(remark=None if decision == SYS_TRANSACTION_COMMIT else UNSET_REMARK), *effects]


def resume_check(state: BrokerState, request: Request) -> list[Effect]:
    """323: a half message, given up as a rule, is asked about again, from the first check on. Codes 0, 1."""
    # DECODE
    try:
        _, position = decode_offset_message_id(text(request.command.fields, "msgId"))
    except RecordError as error:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, str(error)) from error
    # CHECK
    record = state.store.record_at(position)
    if record is None or record.topic not in (TRANS_CHECK_MAX_TIME_TOPIC, TRANS_HALF_TOPIC):
        raise RefusalError(
            ResponseCode.SYSTEM_ERROR, f"Put message back to {TRANS_HALF_TOPIC} failed: no half message there."
        )
    # APPLY
    properties = {**record.properties, PROPERTY_CHECK_TIMES: "0"}
    message = replace(as_message(record), topic=TRANS_HALF_TOPIC, queue_id=0, properties=properties)
    _, effects = store_message(state, message, request.now_ms)
    # REPLY
    return [*request.reply(), *effects]


def check(state: BrokerState, now_ms: int) -> list[Effect]:
    """Begin a round over the open half messages, every ``transactionCheckInterval``."""
    state.transactions.begin_round(now_ms)
    return go_on(state, now_ms)


def go_on(state: BrokerState, now_ms: int) -> list[Effect]:
    """A slice of the round that is going on, when it is due. A full disk ends the slice early."""
    due_ms = state.transactions.next_slice_ms
    # Later than a pause from now: the clock was set back.
    if due_ms is None or 0 < due_ms - now_ms <= SLICE_PAUSE_MS:
        return []
    settings = state.settings
    rules = Rules(settings.transactionTimeOut, settings.transactionCheckMax, settings.fileReservedTime * _HOUR_MS)
    effects: list[Effect] = []
    try:
        for origin, offset in state.transactions.take_slice(now_ms):
            effects += _check_one(state, origin, offset, rules, now_ms)
    except (OSError, StoreBusyError):
        # What was not stored again is still open.
        pass
    commit_progress(state)
    return effects


def commit_progress(state: BrokerState) -> None:
    """Enter how far half and op queue are done into the offset table, which is saved with all others."""
    if not state.transactions.half_end:
        return
    half_offset, op_offset = state.transactions.progress()
    state.offsets.commit(CHECK_GROUP, TRANS_HALF_TOPIC, 0, half_offset)
    state.offsets.commit(CHECK_GROUP, TRANS_OP_HALF_TOPIC, 0, op_offset)


def resume(state: BrokerState) -> None:
    """After a start: find out which half messages are open."""
    half_offset = state.offsets.query(CHECK_GROUP, TRANS_HALF_TOPIC, 0) or 0
    op_offset = state.offsets.query(CHECK_GROUP, TRANS_OP_HALF_TOPIC, 0) or 0
    state.transactions.resume(state.store, half_offset, op_offset)


def _half_at(state: BrokerState, position: int, group: str, half_offset: int) -> Record:
    """The half message that a request means; RefusalError in RocketMQ's words where it does not fit."""
    record = state.store.record_at(position) if position >= 0 else None
    if record is None:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, "Find prepared transaction message failed")
    if record.properties.get(PROPERTY_PGROUP) != group:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, "The producer group wrong")
    if record.queue_offset != half_offset:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, "The transaction state table offset wrong")
    return record


def _settle(state: BrokerState, record: Record, now_ms: int) -> list[Effect]:
    stored, effects = store_message(state, op_message(record.queue_offset, state.host, now_ms), now_ms)
    state.transactions.op_stored(stored.queue_offset, origin_of(record, record.queue_offset))
    return effects


def _check_one(state: BrokerState, origin: int, offset: int, rules: Rules, now_ms: int) -> list[Effect]:
    found = state.store.read(TRANS_HALF_TOPIC, 0, offset, 1)
    if not found.count:
        # Retention has removed it.
        state.transactions.given_up(origin)
        return []
    record = decode_record(found.records)
    step = next_step(record, rules, now_ms)
    if isinstance(step, GivenUp):
        made = make_internal_topic(state, TRANS_CHECK_MAX_TIME_TOPIC, 1, now_ms)
        _, woken = store_message(state, step.message, now_ms)
        state.transactions.given_up(origin)
        return [*made, *woken]
    if not isinstance(step, Again):
        return []
    stored, effects = store_message(state, step.message, now_ms)
    if origin_of(step.message, stored.queue_offset) != origin:
        # The copy is known by its own offset from here on.
        state.transactions.given_up(origin)
    return [*effects, *_ask(state, step.message, stored, now_ms)] if step.ask else effects


def _ask(state: BrokerState, message: Message, stored: Appended, now_ms: int) -> list[Effect]:
    """Push 39 to one live producer of the group; nobody there: the next round asks."""
    producers = sorted(state.members.producers.get(message.properties.get(PROPERTY_PGROUP, ""), ()))
    if not producers:
        return []
    body = encode_record(
        asked_about(message),
        queue_offset=stored.queue_offset,
        physical_offset=stored.physical_offset,
        store_time_ms=now_ms,
        store_host=state.host,
    )
    unique_key = message.properties.get(PROPERTY_UNIQ_KEY, "")
    fields = {
        "tranStateTableOffset": str(stored.queue_offset),
        "commitLogOffset": str(stored.physical_offset),
        "msgId": unique_key,
        "transactionId": unique_key,
        "offsetMsgId": offset_message_id(state.host, stored.physical_offset),
    }
    command = Command(RequestCode.CHECK_TRANSACTION_STATE, flag=FLAG_ONEWAY, fields=fields, body=body)
    return [Push(state.rng.choice(producers), command)]


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.END_TRANSACTION: end_transaction,
    RequestCode.RESUME_CHECK_HALF_MESSAGE: resume_check,
}
"""What this module serves, by code."""
