"""A cluster of others as a target: what it refuses, what it is called, what is taken away."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from mqcheck.errors import FaultError, RefusedError, SettingsError
from mqcheck.profile import QUICK
from mqcheck.scenarios.base import all_scenarios, unfit
from mqcheck.targets.base import BrokerSpec, Deployment, Opening
from mqcheck.targets.external import ExternalTarget, external_target
from mqcheck.targets.ready import ask
from mqcheck.targets.survey import Found, Survey
from tests.mqcheck.targets.running import running_cluster

SETTINGS = {"flushDiskType": "ASYNC_FLUSH", "brokerClusterName": "Prod", "reference.registerPeriodMs": "1000"}
NAMESERVER = Found("10.0.0.1:9876", {"reference.brokerExpiryMs": "120000", "reference.brokerScanMs": "5000"})


def cluster(brokers: int, **changes: str) -> Survey:
    """One as a survey might find it."""
    masters = tuple(Found(f"10.0.1.{n}:10911", {**SETTINGS, **changes}, f"real-{n}") for n in range(1, brokers + 1))
    return Survey((NAMESERVER,), masters, (Found("10.0.2.1:10911", SETTINGS, "real-1", 1),), "5.4.0")


def target(brokers: int, *allowed: str, **changes: str) -> ExternalTarget:
    return ExternalTarget("external:10.0.0.1:9876", ["10.0.0.1:9876"], allowed, cluster(brokers, **changes))


@pytest.mark.parametrize(
    ("deployment", "reason"),
    [
        (Deployment(), ""),
        (Deployment(brokers=(BrokerSpec("a"), BrokerSpec("b"))), "needs 2 broker groups, and .* has 1"),
        (Deployment(nameservers=2), "needs 2 NameServers, and .* has 1"),
        (Deployment(brokers=(BrokerSpec("a", slaves=1),)), "needs 1 slaves, and .* has 0 that it can use"),
        (Deployment(settings={"flushDiskType": "SYNC_FLUSH"}), "flushDiskType = SYNC_FLUSH, and .* has ASYNC_FLUSH"),
        (Deployment(settings={"flushDiskType": "ASYNC_FLUSH"}), ""),
        (Deployment(brokers=(BrokerSpec("a", {"timerWheelEnable": True}),)), "timerWheelEnable = true.*does not say"),
        (Deployment(nameserver_settings={"reference.brokerScanMs": 1}), "brokerScanMs = 1, and .* has 5000"),
    ],
)
def test_a_deployment_that_the_cluster_is_not_is_refused_with_the_reason(deployment: Deployment, reason: str) -> None:
    import re

    said = target(1).refuses(deployment)
    assert bool(said) == bool(reason)
    assert re.search(reason, said)


def test_scenarios_that_fault_nodes_and_their_links_are_not_applicable() -> None:
    reasons = {name: unfit(scenario, target(2), QUICK) for name, scenario in all_scenarios().items()}
    for name in ("broker-kill", "broker-blackhole", "nameserver-cut", "power-cut", "replication", "broker-paused"):
        assert "cannot take" in reasons[name], name
    for name in ("steady", "client-partition", "client-latency", "reset-mid-send", "rebalance"):
        assert reasons[name] == "", name


def test_what_changes_the_cluster_for_all_must_be_allowed() -> None:
    steady = all_scenarios()["steady"]
    wipes = dataclasses.replace(steady, needs=frozenset({"destructive"}))
    assert "--mqcheck-allow destructive" in unfit(wipes, target(2), QUICK)
    assert unfit(wipes, target(2, "destructive"), QUICK) == ""


def test_a_word_that_allows_nothing_is_an_error() -> None:
    with pytest.raises(SettingsError, match="--mqcheck-allow everything: there is only destructive"):
        external_target("external:h:1", "h:1", ["everything"])


class Names:
    """A network that notes where it was told that everything is."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def share_servers(self) -> None:
        self.told.append(("shared",))

    async def add_nameserver(self, *given: object) -> None:
        self.told.append(given)

    async def add_broker(self, *given: object) -> None:
        self.told.append(given)


def test_its_brokers_take_the_deployments_names_in_order_and_can_only_be_talked_to(
    opening: Opening, tmp_path: Path
) -> None:
    names = Names()
    opening = dataclasses.replace(opening, network=cast("Any", names))
    with running_cluster(tmp_path / "stores", ["zeta", "alpha"]) as running:
        found = running.look()

        async def go() -> None:
            one = external_target_of(running.address, found)
            opened = await one.open(Deployment(brokers=(BrokerSpec("broker-a"),)), opening)
            first, second = found.masters
            assert names.told == [
                ("shared",),
                ("nameserver-1", running.address),
                ("broker-a", "alpha", 0, first.address),
                ("spare-1", "zeta", 0, second.address),
            ]
            assert list(opened.nodes) == ["nameserver-1", "broker-a"]
            node = opened.nodes["broker-a"]
            assert (node.broker, node.broker_id, node.address, node.running) == ("broker-a", 0, first.address, True)
            rng = random.Random(1)
            for verb in (
                node.start,
                node.stop,
                node.kill,
                node.pause,
                node.resume,
                node.set_disk,
                node.lose_queues,
                partial(node.spoil_tail, rng, "flip"),
                partial(node.set_clock, 1),
            ):
                with pytest.raises(FaultError, match="somebody else's"):
                    await verb()
            with pytest.raises(FaultError, match="somebody else's"):
                await node.power_cut(rng, torn=False)
            with pytest.raises(RefusedError, match="planted in the reference alone"):
                await one.open(Deployment(), dataclasses.replace(opening, sabotage="ack-before-sync"))
            await opened.close()
            await opened.close()
            # Somebody who was still being served makes a group anew.
            await ask_for(opened.prefix, first.address)
            assert any(opened.prefix in name for name in await groups(first.address))
            await one.finish()
            assert not any(opened.prefix in name for name in await groups(first.address))

        asyncio.run(go())
    history = opening.recorder.path.read_text(encoding="utf-8")
    assert '"key":"external_name","setting":"alpha"' in history
    assert '"role":"broker","broker":"broker-a"' in history


async def ask_for(prefix: str, address: str) -> None:
    """A pull of a group that the broker does not know yet."""
    place = {"consumerGroup": f"{prefix}late", "topic": "TBW102", "queueId": "0", "queueOffset": "0", "maxMsgNums": "1"}
    more = {"sysFlag": "4", "commitOffset": "0", "suspendTimeoutMillis": "0", "subscription": "*", "subVersion": "0"}
    assert await ask(address, 11, 10, {**place, **more, "expressionType": "TAG"}) is not None


async def groups(address: str) -> list[str]:
    """Every consumer group of a broker."""
    answer = await ask(address, 201, 10, {})
    assert answer is not None
    return list(json.loads(answer.body)["subscriptionGroupTable"])


def external_target_of(address: str, found: Survey) -> ExternalTarget:
    return ExternalTarget(f"external:{address}", [address], (), found)
