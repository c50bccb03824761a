"""Replication: a slave is cut off from its master while producers send, and comes back."""

from __future__ import annotations

from typing import Final

from mqcheck.faults.link import Blackhole, Reset
from mqcheck.profile import Profile
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment, Setting
from mqcheck.workloads.pattern import hurt
from mqcheck.workloads.traffic import Traffic

SLAVE_LINK: Final = "broker-a-slave->broker-a"
"""What the slave fetches the log and the tables through."""

SLAVE_TIMEOUT_MS: Final = 2_000
"""How long a master waits for its slave: less than its producers wait, so that they are told. RocketMQ's own value is
theirs, 3 s, and they would have given up just before."""

SYNC_SPARE_MS: Final = 500
"""What copying the tables may take beyond its period. Ours."""


def _deployment(profile: Profile) -> Deployment:
    quick: dict[str, Setting] = {"slaveTimeout": 400, "reference.slaveSyncMs": 500, "reference.haReconnectMs": 200}
    usual: dict[str, Setting] = {"slaveTimeout": SLAVE_TIMEOUT_MS}
    settings: dict[str, Setting] = {"brokerRole": "SYNC_MASTER", **(quick if profile.name == "quick" else usual)}
    return Deployment(brokers=(BrokerSpec("broker-a", settings, slaves=1),))


async def _replication(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("copied", queues=2)
    await traffic.group("readers", topic, members=1)
    async with traffic.load(topic, producers=2, rate_per_s=60, workers=4):
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms / 2, acked=40)
        await hurt(world, [Blackhole(SLAVE_LINK)], world.profile.load_ms)
        async with world.phase("load"):
            await traffic.flow(world.profile.load_ms / 2, acked=40)
        await hurt(world, [Reset(SLAVE_LINK)], world.profile.load_ms / 4)
        async with world.phase("load"):
            await traffic.flow(max(world.profile.load_ms / 2, _sync_ms(world) + SYNC_SPARE_MS), acked=40)


def _sync_ms(world: World) -> int:
    """How long the slave may not know a topic whose messages it holds: it could not say what it has of it."""
    return int(world.cluster.nodes["broker-a-slave"].settings.get("reference.slaveSyncMs", 0))


SCENARIOS: Final = (
    Scenario(
        name="replication",
        summary="Catches acknowledgements that no slave backs, and slaves with gaps or messages in other places.",
        deployment=_deployment,
        needs=frozenset({"partition", "reset", "replication", "server-links"}),
        aims=("rep-sync-ack", "rep-offset-same", "rep-resume"),
        run=_replication,
        seconds=9,
    ),
)
