"""Administration of topics: make, change and forget them (17, 215), list them (21, 305, 351), who reads them (300),
offsets and times of their queues (202, 303, 321), and cleaning up (306, 316), which is nothing to be done here.

What a client may rely on: after SUCCESS of 17 every reachable NameServer knows the topic. After a refusal nothing
was changed. Clause: ns-register-visible. Source: RocketMQ AdminBrokerProcessor.
"""

from __future__ import annotations

from typing import Final

from reference_impl.broker.persistence import forget_messages, save_topics
from reference_impl.broker.request import UNSET_REMARK, RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import PROPERTY_TAGS, RequestCode, ResponseCode
from reference_impl.delivery.topics import TopicConfig, topic_complaint
from reference_impl.effects import Effect
from reference_impl.headers import flag, int32, int32_or, int64_or, text
from reference_impl.loose_json import dumps, dumps_keyed
from reference_impl.message import decode_record, java_hash

QUEUES_MAX = 10_000
"""Queues of one topic; ours."""
_FILTER_TYPES: Final = ("SINGLE_TAG", "MULTI_TAG")
"""Nothing comes of it [TopicFilterType]."""
UNITS_MAX = 1000
"""Messages in one answer to 321; ours."""


def create_topic(state: BrokerState, request: Request) -> list[Effect]:
    """17: create or change a topic; answered when every NameServer has answered or failed. Codes 0, 1."""
    # DECODE
    fields = request.command.fields
    topic = TopicConfig(
        name=text(fields, "topic"),
        read_queues=int32(fields, "readQueueNums"),
        write_queues=int32(fields, "writeQueueNums"),
        perm=int32(fields, "perm"),
        sys_flag=int32_or(fields, "topicSysFlag", 0),
        order=flag(fields, "order"),
    )
    kind = text(fields, "topicFilterType")
    # CHECK
    _refuse_bad_name(state, topic.name)
    if kind not in _FILTER_TYPES:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"topicFilterType is {kind!r}; give one of {_FILTER_TYPES}")
    if not (0 <= topic.read_queues <= QUEUES_MAX and 0 <= topic.write_queues <= QUEUES_MAX):
        remark = f"{topic.read_queues} read and {topic.write_queues} write queues; give 0 to {QUEUES_MAX} of each"
        raise RefusalError(ResponseCode.SYSTEM_ERROR, remark)
    # APPLY
    if state.topics.put(topic, request.now_ms):
        save_topics(state)
    # REPLY
    return state.registrar.register(state.topics, request.reply(remark=UNSET_REMARK))


def delete_topic(state: BrokerState, request: Request) -> list[Effect]:
    """215: forget a topic, its messages and the offsets in it; made anew, it begins empty at 0. Codes 0, 1.

    Answered when every NameServer has answered or failed: tools delete it there next (216), and an earlier
    registration that came later would bring it back.
    """
    # DECODE
    name = text(request.command.fields, "topic")
    # CHECK
    _refuse_bad_name(state, name)
    # APPLY
    if state.settings.autoDeleteUnusedStats:
        state.statistics.forget_topic(name)
    known = state.topics.remove(name, request.now_ms)
    if known:
        state.offsets.forget_topic(name)
        save_topics(state)
        forget_messages(state, name)
    # REPLY
    return state.registrar.register(state.topics, request.reply()) if known else request.reply()


def all_topics(state: BrokerState, request: Request) -> list[Effect]:
    """21: every topic with the table's version. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    return request.reply(body=dumps(state.topics.to_json()))


def system_topics(state: BrokerState, request: Request) -> list[Effect]:
    """305: names that belong to the broker itself. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    return request.reply(body=dumps({"topicList": sorted(state.topics.system_names())}))


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


def topic_stats(state: BrokerState, request: Request) -> list[Effect]:
    """202: offsets of every queue of a topic, empty ones too. Codes 0, 17.

    The keys are JSON objects, as RocketMQ's tools expect them.
    """
    # DECODE
    topic = _topic(state, request)
    # CHECK, APPLY: nothing to refuse but a missing topic, nothing changes
    # REPLY
    table = []
    for queue_id in range(topic.write_queues):
        low, high = state.store.min_offset(topic.name, queue_id), state.store.max_offset(topic.name, queue_id)
        last_ms = store_time(state, topic.name, queue_id, high - 1) if high > 0 else 0
        value = {"lastUpdateTimestamp": last_ms, "maxOffset": high, "minOffset": low}
        table.append((queue_key(state, topic.name, queue_id), dumps(value)))
    return request.reply(body=dumps({"offsetTable": dumps_keyed(table)}))


def consumers_of_topic(state: BrokerState, request: Request) -> list[Effect]:
    """300: groups that subscribe to a topic now, or have committed an offset in it. Code 0."""
    # DECODE
    name = text(request.command.fields, "topic")
    # CHECK, APPLY: nothing to refuse, nothing changes
    online = [group for group, found in state.members.consumers.items() if name in found.subscriptions]
    groups = dict.fromkeys([*online, *state.offsets.groups_of(name)])
    # REPLY
    return request.reply(body=dumps({"groupList": list(groups)}))


