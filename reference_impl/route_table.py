"""The NameServer's tables: which brokers live, and which of them has which queues of which topic.

Holds the tables and their changes; codes and bodies of requests are in ``nameserver``. Source: RouteInfoManager
of RocketMQ 4.9, section by section: registerBroker, unregisterBroker, onChannelDestroy, scanNotActiveBroker,
pickupTopicRouteData.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from reference_impl.commands import MASTER_ID, PERM_READ, PERM_WRITE
from reference_impl.register_body import DataVersion

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.register_body import Registration, TopicEntry


UNIT = 1
"""Bit of a topic's sysFlag: its messages belong to a unit [TopicSysFlag]."""
UNIT_SUBSCRIBED = 2
"""Bit of a topic's sysFlag: there are subscriptions of units."""


class QueueData(Struct):
    """The queues of one topic on one broker group."""

    read_queues: int
    write_queues: int
    perm: int
    sys_flag: int


class BrokerGroup(Struct):
    """The brokers of one name: master and slaves."""

    cluster: str
    name: str
    addresses: dict[int, str] = field(default_factory=dict)
    """Address by brokerId."""


class Live(Struct):
    """One broker that has registered, by its address."""

    seen_ms: int
    """When it last registered, by this NameServer's clock."""
    version: DataVersion
    conn: int
    """The connection it registered by; its end is the broker's end."""
    ha_address: str


class Broker(Struct, frozen=True):
    """Who a registration speaks of."""

    cluster: str
    name: str
    broker_id: int
    address: str
    ha_address: str = ""


def addresses_json(addresses: dict[int, str], strict: bool) -> msgspec.Raw:
    """Write ``brokerAddrs``; not strict, its keys have no quotes, as fastjson writes a map of numbers."""
    quote = b'"' if strict else b""
    pairs = (
        quote + b"%d" % key + quote + b":" + msgspec.json.encode(value) for key, value in sorted(addresses.items())
    )
    return msgspec.Raw(b"{" + b",".join(pairs) + b"}")


