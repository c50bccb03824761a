"""mqcheck.rocketmq.seam: a client without a planted bug is as it would be without a seam."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mqcheck.rocketmq.consumer.share import Share
from mqcheck.rocketmq.message import java_hash
from mqcheck.rocketmq.models import ClientSettings, MessageQueue, Outgoing
from mqcheck.rocketmq.producer import Producer
from mqcheck.rocketmq.seam import Seam

QUEUES = tuple(MessageQueue("T", "broker-a", queue) for queue in range(4))


def test_it_leaves_everything_as_it_is() -> None:
    seam, settings, share = Seam(), ClientSettings(), Share(QUEUES[0], 1)
    assert seam.settings(settings) is settings
    assert seam.share(share, broadcasting=False, orderly=True) is share
    assert [seam.wanted(wanted) for wanted in (True, False)] == [True, False]
    assert [seam.failed_broker(broker) for broker in ("broker-a", None)] == ["broker-a", None]
    assert seam.shard(QUEUES[1], QUEUES) is QUEUES[1]
    assert seam.told("error") == "error"


@pytest.mark.parametrize("key", ["account-1", "", "Aa", "polygenelubricants"])
def test_a_sharding_key_stands_for_one_queue(lab: Any, key: str) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster, "producer-1") as client:
                producer = Producer(client, "PG")
                message = replace(Outgoing("T", b"body"), sharding_key=key)
                outcomes = [await producer.send_sharded(message) for _ in range(3)]
                queues = await producer.queues("T")
        chosen = queues[abs(java_hash(key)) % len(queues)]
        assert {(each.broker, each.queue) for each in outcomes} == {(chosen.broker, chosen.queue)}

    asyncio.run(run())
