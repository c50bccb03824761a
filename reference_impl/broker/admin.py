"""Administration: topics (17, 215, 21, 202), groups (200, 201), offsets as slaves read them (43, 45), settings (26,
28).

What a client may rely on: after SUCCESS of 17 every reachable NameServer knows the topic. After a refusal nothing
was changed. Clause: ns-register-visible. Source: RocketMQ AdminBrokerProcessor.
"""

from __future__ import annotations

from typing import Final

from reference_impl.broker.members import json_body
from reference_impl.broker.persistence import save_groups, save_topics
from reference_impl.broker.request import RefusalError, Request, flag, number, text
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import VERSION_CURRENT, RequestCode, ResponseCode
from reference_impl.delivery.groups import GroupConfig
from reference_impl.delivery.topics import TopicConfig, is_system, topic_complaint
from reference_impl.effects import Effect
from reference_impl.loose_json import dumps
from reference_impl.message import decode_record

UNSET_REMARK = "not set any response code"
"""RocketMQ's answer to 17 carries it beside SUCCESS."""
QUEUES_MAX = 10_000
"""Queues of one topic; ours."""


def create_topic(state: BrokerState, request: Request) -> list[Effect]:
    """17: create or change a topic; answered when every NameServer has answered or failed. Codes 0, 1."""
    # DECODE
    fields = request.command.fields
    topic = TopicConfig(
        name=text(fields, "topic"),
        read_queues=number(fields, "readQueueNums"),
        write_queues=number(fields, "writeQueueNums"),
        perm=number(fields, "perm"),
        sys_flag=number(fields, "topicSysFlag", 0),
        order=flag(fields, "order"),
    )
    # CHECK
    complaint = topic_complaint(topic.name)
    if complaint is None and is_system(topic.name):
        complaint = f"The topic[{topic.name}] is conflict with system topic."
    if complaint is None and not (0 <= topic.read_queues <= QUEUES_MAX and 0 <= topic.write_queues <= QUEUES_MAX):
        complaint = f"{topic.read_queues} read and {topic.write_queues} write queues; give 0 to {QUEUES_MAX} of each"
    if complaint is not None:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, complaint)
    # APPLY
    if state.topics.put(topic, request.now_ms):
        save_topics(state)
    # REPLY
    return state.registrar.register(state.topics, request.reply(remark=UNSET_REMARK))


def delete_topic(state: BrokerState, request: Request) -> list[Effect]:
    """215: forget a topic and its offsets; its messages stay in the log, unreadable. Codes 0, 1."""
    # DECODE
    name = text(request.command.fields, "topic")
    # CHECK
    if is_system(name):
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"The topic[{name}] is conflict with system topic.")
    # APPLY
    effects: list[Effect] = []
    if state.topics.remove(name, request.now_ms):
        state.offsets.forget_topic(name)
        save_topics(state)
        effects = state.registrar.register(state.topics)
    # REPLY
    return [*request.reply(), *effects]


