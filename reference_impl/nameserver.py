"""The NameServer: answers who has which topic, from what brokers tell it.

Holds the requests it understands and its clock-driven scan; the tables are in ``route_table``. No sockets, no
clock: bytes and time come in, effects go out. A code it does not know is never answered, as in 4.9.7. Any number
of NameServers serve one cluster and know nothing of each other (ns-isolated). Source: DefaultRequestProcessor,
ClientRequestProcessor, KVConfigManager of RocketMQ 4.9. Deviation: key-value configuration lives as long as the
process; RocketMQ also writes kvConfig.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reference_impl.commands import FAQ_TAIL, VERSION_STRICT_ROUTE, RequestCode, ResponseCode
from reference_impl.effects import Close, Effect, Reply
from reference_impl.errors import WireError
from reference_impl.loose_json import dumps, loads_loose
from reference_impl.message import body_crc
from reference_impl.register_body import DataVersion, decode_body
from reference_impl.route_table import Broker, RouteTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.frame import Command
    from reference_impl.settings import NameServerSettings

ORDER_NAMESPACE: Final = "ORDER_TOPIC_CONFIG"
"""Key-value namespace of order configurations; handed to every registering broker."""


def _flag(command: Command, name: str) -> bool:
    """A boolean header field as Java reads it: only the word true is true."""
    return command.fields.get(name, "").lower() == "true"


def _broker(command: Command) -> Broker:
    """Who a 103, 104 or 322 speaks of; KeyError or ValueError when a field is missing or no number."""
    fields = command.fields
    return Broker(
        cluster=fields["clusterName"],
        name=fields["brokerName"],
        broker_id=int(fields["brokerId"]),
        address=fields["brokerAddr"],
        ha_address=fields.get("haServerAddr", ""),
    )


class NameServerCore:
    """The whole of one NameServer; the shell calls it, one call at a time."""

    def __init__(self, settings: NameServerSettings) -> None:
        self._settings = settings
        self._table = RouteTable()
        self._values: dict[str, dict[str, str]] = {}
        self._scan_at_ms: int | None = None
        self._now_ms = 0
        self._handlers: dict[int, Callable[[int, Command], Command]] = {
            RequestCode.PUT_KV_CONFIG: self._put_value,
            RequestCode.GET_KV_CONFIG: self._get_value,
            RequestCode.DELETE_KV_CONFIG: self._delete_value,
            RequestCode.GET_KVLIST_BY_NAMESPACE: self._list_values,
            RequestCode.REGISTER_BROKER: self._register,
            RequestCode.UNREGISTER_BROKER: self._unregister,
            RequestCode.GET_ROUTEINFO_BY_TOPIC: self._route,
            RequestCode.GET_BROKER_CLUSTER_INFO: self._cluster_info,
            RequestCode.WIPE_WRITE_PERM_OF_BROKER: self._wipe_write_perm,
            RequestCode.ADD_WRITE_PERM_OF_BROKER: self._add_write_perm,
            RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER: self._all_topics,
            RequestCode.DELETE_TOPIC_IN_NAMESRV: self._delete_topic,
            RequestCode.GET_TOPICS_BY_CLUSTER: self._cluster_topics,
            RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS: self._system_topics,
            RequestCode.QUERY_DATA_VERSION: self._query_version,
        }

    def start(self, now_ms: int) -> list[Effect]:
        """Begin: the first scan comes after half a period, the later ones after whole ones."""
        self._scan_at_ms = now_ms + self._settings.broker_scan_ms // 2
        return []

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Serve one request; an unknown code is met with silence."""
        del peer
        self._now_ms = now_ms
        handler = self._handlers.get(command.code)
        if handler is None or command.is_response:
            return []
        try:
            answer = handler(conn, command)
        except KeyError as error:
            answer = command.reply(ResponseCode.SYSTEM_ERROR, remark=f"the custom field <{error.args[0]}> is null")
        except (WireError, ValueError) as error:
            answer = command.reply(ResponseCode.SYSTEM_ERROR, remark=f"{type(error).__name__}: {error}")
        return [] if command.is_oneway else [Reply(conn, answer)]

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """A connection has ended."""
        self._now_ms = now_ms
        self._table.connection_ended(conn)
        return []

    def tick(self, now_ms: int) -> list[Effect]:
        """Do what is due: the scan for silent brokers, which also closes their connections."""
        self._now_ms = now_ms
        if self._scan_at_ms is None or now_ms < self._scan_at_ms:
            return []
        period = self._settings.broker_scan_ms
        self._scan_at_ms += period * ((now_ms - self._scan_at_ms) // period + 1)
        return [Close(conn) for conn in self._table.expire(now_ms, self._settings.broker_expiry_ms)]

    def next_deadline_ms(self) -> int | None:
        """When ``tick`` has something to do."""
        return self._scan_at_ms

    def response(self, now_ms: int, token: str, command: Command | None) -> list[Effect]:
        """A NameServer calls nobody, so nothing is ever answered to it."""
        del now_ms, token, command
        return []

    def flushed(self, now_ms: int, position: int) -> list[Effect]:
        """A NameServer has nothing on the disk."""
        del now_ms, position
        return []

    def stop(self, now_ms: int) -> list[Effect]:
        """End; nothing is to be saved."""
        del now_ms
        return []

    def empty(self) -> None:
        """Forget what users put in; brokers tell their topics again by themselves."""
        self._values.clear()
        self._table.forget_topics()

    def _register(self, conn: int, command: Command) -> Command:
        # DECODE
        broker = _broker(command)
        # CHECK
        crc = int(command.fields.get("bodyCrc32") or 0)
        if crc not in (0, body_crc(command.body)):
            return command.reply(ResponseCode.SYSTEM_ERROR, remark="crc32 not match")
        body = decode_body(command.body, version=command.version, compressed=_flag(command, "compressed"))
        # APPLY
        header = self._table.register(self._now_ms, conn, broker, body)
        # REPLY
        values = self._values.get(ORDER_NAMESPACE)
        return command.reply(ResponseCode.SUCCESS, header, dumps({"table": values}) if values is not None else b"")

    def _unregister(self, conn: int, command: Command) -> Command:
        del conn
        self._table.unregister(_broker(command))
        return command.reply(ResponseCode.SUCCESS)

    def _route(self, conn: int, command: Command) -> Command:
        del conn
        topic = command.fields.get("topic")
        strict = command.version >= VERSION_STRICT_ROUTE or _flag(command, "acceptStandardJsonOnly")
        route = self._table.route(topic, strict) if topic is not None else None
        if route is None or topic is None:
            shown = "null" if topic is None else topic
            remark = f"No topic route info in name server for the topic: {shown}{FAQ_TAIL}"
            return command.reply(ResponseCode.TOPIC_NOT_EXIST, remark=remark)
        order = self._values.get(ORDER_NAMESPACE, {}).get(topic)
        if self._settings.orderMessageEnable and order is not None:
            route["orderTopicConf"] = order
        return command.reply(ResponseCode.SUCCESS, body=dumps(route))

    def _cluster_info(self, conn: int, command: Command) -> Command:
        del conn
        return command.reply(ResponseCode.SUCCESS, body=dumps(self._table.cluster_info()))

    def _query_version(self, conn: int, command: Command) -> Command:
        del conn
        asked = DataVersion.from_json(loads_loose(command.body))
        known = self._table.refresh(self._now_ms, _broker(command).address, asked)
        changed = "false" if known == asked else "true"
        return command.reply(ResponseCode.SUCCESS, {"changed": changed}, dumps(known.to_json()) if known else b"")

    def _wipe_write_perm(self, conn: int, command: Command) -> Command:
        del conn
        count = self._table.change_write_perm(command.fields["brokerName"], writable=False)
        return command.reply(ResponseCode.SUCCESS, {"wipeTopicCount": str(count)})

    def _add_write_perm(self, conn: int, command: Command) -> Command:
        del conn
        count = self._table.change_write_perm(command.fields["brokerName"], writable=True)
        return command.reply(ResponseCode.SUCCESS, {"addTopicCount": str(count)})

    def _all_topics(self, conn: int, command: Command) -> Command:
        del conn
        return command.reply(ResponseCode.SUCCESS, body=dumps({"topicList": list(self._table.topics)}))

    def _delete_topic(self, conn: int, command: Command) -> Command:
        del conn
        self._table.topics.pop(command.fields["topic"], None)
        return command.reply(ResponseCode.SUCCESS)

    def _cluster_topics(self, conn: int, command: Command) -> Command:
        del conn
        topics = self._table.topics_of_cluster(command.fields["cluster"])
        return command.reply(ResponseCode.SUCCESS, body=dumps({"topicList": topics}))

    def _system_topics(self, conn: int, command: Command) -> Command:
        """Names of clusters and brokers, which are topics of every broker, and one broker to ask for the rest."""
        del conn
        names = [name for cluster, brokers in self._table.clusters.items() for name in (cluster, *brokers)]
        address = next((address for group in self._table.groups.values() for address in group.addresses.values()), None)
        body = {"topicList": names} | ({} if address is None else {"brokerAddr": address})
        return command.reply(ResponseCode.SUCCESS, body=dumps(body))

    def _put_value(self, conn: int, command: Command) -> Command:
        del conn
        namespace, key, value = (command.fields[name] for name in ("namespace", "key", "value"))
        self._values.setdefault(namespace, {})[key] = value
        return command.reply(ResponseCode.SUCCESS)

    def _get_value(self, conn: int, command: Command) -> Command:
        del conn
        namespace, key = command.fields["namespace"], command.fields["key"]
        value = self._values.get(namespace, {}).get(key)
        if value is None:
            remark = f"No config item, Namespace: {namespace} Key: {key}"
            return command.reply(ResponseCode.QUERY_NOT_FOUND, remark=remark)
        return command.reply(ResponseCode.SUCCESS, {"value": value})

    def _delete_value(self, conn: int, command: Command) -> Command:
        del conn
        self._values.get(command.fields["namespace"], {}).pop(command.fields["key"], None)
        return command.reply(ResponseCode.SUCCESS)

    def _list_values(self, conn: int, command: Command) -> Command:
        del conn
        namespace = command.fields["namespace"]
        values = self._values.get(namespace)
        if values is None:
            return command.reply(ResponseCode.QUERY_NOT_FOUND, remark=f"No config item, Namespace: {namespace}")
        return command.reply(ResponseCode.SUCCESS, body=dumps({"table": values}))
