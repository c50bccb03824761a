"""mqcheck.rocketmq.consumer.pull_loop: tags, moved offsets, forgetful brokers, full caches."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.models import Delivery, ListenerResult, Outgoing
from mqcheck.rocketmq.producer import Producer


def test_tags_are_checked_exactly(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen()
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                for tag in ("Aa", "BB", "C", None):
                    await producer.send(Outgoing("T", b"", tag=tag))
                await Consumer(client, "G", {"T": "BB || C"}, seen).start()
                await lab.until(lambda: lab.committed(cluster, "G", "T") == 4)
            assert [d.tag for d in seen.deliveries] == ["BB", "C"]

    asyncio.run(run())


def test_offset_moved_begins_anew_where_the_broker_says(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            cluster.broker.minimum["T", 0] = 50
            seen = lab.seen()
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 2)
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: len(seen.deliveries) == 2)
                await lab.until(lambda: lab.committed(cluster, "G", "T") == 52)
            assert [d.queue_offset for d in seen.deliveries] == [50, 51]
            commits = [row["value"] for row in lab.rows("offsets", kind="commit", topic="T")]
            assert commits[0] == 50
            assert len(lab.rows("members", kind="assigned", topic="T")) == 2

    asyncio.run(run())


def test_a_broker_that_forgot_the_member_is_told_again(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen()
            async with lab.client(cluster, heartbeat_ms=60_000) as client:
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: lab.rows("pulls", topic="T"))
                cluster.broker.members.clear()
                # The pull that is held already is answered with a message; those after it are refused.
                await lab.fill(client, "T", 1)
                await lab.until(lambda: 24 in {row.get("code") for row in lab.rows("pulls")})
                await lab.fill(client, "T", 1)
                await lab.until(lambda: len(seen.deliveries) == 2)

    asyncio.run(run())


def test_pulling_stops_while_the_cache_is_full(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            gate = asyncio.Event()
            seen = []

            async def listener(delivery: Delivery) -> ListenerResult:
                seen.append(delivery)
                await gate.wait()
                return "success"

            async with lab.client(cluster, threshold_messages=4, pull_batch=2, consume_threads=1) as client:
                await lab.fill(client, "T", 20)
                await Consumer(client, "G", {"T": "*"}, listener).start()
                await lab.until(lambda: len(lab.rows("pulls", topic="T", code=0)) == 3)
                await asyncio.sleep(0.1)
                assert len(lab.rows("pulls", topic="T")) == 3
                gate.set()
                await lab.until(lambda: len(seen) == 20)

    asyncio.run(run())


def test_a_restarted_broker_is_found_again(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen()
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 2)
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: len(seen.deliveries) == 2)
                port = int(cluster.broker.address.rpartition(":")[2])
                await cluster.broker.stop()
                await lab.until(lambda: lab.rows("pulls", outcome="unsent"))
                await cluster.broker.start(port)
                await lab.fill(client, "T", 2)
                await lab.until(lambda: len(seen.deliveries) == 4)

    asyncio.run(run())