def all_topics(state: BrokerState, request: Request) -> list[Effect]:
    """21: every topic with the table's version. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    return request.reply(body=dumps(state.topics.to_json()))


def topic_stats(state: BrokerState, request: Request) -> list[Effect]:
    """202: offsets of every queue of a topic, empty ones too. Codes 0, 17.

    The keys are JSON objects, as RocketMQ's tools expect them.
    """
    # DECODE
    name = text(request.command.fields, "topic")
    # CHECK
    topic = state.topics.get(name)
    if topic is None:
        raise RefusalError(ResponseCode.TOPIC_NOT_EXIST, f"topic[{name}] not exist")
    # APPLY: nothing changes
    # REPLY
    entries = []
    for queue_id in range(max(topic.read_queues, topic.write_queues)):
        key = {"brokerName": state.settings.brokerName, "queueId": queue_id, "topic": name}
        low, high = state.store.min_offset(name, queue_id), state.store.max_offset(name, queue_id)
        last_ms = _last_time(state, name, queue_id) if high > low else 0
        value = {"lastUpdateTimestamp": last_ms, "maxOffset": high, "minOffset": low}
        entries.append(dumps(key) + b":" + dumps(value))
    return request.reply(body=b'{"offsetTable":{' + b",".join(entries) + b"}}")


def update_group(state: BrokerState, request: Request) -> list[Effect]:
    """200: create or change a consumer group. Codes 0, 1."""
    # DECODE
    config = GroupConfig.from_json(json_body(request))
    # CHECK
    if not config.name:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, "groupName is blank")
    # APPLY
    state.groups.put(config, request.now_ms)
    save_groups(state, durable=True)
    # REPLY
    return request.reply()


def topic_config(state: BrokerState, request: Request) -> list[Effect]:
    """351, from 5.0 on: one topic. Codes 0, 17."""
    # DECODE
    name = text(request.command.fields, "topic")
    # CHECK
    topic = state.topics.get(name)
    if topic is None:
        raise RefusalError(ResponseCode.TOPIC_NOT_EXIST, f"No topic in this broker. topic: {name}")
    # APPLY: nothing changes
    # REPLY
    return request.reply(body=dumps({**topic.to_json(), "attributes": {}}))


def group_config(state: BrokerState, request: Request) -> list[Effect]:
    """352, from 5.0 on: one consumer group. Codes 0, 26."""
    # DECODE
    name = text(request.command.fields, "group")
    # CHECK
    group = state.groups.groups.get(name)
    if group is None:
        raise RefusalError(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"No group in this broker. group: {name}")
    # APPLY: nothing changes
    # REPLY
    return request.reply(body=dumps({**group.to_json(), "attributes": {}}))


def all_groups(state: BrokerState, request: Request) -> list[Effect]:
    """201: every consumer group. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    return request.reply(body=dumps(state.groups.to_json()))


def all_offsets(state: BrokerState, request: Request) -> list[Effect]:
    """43: every committed offset. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    return request.reply(body=dumps(state.offsets.to_json()))


def delay_offsets(state: BrokerState, request: Request) -> list[Effect]:
    """45: how far each delay level has been delivered. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    return request.reply(body=dumps(state.schedule.to_json()))


def broker_config(state: BrokerState, request: Request) -> list[Effect]:
    """26: the settings in force, as properties text. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    lines = [f"{name}={_shown(value)}" for name, value in sorted(state.settings.effective().items())]
    return request.reply(
        fields={"version": dumps(state.topics.version.to_json()).decode()}, body="\n".join(lines).encode()
    )


def runtime_info(state: BrokerState, request: Request) -> list[Effect]:
    """28: figures for the operator. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    table = {
        "brokerVersion": str(VERSION_CURRENT),
        "brokerVersionDesc": f"V{state.settings.version.replace('.', '_')}",
        "bootTimestamp": str(state.started_ms),
        "commitLogMaxOffset": str(state.store.appended_position),
        "commitLogSyncedOffset": str(state.store.synced_position),
        "pullsHeld": str(state.held.count),
        "consumerGroupsOnline": str(len(state.members.consumers)),
        "producerGroupsOnline": str(len(state.members.producers)),
    }
    return request.reply(body=dumps({"table": table}))


def _last_time(state: BrokerState, topic: str, queue_id: int) -> int:
    last = state.store.read(topic, queue_id, state.store.max_offset(topic, queue_id) - 1, 1)
    return decode_record(last.records).store_time_ms if last.count else 0


def _shown(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.UPDATE_AND_CREATE_TOPIC: create_topic,
    RequestCode.DELETE_TOPIC_IN_BROKER: delete_topic,
    RequestCode.GET_ALL_TOPIC_CONFIG: all_topics,
    RequestCode.GET_TOPIC_STATS_INFO: topic_stats,
    RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: update_group,
    RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG: all_groups,
    RequestCode.GET_TOPIC_CONFIG: topic_config,
    RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG: group_config,
    RequestCode.GET_ALL_CONSUMER_OFFSET: all_offsets,
    RequestCode.GET_ALL_DELAY_OFFSET: delay_offsets,
    RequestCode.GET_BROKER_CONFIG: broker_config,
    RequestCode.GET_BROKER_RUNTIME_INFO: runtime_info,
}
"""What this module serves, by code."""