class RouteTable:
    """All that one NameServer knows of brokers. Nothing of it survives the process, and no other NameServer sees it."""

    def __init__(self) -> None:
        self.topics: dict[str, dict[str, QueueData]] = {}
        self.groups: dict[str, BrokerGroup] = {}
        self.clusters: dict[str, dict[str, None]] = {}
        self.live: dict[str, Live] = {}

    def register(self, now_ms: int, conn: int, broker: Broker, body: Registration) -> dict[str, str]:
        """Take a registration in; gives the answer's header: a slave learns its live master (ns-register-visible)."""
        self.clusters.setdefault(broker.cluster, {})[broker.name] = None
        group = self.groups.setdefault(broker.name, BrokerGroup(broker.cluster, broker.name))
        for other in [
            key for key, value in group.addresses.items() if value == broker.address and key != broker.broker_id
        ]:
            del group.addresses[other]
        first = broker.broker_id not in group.addresses
        group.addresses[broker.broker_id] = broker.address
        known = self.live.get(broker.address)
        if broker.broker_id == MASTER_ID and (first or known is None or known.version != body.version):
            for entry in body.topics.values():
                self._put_queues(broker.name, entry)
        self.live[broker.address] = Live(now_ms, body.version, conn, broker.ha_address)
        address = group.addresses.get(MASTER_ID) if broker.broker_id != MASTER_ID else None
        master = self.live.get(address) if address is not None else None
        if address is None or master is None:
            return {}
        return {"haServerAddr": master.ha_address, "masterAddr": address}

    def _put_queues(self, name: str, entry: TopicEntry) -> None:
        queues = self.topics.setdefault(entry.name, {})
        queues[name] = QueueData(entry.read_queues, entry.write_queues, entry.perm, entry.sys_flag)

    def refresh(self, now_ms: int, address: str, version: DataVersion) -> DataVersion | None:
        """Compare a broker's version with the one known; an equal one counts as a sign of life. Gives the one known."""
        known = self.live.get(address)
        if known is None:
            return None
        if known.version == version:
            known.seen_ms = now_ms
        return known.version

    def unregister(self, broker: Broker) -> None:
        """Forget one broker at its own wish."""
        self.live.pop(broker.address, None)
        group = self.groups.get(broker.name)
        if group is not None:
            group.addresses.pop(broker.broker_id, None)
            self._drop_if_empty(group)

    def connection_ended(self, conn: int) -> None:
        """Forget at once every broker that registered by this connection (ns-close)."""
        for address in [address for address, live in self.live.items() if live.conn == conn]:
            self._forget(address)

    def expire(self, now_ms: int, expiry_ms: int) -> list[int]:
        """Forget brokers silent longer than ``expiry_ms``; gives their connections (ns-expire, ns-no-early-expire)."""
        silent = [(address, live.conn) for address, live in self.live.items() if live.seen_ms + expiry_ms < now_ms]
        for address, _ in silent:
            self._forget(address)
        return [conn for _, conn in silent]

    def clock_moved(self, by_ms: int) -> None:
        """The clock was moved on purpose: no broker is more silent for that."""
        for live in self.live.values():
            live.seen_ms += by_ms

    def _forget(self, address: str) -> None:
        self.live.pop(address, None)
        for group in list(self.groups.values()):
            for key in [key for key, value in group.addresses.items() if value == address]:
                del group.addresses[key]
            self._drop_if_empty(group)

    def _drop_if_empty(self, group: BrokerGroup) -> None:
        """A name without a broker goes, with its queues; with a slave left, everything stays as it is."""
        if group.addresses:
            return
        self.groups.pop(group.name, None)
        names = self.clusters.get(group.cluster, {})
        names.pop(group.name, None)
        if not names:
            self.clusters.pop(group.cluster, None)
        for topic in [topic for topic, queues in self.topics.items() if group.name in queues]:
            del self.topics[topic][group.name]
            if not self.topics[topic]:
                del self.topics[topic]

    def change_write_perm(self, name: str, writable: bool) -> int:
        """Take writing away from every topic of a broker, or set each to read and write; gives how many topics."""
        touched = [queues[name] for queues in self.topics.values() if name in queues]
        for queue in touched:
            queue.perm = PERM_READ | PERM_WRITE if writable else queue.perm & ~PERM_WRITE
        return len(touched)

    def forget_topics(self) -> None:
        """Forget every topic, and which topics a broker has told: its next registration counts as a new state."""
        self.topics.clear()
        for live in self.live.values():
            live.version = DataVersion(-1, -1)

    def route(self, topic: str, strict: bool) -> dict[str, Any] | None:
        """TopicRouteData of a topic, or None when no broker has it (ns-empty-17)."""
        queues = self.topics.get(topic, {})
        groups = [self.groups[name] for name in queues if name in self.groups]
        if not groups:
            return None
        return {
            "brokerDatas": [self._group_json(group, strict) for group in groups],
            "filterServerTable": {},
            "queueDatas": [
                {
                    "brokerName": name,
                    "perm": queue.perm,
                    "readQueueNums": queue.read_queues,
                    "topicSysFlag": queue.sys_flag,
                    "writeQueueNums": queue.write_queues,
                }
                for name, queue in queues.items()
            ],
        }

    def cluster_info(self) -> dict[str, Any]:
        """ClusterInfo; its address keys never have quotes, whoever asks."""
        return {
            "brokerAddrTable": {name: self._group_json(group, strict=False) for name, group in self.groups.items()},
            "clusterAddrTable": {cluster: list(names) for cluster, names in self.clusters.items()},
        }

    def delete_topic(self, topic: str, cluster: str = "") -> None:
        """Forget a topic, on the brokers of one cluster or, without a name, on all."""
        queues = self.topics.get(topic, {})
        gone = self.clusters.get(cluster, {}) if cluster else dict.fromkeys(queues)
        for name in gone:
            queues.pop(name, None)
        if not queues:
            self.topics.pop(topic, None)

    def topics_by_flag(self, wanted: Callable[[int], bool]) -> list[str]:
        """Topics whose sysFlag, as the first of their brokers told it, is wanted."""
        return [topic for topic, queues in self.topics.items() if wanted(next(iter(queues.values())).sys_flag)]

    def topics_of_cluster(self, cluster: str) -> list[str]:
        """Names of the topics that any broker of a cluster has."""
        names = self.clusters.get(cluster, {})
        return [topic for topic, queues in self.topics.items() if any(name in names for name in queues)]

    @staticmethod
    def _group_json(group: BrokerGroup, strict: bool) -> dict[str, Any]:
        addresses = addresses_json(group.addresses, strict)
        return {"brokerAddrs": addresses, "brokerName": group.name, "cluster": group.cluster}
