"""mqcheck.workloads.administration: what is read from the lists of brokers and NameServers, in RocketMQ's JSON."""

from __future__ import annotations

import json
import zlib

from mqcheck.rocketmq.models import RawAnswer
from mqcheck.workloads.administration import (
    bounds_of,
    brokers_of,
    ghost,
    groups_of,
    listed,
    make_group,
    make_topic,
    members_of,
    query_version,
    register,
    routes_of,
    settings_of,
    topics_of,
    values_of,
)


def said(body: bytes) -> RawAnswer:
    return RawAnswer("ok", 1, 0, {}, body)


def test_lists_are_read() -> None:
    topic = b'{"readQueueNums":3,"writeQueueNums":2,"perm":6}'
    assert topics_of(said(b'{"topicConfigTable":{"T":' + topic + b"}}")) == {"T": "r3 w2 p6"}
    assert groups_of(said(b'{"subscriptionGroupTable":{"G":{"retryMaxTimes":5}}}')) == {"G": "5"}
    assert settings_of(said(b"a=1\nb = x=y\n")) == {"a": "1", "b": "x=y"}
    queue = b'{"brokerName":"a","queueId":1,"topic":"T"}'
    assert bounds_of("T", said(b'{"offsetTable":{' + queue + b':{"maxOffset":6,"minOffset":0}}}')) == {"T/1": "0-6"}
    assert members_of(said(b'{"consumerIdList":["x"]}')) == {"x": "live"}
    assert members_of(said(b'{"connectionSet":[{"clientId":"y"}]}')) == {"y": "live"}
    route = b'{"queueDatas":[{"brokerName":"a","readQueueNums":3,"writeQueueNums":2,"perm":4}],"brokerDatas":[]}'
    assert routes_of("T", "a", said(route)) == {"T": "r3 w2 p4"}
    assert routes_of("T", "b", said(route)) == {}
    cluster = b'{"brokerAddrTable":{"a":{"cluster":"C","brokerAddrs":{0:"h:1"}},"b":{"cluster":"C"}},'
    assert brokers_of(said(cluster + b'"clusterAddrTable":{"C":["a"]}}')) == {"a": "C"}
    assert listed(said(b'{"topicList":["T"]}')) == {"T": "listed"}
    assert values_of("n", said(b'{"table":{"k":"v"}}')) == {"n/k": "v"}


def test_requests_say_what_they_are_to() -> None:
    assert (make_topic("T", 3, 2, 4).fields["readQueueNums"], make_topic("T", 3, 2, 4).fields["perm"]) == ("3", "4")
    assert json.loads(make_group("G", 7).body)["retryMaxTimes"] == 7
    asked = register("p", ghost("g", 1), {"T": 4}, 2)
    assert asked.fields["bodyCrc32"] == str(zlib.crc32(asked.body) & 0x7FFFFFFF)
    assert (asked.fields["brokerName"], asked.fields["brokerId"]) == ("g", "1")
    wrapper = json.loads(asked.body)["topicConfigSerializeWrapper"]
    assert wrapper["topicConfigTable"]["T"]["readQueueNums"] == 4
    assert wrapper["dataVersion"] == json.loads(query_version("p", {}, 2).body)
    assert register("p", {**ghost("g"), "bodyCrc32": "1"}, {}, 1).fields["bodyCrc32"] == "1"
