"""mqcheck.rocketmq.consumer.progress: starts and commits."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.models import Delivery, ListenerResult


def test_a_commit_covers_only_results_recorded_before(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            gate = asyncio.Event()
            seen: list[int] = []

            async def listener(delivery: Delivery) -> ListenerResult:
                seen.append(delivery.queue_offset)
                if delivery.queue_offset == 3:
                    await gate.wait()
                return "success"

            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 10, 0)
                await Consumer(client, "G", {"T": "*"}, listener).start()
                await lab.until(lambda: len(seen) == 10)
                await lab.until(lambda: lab.committed(cluster, "G", "T") == 3)
                await asyncio.sleep(2 * lab.settings.persist_ms / 1000)
                assert lab.committed(cluster, "G", "T") == 3
                gate.set()
                await lab.until(lambda: lab.committed(cluster, "G", "T") == 10)
            done = {
                row["queue_offset"]: result["invoked"]
                for row in lab.rows("deliveries")
                for result in lab.rows("results", delivery=row["op"])
            }
            for commit in lab.rows("offsets", kind="commit", topic="T"):
                assert all(done[offset] < commit["invoked"] for offset in range(commit["value"]))

    asyncio.run(run())


def test_a_restarted_group_goes_on_where_it_committed(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            first, second = lab.seen(), lab.seen()
            async with lab.client(cluster, "c1") as client:
                await lab.fill(client, "T", 5)
                await Consumer(client, "G", {"T": "*"}, first).start()
                await lab.until(lambda: len(first.deliveries) == 5)
            async with lab.client(cluster, "c1") as client:
                await lab.fill(client, "T", 2)
                await Consumer(client, "G", {"T": "*"}, second).start()
                await lab.until(lambda: len(second.deliveries) == 2)
            assert [d.queue_offset for d in second.deliveries] == [5, 6]

    asyncio.run(run())


def test_from_last_sees_only_what_comes(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen()
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 3)
                await Consumer(client, "G", {"T": "*"}, seen, from_where="last").start()
                await lab.until(lambda: lab.rows("pulls", topic="T"))
                await lab.fill(client, "T", 1)
                await lab.until(lambda: seen.deliveries)
            assert [d.queue_offset for d in seen.deliveries] == [3]

    asyncio.run(run())


def test_oneway_commits_are_unknown(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen()
            async with lab.client(cluster, two_way_commit=False) as client:
                await lab.fill(client, "T", 1)
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: lab.committed(cluster, "G", "T") == 1)
            assert {row["outcome"] for row in lab.rows("offsets", kind="commit")} == {"unknown"}

    asyncio.run(run())


def test_broadcasting_reaches_every_member_and_commits_nowhere(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 2)
            first, second = lab.seen("later"), lab.seen()
            async with lab.client(cluster, "c1") as one, lab.client(cluster, "c2") as two:
                await lab.fill(one, "T", 5)
                for client, seen in ((one, first), (two, second)):
                    await Consumer(client, "G", {"T": "*"}, seen, mode="broadcasting").start()
                await lab.until(lambda: len(first.deliveries) == len(second.deliveries) == 5)
            assert sorted(first.bodies) == sorted(second.bodies)
            assert cluster.broker.offsets == {}
            assert cluster.broker.asked(36) == []
            assert {row["mode"] for row in lab.rows("subscriptions")} == {"broadcasting"}

    asyncio.run(run())