def time_span(state: BrokerState, request: Request) -> list[Effect]:
    """303: how old, in store time, the first, the last and the last consumed message of each queue are. Codes 0, 17.

    The texts that RocketMQ adds to the times are in its host's time zone, which nobody here knows; they are left out.
    """
    # DECODE
    topic = _topic(state, request)
    group = text(request.command.fields, "group")
    # CHECK, APPLY: nothing to refuse but a missing topic, nothing changes
    # REPLY
    spans = []
    for queue_id in range(topic.write_queues):
        high = state.store.max_offset(topic.name, queue_id)
        first_ms = state.store.earliest_time(topic.name, queue_id)
        consumed = state.offsets.query(group, topic.name, queue_id)
        at = -1 if consumed is None else consumed
        behind = 0 <= at < high or (at < 0 < high)
        spans.append(
            {
                "messageQueue": {"brokerName": state.settings.brokerName, "queueId": queue_id, "topic": topic.name},
                "minTimeStamp": first_ms,
                "maxTimeStamp": store_time(state, topic.name, queue_id, high - 1),
                "consumeTimeStamp": store_time(state, topic.name, queue_id, at - 1) if at > 0 else first_ms,
                "delayTime": request.now_ms - store_time(state, topic.name, queue_id, at) if behind else 0,
            }
        )
    return request.reply(body=dumps({"consumeTimeSpanSet": spans}))


def consume_queue(state: BrokerState, request: Request) -> list[Effect]:
    """321: where a queue's messages are in the log, and what a group wants of the topic. Codes 0, 1."""
    # DECODE
    fields = request.command.fields
    topic, queue_id, index = text(fields, "topic"), int32_or(fields, "queueId", 0), int64_or(fields, "index", 0)
    count, group = int32_or(fields, "count", 0), fields.get("consumerGroup")
    # CHECK
    if not topic:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, "topic is empty; name one")
    low, high = state.store.min_offset(topic, queue_id), state.store.max_offset(topic, queue_id)
    if high == 0 or not low <= index <= high:
        return request.reply(remark=f"Index {index} of {queue_id}@{topic} is not exist!")
    # APPLY: nothing changes
    # REPLY
    body: dict[str, object] = {"maxQueueIndex": high, "minQueueIndex": low}
    if group is not None:
        wanted = state.members.subscription(group, topic)
        body["filterData"] = "null" if wanted is not None else f"{group}@{topic} is not online!"
        if wanted is not None:
            body["subscriptionData"] = wanted.to_json()
    body["queueData"] = _units(state, topic, queue_id, index, min(count, UNITS_MAX))
    return request.reply(body=dumps(body), remark=UNSET_REMARK)


def clean(_: BrokerState, request: Request) -> list[Effect]:
    """306, 316: remove consume queues that nobody needs. Code 0.

    They are in memory here and never outlive their messages: there is nothing to remove.
    """
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    return request.reply()


def store_time(state: BrokerState, topic: str, queue_id: int, offset: int) -> int:
    """Store time in ms of a message of a queue; -1 without it. RocketMQ: getMessageStoreTimeStamp."""
    found = state.store.read(topic, queue_id, offset, 1) if offset >= 0 else None
    return decode_record(found.records).store_time_ms if found is not None and found.count else -1


def queue_key(state: BrokerState, topic: str, queue_id: int) -> bytes:
    """A queue of this broker as a key of a map; RocketMQ: MessageQueue."""
    return dumps({"brokerName": state.settings.brokerName, "queueId": queue_id, "topic": topic})


def _units(state: BrokerState, topic: str, queue_id: int, index: int, count: int) -> list[dict[str, object]]:
    found = state.store.read(topic, queue_id, index, max(count, 0)) if count > 0 else None
    data = found.records if found is not None else b""
    units: list[dict[str, object]] = []
    at = 0
    while at < len(data):
        record = decode_record(data, at)
        tags = record.properties.get(PROPERTY_TAGS)
        code = java_hash(tags) if tags else 0
        unit: dict[str, object] = {
            "eval": False,
            "physicOffset": record.physical_offset,
            "physicSize": record.size,
            "tagsCode": code,
        }
        units.append(unit)
        at += record.size
    return units


def _topic(state: BrokerState, request: Request) -> TopicConfig:
    name = text(request.command.fields, "topic")
    topic = state.topics.get(name)
    if topic is None:
        raise RefusalError(ResponseCode.TOPIC_NOT_EXIST, f"topic[{name}] not exist")
    return topic


def _refuse_bad_name(state: BrokerState, name: str) -> None:
    complaint = topic_complaint(name)
    if complaint is None and state.topics.is_system(name):
        complaint = f"The topic[{name}] is conflict with system topic."
    if complaint is not None:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, complaint)


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.UPDATE_AND_CREATE_TOPIC: create_topic,
    RequestCode.DELETE_TOPIC_IN_BROKER: delete_topic,
    RequestCode.GET_ALL_TOPIC_CONFIG: all_topics,
    RequestCode.GET_TOPIC_CONFIG: topic_config,
    RequestCode.GET_TOPIC_STATS_INFO: topic_stats,
    RequestCode.QUERY_TOPIC_CONSUME_BY_WHO: consumers_of_topic,
    RequestCode.QUERY_CONSUME_TIME_SPAN: time_span,
    RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER: system_topics,
    RequestCode.QUERY_CONSUME_QUEUE: consume_queue,
    RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE: clean,
    RequestCode.CLEAN_UNUSED_TOPIC: clean,
}
"""What this module serves, by code."""
