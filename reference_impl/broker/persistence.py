"""Which table is saved when: what an acknowledgement depends on before it, the rest every so often.

Files and shapes are RocketMQ's. Must not decide what is in a table. Sources: RocketMQ ConfigManager and its four
children.
"""

from __future__ import annotations

from reference_impl.broker.state import BrokerState
from reference_impl.store.tables import (
    CONSUMER_OFFSETS,
    DELAY_OFFSETS,
    DELETED_TOPICS,
    SUBSCRIPTION_GROUPS,
    TOPICS,
    load_table,
    save_table,
)


def load(state: BrokerState) -> None:
    """Fill the tables with what an earlier life saved. StoreDamagedError when a file cannot be read."""
    state.topics.load_json(load_table(state.disk, TOPICS) or {})
    state.groups.load_json(load_table(state.disk, SUBSCRIPTION_GROUPS) or {})
    state.offsets.load_json(load_table(state.disk, CONSUMER_OFFSETS) or {})
    state.schedule.load_json(load_table(state.disk, DELAY_OFFSETS) or {})
    for topic, position in (load_table(state.disk, DELETED_TOPICS) or {}).items():
        if state.store.forget_topic(topic, int(position)):
            state.deleted_topics[topic] = int(position)


def save_topics(state: BrokerState) -> None:
    """At once and durably: a message that is acknowledged must not lie in a topic that a power cut forgets."""
    save_table(state.disk, TOPICS, state.topics.to_json(), durable=True)
    state.topics.unsaved = False


def forget_messages(state: BrokerState, topic: str) -> None:
    """What a deleted topic holds now is nobody's, in this life and in later ones: written down before it is so."""
    state.deleted_topics[topic] = state.store.appended_position
    save_deleted_topics(state)
    state.store.forget_topic(topic, state.store.appended_position)


def save_deleted_topics(state: BrokerState) -> None:
    """At once and durably: messages that were deleted must not come back."""
    save_table(state.disk, DELETED_TOPICS, state.deleted_topics, durable=True)


def save_groups(state: BrokerState, durable: bool) -> None:
    """Groups made on first use can be made again; those that an administrator set are saved durably at once."""
    if state.groups.unsaved:
        save_table(state.disk, SUBSCRIPTION_GROUPS, state.groups.to_json(), durable=durable)
        state.groups.unsaved = False


def save_offsets(state: BrokerState, durable: bool) -> None:
    """Every ``flushConsumerOffsetInterval``: what a kill may take back, and no more. Clause: con-offset-persist."""
    if state.offsets.unsaved:
        save_table(state.disk, CONSUMER_OFFSETS, state.offsets.to_json(), durable=durable)
        state.offsets.unsaved = False


def save_schedule(state: BrokerState, durable: bool) -> None:
    """Every ``flushDelayOffsetInterval``: after a kill, what was delivered since is delivered again."""
    if state.schedule.unsaved:
        save_table(state.disk, DELAY_OFFSETS, state.schedule.to_json(), durable=durable)
        state.schedule.unsaved = False
