"""Brokers and routes: registrations (103, 104, 322), routes (105), clusters (106), write permission (205, 327),
lists of topics (206, 216, 224, 304, 311 to 313).

What a client may rely on: a route names brokers that live, and queues as they were last told. Clauses:
ns-register-visible, ns-empty-17. Sources: RocketMQ DefaultRequestProcessor, ClientRequestProcessor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from reference_impl.commands import FAQ_TAIL, VERSION_STRICT_ROUTE, RequestCode, ResponseCode
from reference_impl.frame import Command
from reference_impl.headers import flag, int32_or, text
from reference_impl.loose_json import dumps, loads_loose
from reference_impl.message import body_crc
from reference_impl.nameserver.state import ORDER_NAMESPACE, Handler, NameServerState, broker_of
from reference_impl.register_body import DataVersion, decode_body
from reference_impl.route_table import UNIT, UNIT_SUBSCRIBED


def register(state: NameServerState, conn: int, command: Command) -> Command:
    """103: a broker lives, with these topics. Codes 0, 1."""
    # DECODE
    broker = broker_of(command)
    # CHECK
    crc = int32_or(command.fields, "bodyCrc32", 0)
    if crc not in (0, body_crc(command.body)):
        return command.reply(ResponseCode.SYSTEM_ERROR, remark="crc32 not match")
    body = decode_body(command.body, version=command.version, compressed=flag(command.fields, "compressed"))
    # APPLY
    header = state.table.register(state.now_ms, conn, broker, body)
    # REPLY
    values = state.values.get(ORDER_NAMESPACE)
    return command.reply(ResponseCode.SUCCESS, header, dumps({"table": values}) if values is not None else b"")


def unregister(state: NameServerState, _: int, command: Command) -> Command:
    """104: a broker stops. Codes 0, 1."""
    state.table.unregister(broker_of(command))
    return command.reply(ResponseCode.SUCCESS)


def route(state: NameServerState, _: int, command: Command) -> Command:
    """105: which brokers have which queues of a topic. Codes 0, 17."""
    # DECODE
    topic = command.fields.get("topic")
    strict = command.version >= VERSION_STRICT_ROUTE or flag(command.fields, "acceptStandardJsonOnly")
    # CHECK
    found = state.table.route(topic, strict) if topic is not None else None
    if found is None or topic is None:
        shown = "null" if topic is None else topic
        remark = f"No topic route info in name server for the topic: {shown}{FAQ_TAIL}"
        return command.reply(ResponseCode.TOPIC_NOT_EXIST, remark=remark)
    # APPLY: nothing changes
    # REPLY
    order = state.values.get(ORDER_NAMESPACE, {}).get(topic)
    if state.settings.orderMessageEnable and order is not None:
        found["orderTopicConf"] = order
    return command.reply(ResponseCode.SUCCESS, body=dumps(found))


def cluster_info(state: NameServerState, _: int, command: Command) -> Command:
    """106: brokers by name and names by cluster. Code 0."""
    return command.reply(ResponseCode.SUCCESS, body=dumps(state.table.cluster_info()))


def query_version(state: NameServerState, _: int, command: Command) -> Command:
    """322: whether a broker's topics have changed since it told them; unchanged, it counts as a sign of life.
    Codes 0, 1.
    """
    asked = DataVersion.from_json(loads_loose(command.body))
    known = state.table.refresh(state.now_ms, text(command.fields, "brokerAddr"), asked)
    changed = "false" if known == asked else "true"
    return command.reply(ResponseCode.SUCCESS, {"changed": changed}, dumps(known.to_json()) if known else b"")


def wipe_write_perm(state: NameServerState, _: int, command: Command) -> Command:
    """205: nobody shall send to a broker any more. Codes 0, 1."""
    count = state.table.change_write_perm(text(command.fields, "brokerName"), writable=False)
    return command.reply(ResponseCode.SUCCESS, {"wipeTopicCount": str(count)})


def add_write_perm(state: NameServerState, _: int, command: Command) -> Command:
    """327: every topic of a broker gets exactly reading and writing. Codes 0, 1."""
    count = state.table.change_write_perm(text(command.fields, "brokerName"), writable=True)
    return command.reply(ResponseCode.SUCCESS, {"addTopicCount": str(count)})


def all_topics(state: NameServerState, _: int, command: Command) -> Command:
    """206: every topic. Code 0."""
    return command.reply(ResponseCode.SUCCESS, body=dumps({"topicList": list(state.table.topics)}))


def delete_topic(state: NameServerState, _: int, command: Command) -> Command:
    """216: forget a topic, on the brokers of ``clusterName`` where that is given. Codes 0, 1.

    A broker that still has it brings it back by its next change of topics.
    """
    state.table.delete_topic(text(command.fields, "topic"), command.fields.get("clusterName", ""))
    return command.reply(ResponseCode.SUCCESS)


def cluster_topics(state: NameServerState, _: int, command: Command) -> Command:
    """224: topics that any broker of a cluster has. Codes 0, 1."""
    topics = state.table.topics_of_cluster(text(command.fields, "cluster"))
    return command.reply(ResponseCode.SUCCESS, body=dumps({"topicList": topics}))


def system_topics(state: NameServerState, _: int, command: Command) -> Command:
    """304: names of clusters and brokers, which are topics of every broker, and one broker to ask for the rest.
    Code 0.
    """
    table = state.table
    names = [name for cluster, brokers in table.clusters.items() for name in (cluster, *brokers)]
    address = next((address for group in table.groups.values() for address in group.addresses.values()), None)
    body = {"topicList": names} | ({} if address is None else {"brokerAddr": address})
    return command.reply(ResponseCode.SUCCESS, body=dumps(body))


def _unit_topics(wanted: Callable[[int], bool]) -> Handler:
    """311, 312, 313: topics by what their sysFlag says of units. Code 0. RocketMQ: TopicSysFlag."""

    def unit_topics(state: NameServerState, _: int, command: Command) -> Command:
        return command.reply(ResponseCode.SUCCESS, body=dumps({"topicList": state.table.topics_by_flag(wanted)}))

    return unit_topics


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.REGISTER_BROKER: register,
    RequestCode.UNREGISTER_BROKER: unregister,
    RequestCode.GET_ROUTEINFO_BY_TOPIC: route,
    RequestCode.GET_BROKER_CLUSTER_INFO: cluster_info,
    RequestCode.WIPE_WRITE_PERM_OF_BROKER: wipe_write_perm,
    RequestCode.ADD_WRITE_PERM_OF_BROKER: add_write_perm,
    RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER: all_topics,
    RequestCode.DELETE_TOPIC_IN_NAMESRV: delete_topic,
    RequestCode.GET_TOPICS_BY_CLUSTER: cluster_topics,
    RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS: system_topics,
    RequestCode.GET_UNIT_TOPIC_LIST: _unit_topics(lambda flags: bool(flags & UNIT)),
    RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST: _unit_topics(lambda flags: bool(flags & UNIT_SUBSCRIBED)),
    RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST: _unit_topics(
        lambda flags: bool(flags & UNIT_SUBSCRIBED) and not flags & UNIT
    ),
    RequestCode.QUERY_DATA_VERSION: query_version,
}
"""What this module serves, by code."""
