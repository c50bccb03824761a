"""Who is there: producers and consumers by group and connection, kept alive by heartbeats.

A connection that closes takes its members with it at once. A member that stays connected but sends no heartbeat is
out at the first scan after the expiry. Must not send anything: it answers *what changed*, the broker tells the
others. Sources: RocketMQ ConsumerManager, ProducerManager, ClientHousekeepingService.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from reference_impl.delivery.filters import FilterTable, Subscription


class Client(Struct, frozen=True):
    """One client on one connection."""

    client_id: str
    """Chosen by the client; what 38 lists and what owns locks."""
    conn: int
    peer: tuple[str, int]
    language: str = "JAVA"
    version: int = 0


class ConsumerGroup(Struct):
    """The live side of a consumer group. RocketMQ: ConsumerGroupInfo."""

    consume_type: str = "CONSUME_PASSIVELY"
    model: str = "CLUSTERING"
    from_where: str = "CONSUME_FROM_LAST_OFFSET"
    members: dict[int, Client] = field(default_factory=dict)
    """By connection."""
    seen_ms: dict[int, int] = field(default_factory=dict)
    """Time of the last heartbeat, by connection."""
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    """By topic; the latest heartbeat of any member wins."""

    def subscribe(self, wanted: Iterable[Subscription]) -> bool:
        """Take over a heartbeat's subscriptions; whether a topic came or went."""
        new = {subscription.topic: subscription for subscription in wanted}
        changed = new.keys() != self.subscriptions.keys()
        for topic, subscription in new.items():
            old = self.subscriptions.get(topic)
            if old is not None and old.version >= subscription.version:
                new[topic] = old
        self.subscriptions = new
        return changed


class ConsumerReport(Struct, frozen=True):
    """What one heartbeat says about one consumer group."""

    group: str
    consume_type: str
    model: str
    from_where: str
    subscriptions: tuple[Subscription, ...]


