"""Storing a message, and what every stored message sets off: held pulls wake, the delay schedule learns of it.

The one way into the store for all handlers; topics that the broker makes for itself are made here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reference_impl.broker.persistence import save_topics
from reference_impl.broker.pulls import wake
from reference_impl.broker.request import RefusalError
from reference_impl.broker.state import BrokerState
from reference_impl.commands import PROPERTY_DELAY, PROPERTY_TAGS, SCHEDULE_TOPIC, TRANS_HALF_TOPIC, ResponseCode
from reference_impl.effects import Effect
from reference_impl.message import Message, java_hash
from reference_impl.redelivery import delay_level, scheduled
from reference_impl.store import Appended

NOT_AVAILABLE_REMARK: Final = (
    "service not available now. It may be caused by one of the following reasons: the broker's disk is full, "
    "messages are put to the slave, message store has been shut down, etc."
)
"""Goes with code 14 [SendMessageProcessor]."""


def store_message(state: BrokerState, message: Message, now_ms: int) -> tuple[Appended, list[Effect]]:
    """Append a message, in the schedule topic when it asks for a delay; where it is, and the pulls it wakes.

    The effects belong after the producer's answer. Errors as ``Store.append``.
    """
    level = delay_level(message) if PROPERTY_DELAY in message.properties and message.queued else 0
    if level:
        message = scheduled(message, level, len(state.schedule.levels_ms))
    return _append(state, message, now_ms)


def store_batch(state: BrokerState, messages: Sequence[Message], now_ms: int) -> tuple[list[Appended], list[Effect]]:
    """Append messages of one queue next to each other, all or none."""
    _check_writable(state)
    _save_new_topics(state)
    stored = state.store.append_batch(messages, now_ms, state.host)
    effects: list[Effect] = []
    for message in messages:
        effects += arrived(state, message, now_ms)
    return stored, effects


def deliver_due(state: BrokerState, now_ms: int) -> list[Effect]:
    """Copy the delayed messages whose time has come to their real topics. Clauses: dly-not-early, con-retry-alo.

    Progress counts a message only after its copy is stored: a failing disk delays, and does not lose.
    """
    effects: list[Effect] = []
    for message in state.schedule.pop(state.store, now_ms):
        effects += _append(state, message, now_ms)[1]
    return effects


def make_internal_topic(state: BrokerState, topic: str, queues: int, now_ms: int) -> list[Effect]:
    """Make a retry or dead-letter topic where it is missing, save it, tell the NameServers."""
    if not state.topics.create_internal(topic, queues, now_ms):
        return []
    save_topics(state)
    return state.registrar.register(state.topics)


def _append(state: BrokerState, message: Message, now_ms: int) -> tuple[Appended, list[Effect]]:
    _check_writable(state)
    _save_new_topics(state)
    stored = state.store.append(message, now_ms, state.host)
    if message.topic == SCHEDULE_TOPIC:
        state.schedule.added(message.queue_id + 1, now_ms)
    elif message.topic == TRANS_HALF_TOPIC:
        state.transactions.half_stored(message, stored.queue_offset)
    return stored, arrived(state, message, now_ms)


def _check_writable(state: BrokerState) -> None:
    """A slave's log is its master's, byte for byte: nobody else may write to it. And nobody to a full disk."""
    if state.slave is not None or state.disk_full:
        raise RefusalError(ResponseCode.SERVICE_NOT_AVAILABLE, NOT_AVAILABLE_REMARK)


def _save_new_topics(state: BrokerState) -> None:
    """A topic whose saving has failed is saved before it gets a message."""
    if state.topics.unsaved:
        save_topics(state)


def arrived(state: BrokerState, message: Message, now_ms: int) -> list[Effect]:
    """A message is in the store; the pulls that it wakes."""
    if not state.held.count or not message.queued:
        return []
    place = message.topic, message.queue_id
    woken = state.held.arrived(*place, lambda: _tags_code(message), message.properties, now_ms)
    return wake(state, now_ms, woken) if woken else []


def _tags_code(message: Message) -> int:
    """Java hash of the message's tag, 0 without one."""
    tag = message.properties.get(PROPERTY_TAGS)
    return java_hash(tag) if tag else 0
