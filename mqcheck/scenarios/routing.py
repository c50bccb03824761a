"""Routing: brokers that fall silent, NameServers that die, links between them that are cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mqcheck.faults.base import Fault
from mqcheck.faults.link import Blackhole, Down
from mqcheck.faults.process import Kill, Pause
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment
from mqcheck.workloads.pattern import hurt
from mqcheck.workloads.probes import poll_routes
from mqcheck.workloads.traffic import Traffic

TWO_BROKERS: Final = (BrokerSpec("broker-a"), BrokerSpec("broker-b"))
BROKER_NAMES: Final = ("broker-a", "broker-b")

WATCH_MS: Final = 3_000
"""How long routes are watched beyond the moment when they must have changed: tolerance and some polls."""


async def _watched(world: World, faults: Sequence[Fault], fault_ms: float, after_ms: float) -> None:
    """Light load and a watch on every NameServer's routes, before, while and after these faults hold."""
    traffic = Traffic(world)
    topic = await world.topic("orders", queues=2)
    await traffic.group("billing", topic, members=2)
    nameservers = [node.name for node in world.cluster.nameservers()]
    world.spawn(poll_routes(await world.admin(), nameservers, topic, BROKER_NAMES), "routes")
    async with traffic.load(topic, producers=1, rate_per_s=40):
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms / 2, acked=50)
        await hurt(world, faults, fault_ms)
        async with world.phase("load"):
            await traffic.flow(after_ms, acked=60)


async def _paused(world: World) -> None:
    await _watched(world, [Pause("broker-b")], world.profile.expiry_ms + WATCH_MS, world.profile.load_ms / 2)


async def _blackholed(world: World) -> None:
    cut = Blackhole("broker-b->nameserver-*", "up")
    await _watched(world, [cut], world.profile.expiry_ms + WATCH_MS, _register_ms(world) + WATCH_MS)


async def _nameserver_kill(world: World) -> None:
    await _watched(world, [Kill("nameserver-1")], world.profile.load_ms / 2, _register_ms(world) + WATCH_MS)


async def _nameserver_cut(world: World) -> None:
    await _watched(world, [Down("broker-*->nameserver-2")], WATCH_MS, _register_ms(world) + WATCH_MS)


def _register_ms(world: World) -> int:
    return int(world.cluster.nodes["broker-a"].settings["reference.registerPeriodMs"])


SCENARIOS: Final = (
    Scenario(
        name="broker-paused",
        summary="Catches NameServers that keep listing a broker that stands still with its connections open.",
        deployment=Deployment(brokers=TWO_BROKERS),
        needs=frozenset({"pause"}),
        waits=frozenset({"reference.brokerExpiryMs"}),
        aims=("ns-expire", "ns-no-early-expire", "con-alo"),
        run=_paused,
        seconds=16,
    ),
    Scenario(
        name="broker-blackhole",
        summary="Catches NameServers that never forget a broker whose registrations do not arrive any more.",
        deployment=Deployment(brokers=TWO_BROKERS),
        needs=frozenset({"partition", "server-links"}),
        waits=frozenset({"reference.brokerExpiryMs"}),
        aims=("ns-expire", "ns-register-visible", "ns-no-early-expire"),
        run=_blackholed,
        seconds=18,
    ),
    Scenario(
        name="nameserver-kill",
        summary="Catches routes that stay lost after a NameServer has come back with empty tables.",
        deployment=Deployment(brokers=TWO_BROKERS),
        needs=frozenset({"kill"}),
        aims=("ns-restart-heal", "ns-register-visible", "con-alo"),
        run=_nameserver_kill,
        seconds=10,
    ),
    Scenario(
        name="nameserver-cut",
        summary="Catches NameServers that lean on each other, and closes of connections that go unnoticed.",
        deployment=Deployment(nameservers=2, brokers=TWO_BROKERS),
        needs=frozenset({"partition", "server-links"}),
        aims=("ns-isolated", "ns-close", "ns-no-early-expire", "ns-register-period", "con-alo"),
        run=_nameserver_cut,
        seconds=11,
    ),
)
