"""Everything one broker knows, in one place for the handlers; no behaviour of its own.

The tables are in ``delivery`` and ``redelivery``, the messages in ``store``.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from msgspec import Struct, field

from reference_impl.broker.busy import Backlog
from reference_impl.broker.flushing import Line
from reference_impl.broker.registration import Registrar
from reference_impl.broker.relays import Relays
from reference_impl.broker.request import Request
from reference_impl.delivery.groups import GroupTable
from reference_impl.delivery.held import HeldPulls
from reference_impl.delivery.locks import QueueLocks
from reference_impl.delivery.members import Members
from reference_impl.delivery.offsets import OffsetTable
from reference_impl.delivery.statistics import Statistics
from reference_impl.delivery.topics import DataVersion, TopicTable
from reference_impl.disk import Disk
from reference_impl.effects import Effect
from reference_impl.message import Host
from reference_impl.redelivery import DelaySchedule
from reference_impl.replication import Master, Slave
from reference_impl.settings import BrokerSettings
from reference_impl.store import Store
from reference_impl.transactions import TransactionTable


class BrokerState(Struct):
    """All tables of one broker. Handlers read and change them; nobody else does."""

    settings: BrokerSettings
    store: Store
    disk: Disk
    rng: random.Random
    """Chooses queues for sends that leave it to the broker."""
    topics: TopicTable
    groups: GroupTable
    members: Members
    offsets: OffsetTable
    locks: QueueLocks
    schedule: DelaySchedule
    registrar: Registrar
    host: Host
    """Address in records and message ids: ``brokerIP1`` and the port that is listened on."""
    disk_full: bool = False
    """Above ``diskSpaceWarningLevelRatio``: nothing more is stored."""
    started_ms: int = 0
    """Broker's clock at the start."""
    deleted_topics: dict[str, int] = field(default_factory=dict)
    """Where the log ended when a topic was deleted: of its messages only later ones count."""
    settings_version: DataVersion = field(default_factory=DataVersion)
    """Counts changes of the settings at run time."""
    backlog: Backlog = field(default_factory=Backlog)
    """Requests that wait for their turn."""
    held: HeldPulls = field(default_factory=HeldPulls)
    flush_line: Line = field(default_factory=Line)
    """Answers that wait for the disk."""
    replica_line: Line = field(default_factory=Line)
    """Answers that wait for a slave."""
    master: Master | None = None
    """What a master knows of its slaves."""
    slave: Slave | None = None
    """What a slave knows of its master's log."""
    master_address: str = ""
    """Where a slave asks for its master's tables; empty until a NameServer tells."""
    relays: Relays = field(default_factory=Relays)
    unexpected_errors: int = 0
    """Requests that failed by a mistake of the broker's own since its start."""
    statistics: Statistics = field(default_factory=Statistics)
    transactions: TransactionTable = field(default_factory=TransactionTable)


def new_state(settings: BrokerSettings, store: Store, disk: Disk, rng: random.Random) -> BrokerState:
    """The tables of a broker that has never run; ``persistence.load`` fills in what an earlier life saved."""
    return BrokerState(
        settings=settings,
        store=store,
        disk=disk,
        rng=rng,
        topics=TopicTable(
            settings.brokerName,
            settings.brokerClusterName,
            settings.autoCreateTopicEnable,
            settings.defaultTopicQueueNums,
            settings.msgTraceTopicName if settings.traceTopicEnable else "",
        ),
        groups=GroupTable(settings.autoCreateSubscriptionGroup),
        members=Members(settings.client_expiry_ms),
        offsets=OffsetTable(),
        locks=QueueLocks(settings.lock_expiry_ms),
        schedule=DelaySchedule(settings.delay_levels_ms, settings.delay_scan_ms),
        registrar=Registrar(settings),
        host=(settings.brokerIP1, settings.listenPort),
        master=None if settings.slave else Master(store, settings),
        slave=Slave(store, settings) if settings.slave else None,
    )


Handler = Callable[[BrokerState, Request], list[Effect]]
"""Answers one code: DECODE, CHECK, APPLY, REPLY."""
