"""mqcheck.rocketmq.consumer.orderly: order, locks, and their loss."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.models import Misbehaviour


def test_orderly_keeps_order_through_suspends(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 2)
            seen = lab.seen("success", "suspend", "exception", "later")
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 6, 0)
                await Consumer(client, "G", {"T": "*"}, seen, orderly=True).start()
                await lab.until(lambda: lab.committed(cluster, "G", "T") == 6)
            offsets = [d.queue_offset for d in seen.deliveries]
            assert offsets == [0, 1, 1, 1, 1, 2, 3, 4, 5]
            assert [d.reconsume_times for d in seen.deliveries][:5] == [0, 0, 1, 2, 3]
            assert cluster.broker.asked(36) == []
            assert cluster.broker.locks == {}
            # The last renewal may be under way as the client goes.
            granted = [row["granted"] for row in lab.rows("locks", kind="lock", topic="T") if "granted" in row]
            assert granted
            assert all(granted)
            assert lab.rows("locks", kind="unlock", topic="T")

    asyncio.run(run())


def test_orderly_without_lock_gets_nothing(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            cluster.broker.locks["G", "T", 0] = "somebody"
            seen = lab.seen()
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 2)
                consumer = Consumer(client, "G", {"T": "*"}, seen, orderly=True)
                await consumer.start()
                await lab.until(lambda: lab.rows("locks", granted=False, topic="T"))
                assert not [queue for queue in consumer.owned() if queue.topic == "T"]
                del cluster.broker.locks["G", "T", 0]
                await lab.until(lambda: len(seen.deliveries) == 2)

    asyncio.run(run())


def test_orderly_gives_up_a_queue_whose_lock_was_lost(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen()
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 1)
                consumer = Consumer(client, "G", {"T": "*"}, seen, orderly=True)
                await consumer.start()
                await lab.until(lambda: len(seen.deliveries) == 1)
                cluster.broker.locks["G", "T", 0] = "somebody"
                await lab.until(lambda: lab.rows("members", kind="revoked", topic="T"))
                await lab.fill(client, "T", 1)
                assert len(seen.deliveries) == 1
                del cluster.broker.locks["G", "T", 0]
                await lab.until(lambda: len(seen.deliveries) == 2)
            assert [row["kind"] for row in lab.rows("members", topic="T")] == ["assigned", "revoked"] * 2
            assert lab.rows("locks", kind="unlock", topic="T", outcome="ok")

    asyncio.run(run())


@pytest.mark.parametrize("keep", [False, True])
def test_keep_lock(lab: Any, keep: bool) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 1)
                misbehave = Misbehaviour(keep_lock=keep)
                seen = lab.seen()
                await Consumer(client, "G", {"T": "*"}, seen, orderly=True, misbehave=misbehave).start()
                await lab.until(lambda: seen.deliveries)
            assert (("G", "T", 0) in cluster.broker.locks) == keep

    asyncio.run(run())
