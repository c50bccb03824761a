"""One running NameServer or broker: settings, disk, store, core and shell put together.

Decides nothing and touches no real resource itself: disk, clock, random generator, executor and sockets come in,
so that ``__main__`` and a simulation build the same node.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from reference_impl.connection import Listener
from reference_impl.nameserver import NameServerCore
from reference_impl.server import Core, Server
from reference_impl.settings import BrokerSettings, NameServerSettings

if TYPE_CHECKING:
    from reference_impl.broker import BrokerCore
    from reference_impl.disk import Disk
    from reference_impl.sabotage import Sabotage
    from reference_impl.store import Store

READY_WAIT_MS: Final = 3000
"""How long a start waits for its first registrations; ours (RocketMQ waits up to 6 s)."""


class World(Struct, frozen=True):
    """What a node takes from outside."""

    clock_ms: Callable[[], int]
    """Wall clock."""
    rng: random.Random
    executor: Executor | None
    """Runs syncs; None takes the loop's own."""
    log: Callable[[str], None]
    planted: tuple[Sabotage, ...] = ()
    """Planted bugs and legal oddities; each knows the role it concerns."""
    sleep: Callable[[float], None] = lambda seconds: None
    """Sleeps in a sync's thread, seconds; for planted slowness."""


class NameServerNode(Struct):
    """A NameServer that listens."""

    settings: NameServerSettings
    core: NameServerCore
    server: Server

    async def stop(self) -> None:
        """Stop cleanly."""
        await self.server.stop()

    def clock_moved(self, by_ms: int, *, expire: bool) -> None:
        """Know that the clock was moved, and do what is due by it."""
        self.core.clock_moved(by_ms, expire=expire)
        self.server.clock_moved()

    def empty(self) -> None:
        """Forget what users made."""
        self.core.empty()


class BrokerNode(Struct):
    """A broker that listens and has tried to register once."""

    settings: BrokerSettings
    core: BrokerCore
    server: Server
    store: Store
    clock_ms: Callable[[], int]

    async def stop(self) -> None:
        """Stop cleanly: tables and log are on the disk, the NameServers know."""
        await self.server.stop()
        # A full disk costs the next start some time, and nothing else.
        with contextlib.suppress(OSError):
            self.store.save()
        self.store.close()

    def clock_moved(self, by_ms: int, *, expire: bool) -> None:
        """Know that the clock was moved, and do what is due by it."""
        self.core.clock_moved(by_ms, expire=expire)
        self.server.clock_moved()

    async def empty(self) -> None:
        """Forget what users made, and tell the NameServers so."""
        self.server.carry(self.core.empty(self.clock_ms()))
        await self.server.settled(READY_WAIT_MS)


async def start_nameserver(
    settings: NameServerSettings,
    world: World,
    listeners: Sequence[Listener] | None = None,
    disk: Disk | None = None,
) -> NameServerNode:
    """Start a NameServer; without ``listeners`` it listens where its settings say, without a ``disk`` (the folder of
    ``kvConfigPath``) it keeps nothing.
    """
    core = NameServerCore(settings, disk)
    server = Server(
        _wrapped(core, settings, _planted(world, "namesrv")),
        clock_ms=world.clock_ms,
        idle_close_ms=settings.idle_close_ms,
        log=world.log,
    )
    await server.start(listeners or [Listener(settings.bindAddress, settings.listenPort)])
    return NameServerNode(settings, core, server)


async def start_broker(
    settings: BrokerSettings, disk: Disk, world: World, listeners: Sequence[Listener] | None = None
) -> BrokerNode:
    """Start a broker on a disk: recover, listen, register. ``settings.listenPort`` is the real one, not 0.

    Raises OSError, and the store's StoreError, when what is on the disk cannot be read.
    """
    from reference_impl.broker import BrokerCore
    from reference_impl.store import Store

    planted = _planted(world, "broker")
    for bug in planted:
        disk = bug.wrap_disk(disk, world.sleep)
    file_bytes, indexed = settings.mappedFileSizeCommitLog, settings.messageIndexEnable
    store = Store.open(disk, commit_log_file_bytes=file_bytes, indexed=indexed)
    served = store
    for bug in planted:
        served = bug.wrap_store(served)
    core = BrokerCore(settings, served, disk, world.rng)
    server = Server(
        _wrapped(core, settings, planted),
        clock_ms=world.clock_ms,
        idle_close_ms=settings.idle_close_ms,
        store=served,
        flush_interval_ms=settings.flushIntervalCommitLog,
        executor=world.executor,
        log=world.log,
    )
    await server.start([_heard(each, planted) for each in listeners or broker_listeners(settings)])
    await server.settled(READY_WAIT_MS)
    return BrokerNode(settings, core, server, store, world.clock_ms)


def broker_listeners(settings: BrokerSettings) -> list[Listener]:
    """The main port, the VIP port and the HA port by number."""
    from reference_impl.vip import refuse_on_vip

    host, port = settings.bindAddress, settings.listenPort
    return [
        Listener(host, port),
        Listener(host, port - 2, refuse=refuse_on_vip),
        Listener(host, settings.ha_port, stream=True),
    ]


def with_port(settings: BrokerSettings, port: int) -> BrokerSettings:
    """Settings whose free ports have become real ones."""
    return replace(settings, listenPort=port, haListenPort=settings.haListenPort or port + 1)


def _planted(world: World, role: str) -> list[Sabotage]:
    return [bug for bug in world.planted if bug.role == role]


def _heard(listener: Listener, planted: Sequence[Sabotage]) -> Listener:
    for bug in planted:
        listener = bug.wrap_listener(listener)
    return listener


def _wrapped(core: Core, settings: BrokerSettings | NameServerSettings, planted: Sequence[Sabotage]) -> Core:
    for bug in planted:
        core = bug.wrap_core(core, settings)
    return core
