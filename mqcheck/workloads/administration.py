"""Administration by hand: requests that make, change and delete, and what the lists of brokers and NameServers say."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from mqcheck.rocketmq.codes import CLIENT_VERSION, DEFAULT_TOPIC, RequestCode
from mqcheck.rocketmq.conversation import Question
from mqcheck.rocketmq.frame import loads_loose
from mqcheck.rocketmq.models import RawAnswer

GHOSTS: Final = "mqcheck-ghosts"
"""Cluster of brokers that are none: the kit registers them."""

GHOST_PORT: Final = 2
"""Port in the addresses of ghosts, where nobody listens; a ghost slave's is one more."""


def queues(config: Mapping[str, Any]) -> str:
    """What is compared of a topic, in its configuration or its route."""
    return f"r{config['readQueueNums']} w{config['writeQueueNums']} p{config['perm']}"


def make_topic(topic: str, read: int, write: int, perm: int) -> Question:
    """UPDATE_AND_CREATE_TOPIC."""
    fields = {
        "topic": topic,
        "defaultTopic": DEFAULT_TOPIC,
        "readQueueNums": str(read),
        "writeQueueNums": str(write),
        "perm": str(perm),
        "topicFilterType": "SINGLE_TAG",
        "topicSysFlag": "0",
        "order": "false",
    }
    return Question("make topic", int(RequestCode.UPDATE_AND_CREATE_TOPIC), fields)


def make_group(group: str, retries: int) -> Question:
    """UPDATE_AND_CREATE_SUBSCRIPTIONGROUP."""
    config = {
        "groupName": group,
        "consumeEnable": True,
        "consumeFromMinEnable": True,
        "consumeBroadcastEnable": True,
        "retryQueueNums": 1,
        "retryMaxTimes": retries,
        "brokerId": 0,
        "whichBrokerWhenConsumeSlowly": 1,
        "notifyConsumerIdsChangedEnable": True,
    }
    code = int(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
    return Question("make group", code, body=json.dumps(config).encode())


def topics_of(answer: RawAnswer) -> dict[str, str]:
    """GET_ALL_TOPIC_CONFIG: topic → queues and permission."""
    table = loads_loose(answer.body)["topicConfigTable"]
    return {topic: queues(config) for topic, config in table.items()}


def groups_of(answer: RawAnswer) -> dict[str, str]:
    """GET_ALL_SUBSCRIPTIONGROUP_CONFIG: group → number of retries."""
    table = loads_loose(answer.body)["subscriptionGroupTable"]
    return {group: str(config["retryMaxTimes"]) for group, config in table.items()}


def settings_of(answer: RawAnswer) -> dict[str, str]:
    """GET_BROKER_CONFIG: setting by key."""
    pairs = (line.partition("=") for line in answer.body.decode().splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def bounds_of(topic: str, answer: RawAnswer) -> dict[str, str]:
    """GET_TOPIC_STATS_INFO: ``topic/queue`` → its bounds."""
    found = {}
    for key, value in loads_loose(answer.body)["offsetTable"].items():
        queue = loads_loose(key.encode())
        found[f"{topic}/{queue['queueId']}"] = f"{value['minOffset']}-{value['maxOffset']}"
    return found


def members_of(answer: RawAnswer) -> dict[str, str]:
    """GET_CONSUMER_CONNECTION_LIST, or GET_CONSUMER_LIST_BY_GROUP: every member → "live"."""
    read = loads_loose(answer.body)
    named = read.get("consumerIdList") or [each["clientId"] for each in read.get("connectionSet", ())]
    return dict.fromkeys(sorted(named), "live")


def routes_of(topic: str, broker: str, answer: RawAnswer) -> dict[str, str]:
    """GET_ROUTEINFO_BY_TOPIC: the topic → its queues on one broker."""
    found = [queues(each) for each in loads_loose(answer.body)["queueDatas"] if each["brokerName"] == broker]
    return {topic: found[0]} if found else {}


def brokers_of(answer: RawAnswer) -> dict[str, str]:
    """GET_BROKER_CLUSTER_INFO: broker → its cluster, where the cluster names it too."""
    read = loads_loose(answer.body)
    named = {(cluster, broker) for cluster, brokers in read["clusterAddrTable"].items() for broker in brokers}
    table = read["brokerAddrTable"]
    return {name: each["cluster"] for name, each in table.items() if (each["cluster"], name) in named}


def listed(answer: RawAnswer) -> dict[str, str]:
    """GET_ALL_TOPIC_LIST_FROM_NAMESERVER: every topic → "listed"."""
    return dict.fromkeys(loads_loose(answer.body)["topicList"], "listed")


def values_of(namespace: str, answer: RawAnswer) -> dict[str, str]:
    """GET_KVLIST_BY_NAMESPACE: ``namespace/key`` → value."""
    return {f"{namespace}/{key}": value for key, value in loads_loose(answer.body)["table"].items()}


def ghost(broker: str, broker_id: int = 0) -> dict[str, str]:
    """Who a ghost is, in registrations."""
    return {
        "brokerName": broker,
        "brokerAddr": f"127.0.0.1:{GHOST_PORT + broker_id}",
        "clusterName": GHOSTS,
        "haServerAddr": f"127.0.0.1:{GHOST_PORT + 2}",
        "brokerId": str(broker_id),
    }


def register(probe: str, fields: Mapping[str, str], topics: Mapping[str, int], version: int) -> Question:
    """REGISTER_BROKER with so many queues for each topic; ``version`` counts its changes."""
    table = {
        topic: {
            "topicName": topic,
            "readQueueNums": count,
            "writeQueueNums": count,
            "perm": 6,
            "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": 0,
            "order": False,
        }
        for topic, count in topics.items()
    }
    wrapper = {"topicConfigTable": table, "dataVersion": data_version(version)}
    body = json.dumps({"topicConfigSerializeWrapper": wrapper, "filterServerList": []}).encode()
    checked = {"compressed": "false", "bodyCrc32": str(zlib.crc32(body) & 0x7FFFFFFF)}
    return Question(probe, 103, {**checked, **fields}, body, version=CLIENT_VERSION)


def data_version(count: int) -> dict[str, int]:
    """A version of a broker's topics."""
    return {"counter": count, "timestamp": 1_700_000_000_000 + count, "stateVersion": 0}


def query_version(probe: str, fields: Mapping[str, str], version: int) -> Question:
    """QUERY_DATA_VERSION: has the NameServer this version of a broker's topics?"""
    return Question(probe, 322, fields, json.dumps(data_version(version)).encode())