class Members(Struct):
    """All live clients of one broker."""

    expiry_ms: int
    consumers: dict[str, ConsumerGroup] = field(default_factory=dict)
    producers: dict[str, dict[int, Client]] = field(default_factory=dict)
    producers_seen_ms: dict[tuple[str, int], int] = field(default_factory=dict)
    """Time of the last heartbeat, by group and connection."""
    groups_of: dict[int, set[str]] = field(default_factory=dict)
    """Consumer and producer groups of a connection, so that its end costs no search."""
    filters: FilterTable = field(default_factory=FilterTable)
    """Expressions that filter what consumers get."""

    def producer_seen(self, group: str, client: Client, now_ms: int) -> None:
        """A heartbeat named this producer group."""
        self.producers.setdefault(group, {})[client.conn] = client
        self.producers_seen_ms[group, client.conn] = now_ms
        self.groups_of.setdefault(client.conn, set()).add(group)

    def consumer_seen(self, report: ConsumerReport, client: Client, now_ms: int) -> bool:
        """A heartbeat named this consumer group; whether its members or its topics changed (then 40 is due)."""
        group = self.consumers.setdefault(report.group, ConsumerGroup())
        known = group.members.get(client.conn)
        joined = known is None or known.client_id != client.client_id
        group.consume_type, group.model, group.from_where = report.consume_type, report.model, report.from_where
        group.members[client.conn] = client
        group.seen_ms[client.conn] = now_ms
        self.groups_of.setdefault(client.conn, set()).add(report.group)
        self.filters.register(report.group, report.subscriptions, now_ms)
        return group.subscribe(report.subscriptions) or joined

    def knows(self, group: str, client: Client) -> bool:
        """Whether this client is a member, and what its group wants is known."""
        found = self.consumers.get(group)
        return found is not None and client.conn in found.members and bool(found.subscriptions)

    def with_known_subscriptions(self, report: ConsumerReport) -> ConsumerReport:
        """A heartbeat that leaves its subscriptions out (5.x) means those of before."""
        found = self.consumers.get(report.group)
        return replace(report, subscriptions=tuple(found.subscriptions.values())) if found is not None else report

    def leave(self, conn: int, consumer_group: str | None, producer_group: str | None) -> list[str]:
        """UNREGISTER_CLIENT; the consumer groups that lost a member and still have others."""
        if producer_group is not None:
            self._drop_producer(producer_group, conn)
        if consumer_group is not None and self._drop_consumer(consumer_group, conn):
            return [consumer_group]
        return []

    def closed(self, conn: int) -> list[str]:
        """A connection ended; the consumer groups that lost a member and still have others."""
        lost = []
        for group in sorted(self.groups_of.pop(conn, ())):
            self._drop_producer(group, conn)
            if self._drop_consumer(group, conn):
                lost.append(group)
        return lost

    def expire(self, now_ms: int) -> set[int]:
        """Remove whoever sent no heartbeat for longer than the expiry; their connections, to be closed.

        The other members are *not* told: they see it at their next rebalance. RocketMQ: scanNotActiveChannel.
        """
        late = set()
        for name, group in list(self.consumers.items()):
            for conn in [conn for conn, seen in group.seen_ms.items() if now_ms - seen > self.expiry_ms]:
                self._drop_consumer(name, conn)
                late.add(conn)
        for name, conn in [key for key, seen in self.producers_seen_ms.items() if now_ms - seen > self.expiry_ms]:
            self._drop_producer(name, conn)
            late.add(conn)
        self.filters.sweep(now_ms, lambda group, topic: self.subscription(group, topic) is not None)
        return late

    def clock_moved(self, by_ms: int) -> None:
        """The clock was moved on purpose: nobody is more silent for that."""
        for group in self.consumers.values():
            group.seen_ms = {conn: seen_ms + by_ms for conn, seen_ms in group.seen_ms.items()}
        self.producers_seen_ms = {key: seen_ms + by_ms for key, seen_ms in self.producers_seen_ms.items()}

    def client_ids(self, group: str) -> list[str]:
        """Live members of a consumer group, each once.

        RocketMQ lists a client twice while it is connected twice; then queues may have no owner until the older
        connection ends.
        """
        found = self.consumers.get(group)
        return [] if found is None else list(dict.fromkeys(client.client_id for client in found.members.values()))

    def connection_of(self, client_id: str) -> int | None:
        """A connection of a producer with this client id, None when there is none."""
        found = None
        for clients in self.producers.values():
            found = next((conn for conn, who in clients.items() if who.client_id == client_id), found)
        return found

    def member(self, group: str, client_id: str) -> Client | None:
        """A group's member by its client id. RocketMQ: ConsumerManager.findChannel."""
        found = self.consumers.get(group)
        members = () if found is None else found.members.values()
        return next((client for client in members if client.client_id == client_id), None)

    def is_foreign(self, group: str, topic: str) -> bool:
        """Whether a group is online, wants something, and does not want this topic."""
        found = self.consumers.get(group)
        return found is not None and bool(found.subscriptions) and topic not in found.subscriptions

    def connections(self, group: str) -> list[int]:
        """Connections of a consumer group's members."""
        found = self.consumers.get(group)
        return [] if found is None else list(found.members)

    def subscription(self, group: str, topic: str) -> Subscription | None:
        """What the group's members said they want of a topic."""
        found = self.consumers.get(group)
        return None if found is None else found.subscriptions.get(topic)

    def _drop_consumer(self, name: str, conn: int) -> bool:
        group = self.consumers.get(name)
        if group is None or group.members.pop(conn, None) is None:
            return False
        del group.seen_ms[conn]
        self._forget(conn, name)
        if not group.members:
            del self.consumers[name]
            return False
        return True

    def _drop_producer(self, name: str, conn: int) -> None:
        clients = self.producers.get(name)
        if clients is None or clients.pop(conn, None) is None:
            return
        del self.producers_seen_ms[name, conn]
        self._forget(conn, name)
        if not clients:
            del self.producers[name]

    def _forget(self, conn: int, name: str) -> None:
        still = conn in self.producers.get(name, ()) or (
            name in self.consumers and conn in self.consumers[name].members
        )
        names = self.groups_of.get(conn)
        if names is not None and not still:
            names.discard(name)
            if not names:
                del self.groups_of[conn]


def connection_json(client: Client) -> dict[str, Any]:
    """RocketMQ's Connection, for codes 203 and 204."""
    host, port = client.peer
    return {
        "clientId": client.client_id,
        "clientAddr": f"{host}:{port}",
        "language": client.language,
        "version": client.version,
    }
