"""mqcheck.rocketmq.admin: topics, groups, cluster, nodes nobody knows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import FaultError, HarnessError
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.codes import DESTRUCTIVE_CODES
from mqcheck.rocketmq.frame import Command


def test_topics_groups_and_cluster(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a", "broker-b") as cluster, lab.client(cluster) as client:
            admin = Admin(client, lab.nodes(cluster))
            cluster.brokers["broker-b"].script[17] = [1]
            assert await admin.create_topic("T", ["broker-a", "broker-b"], queues=3) == {"broker-a": 0, "broker-b": 1}
            assert cluster.broker.topics == {"T": 3}
            assert await admin.create_group("G", ["broker-a"], retryMaxTimes=2) == {"broker-a": 0}
            assert b'"retryMaxTimes":2' in cluster.broker.asked(200)[0].body
            topics = await admin.topics("broker-a")
            assert topics is not None
            assert topics["T"]["readQueueNums"] == 3
            info = await admin.cluster_info("nameserver-1")
            assert info is not None
            assert info["brokerAddrTable"]["broker-a"]["brokerAddrs"] == {"0": "x:1"}
            cluster.broker.script[21] = [1, Command(code=0, body=b"[]"), Command(code=0, body=b"{"), "silence"]
            assert [await admin.topics("broker-a") for _ in range(4)] == [None] * 4
            with pytest.raises(HarnessError, match="broker-x"):
                await admin.topics("broker-x")

    asyncio.run(run())


def test_in_a_cluster_of_others_names_get_the_prefix_and_what_changes_it_for_all_is_refused(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a") as cluster, lab.client(cluster, prefix="p_") as client:
            admin = Admin(client, lab.nodes(cluster))
            assert await admin.create_topic("T", ["broker-a"]) == {"broker-a": 0}
            assert await admin.create_topic("p_U", ["broker-a"]) == {"broker-a": 0}
            assert list(cluster.broker.topics) == ["p_T", "p_U"]
            await admin.create_group("G", ["broker-a"])
            assert b'"groupName":"p_G"' in cluster.broker.asked(200)[0].body
            await admin.members("broker-a", "G")
            assert cluster.broker.asked(38)[0].fields["consumerGroup"] == "p_G"
            for code in sorted(DESTRUCTIVE_CODES):
                before = len(cluster.broker.asked(code))
                with pytest.raises(FaultError, match="--mqcheck-allow destructive"):
                    await admin.raw("broker-a", code, probe="harm")
                assert len(cluster.broker.asked(code)) == before
        async with lab.cluster("broker-a") as cluster, lab.client(cluster, prefix="p_", destructive=True) as client:
            admin = Admin(client, lab.nodes(cluster))
            await admin.raw("broker-a", 205, probe="allowed", deadline_ms=200)
            assert len(cluster.broker.asked(205)) == 1

    asyncio.run(run())
