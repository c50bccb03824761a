"""mqcheck.rocketmq.consumer.consumer: ownership, good and bad endings."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import HarnessError
from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.models import MessageQueue


def test_everything_is_delivered_then_committed(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            seen = lab.seen()
            async with lab.client(cluster, "consumer-1") as client:
                await lab.fill(client, "T", 20)
                consumer = Consumer(client, "G", {"T": "*"}, seen)
                await consumer.start()
                await lab.until(lambda: len(seen.deliveries) == 20)
                await lab.until(lambda: lab.committed(cluster, "G", "T") == 20)
                assert consumer.deliveries == 20
                assert MessageQueue("%RETRY%G", "broker-a", 0) in consumer.owned()
                owned = set(consumer.owned())
            assert sorted(map(int, seen.bodies)) == list(range(20))
            deliveries = lab.rows("deliveries")
            by_op = {row["op"]: row for row in deliveries}
            assert {d.delivery for d in seen.deliveries} == by_op.keys()
            results = lab.rows("results")
            assert [row["result"] for row in results] == ["success"] * 20
            assert all(row["invoked"] > by_op[row["delivery"]]["t"] for row in results)
            kinds = [(row["kind"], row.get("queue")) for row in lab.rows("members")]
            assert kinds.count(("closed", None)) == kinds.count(("unregistered", None)) == 1
            sessions = {row["session"]: row for row in lab.rows("members", kind="assigned")}
            assert {MessageQueue(r["topic"], r["broker"], r["queue"]) for r in sessions.values()} == owned
            assert sessions.keys() == {row["session"] for row in lab.rows("members", kind="revoked")}
            assert all(row["session"] in sessions for row in deliveries)
            pulls = {row["op"]: row for row in lab.rows("pulls")}
            assert all(row["pull"] in pulls for row in deliveries)
            assert {row["code"] for row in pulls.values() if "code" in row} >= {0}

    asyncio.run(run())


def test_members_share_the_queues_and_the_rest_take_over(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 4)
            first, second = lab.seen(), lab.seen()
            async with lab.client(cluster, "c1", rebalance_ms=60_000) as one:
                a = Consumer(one, "G", {"T": "*"}, first)
                await a.start()
                await lab.until(lambda: len(a.owned()) == 5)
                async with lab.client(cluster, "c2", rebalance_ms=60_000) as two:
                    b = Consumer(two, "G", {"T": "*"}, second)
                    await b.start()
                    await lab.until(lambda: len([q for q in b.owned() if q.topic == "T"]) == 2)
                    await lab.until(lambda: len([q for q in a.owned() if q.topic == "T"]) == 2)
                    assert not set(a.owned()) & set(b.owned())
                    await lab.fill(two, "T", 8)
                    await lab.until(lambda: len(first.deliveries) + len(second.deliveries) == 8)
                    assert first.deliveries
                    assert second.deliveries
                await lab.until(lambda: len([q for q in a.owned() if q.topic == "T"]) == 4)
            assert lab.rows("members", kind="notified", member=one.client_id)
            listed = {row["members"] for row in lab.rows("members", kind="listed")}
            assert f"{one.client_id},{two.client_id}" in listed

    asyncio.run(run())


def test_a_crash_leaves_no_last_words(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen()
            client = lab.make(cluster, persist_ms=60_000)
            await client.start()
            await lab.fill(client, "T", 3)
            await Consumer(client, "G", {"T": "*"}, seen).start()
            await lab.until(lambda: len(lab.rows("results")) == 3)
            await client.abandon()
            await client.abandon()
            await lab.until(lambda: not cluster.broker.members["G"])
            assert cluster.broker.asked(35) == []
            assert cluster.broker.asked(15) == []
            assert [row["kind"] for row in lab.rows("members")][-1] == "closed"
            assert lab.rows("members", kind="revoked") == []
            assert all("closed" in row for row in lab.rows("connections"))

    asyncio.run(run())


def test_silence_keeps_the_connection_busy_and_says_nothing(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen()
            async with lab.client(cluster, heartbeat_ms=50) as client:
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: lab.rows("pulls", topic="T"))
                await client.silence()
                beats, pulls = len(cluster.broker.asked(34)), len(cluster.broker.asked(11))
                asked = len(cluster.broker.asked(31))
                await lab.until(lambda: len(cluster.broker.asked(31)) >= asked + 3)
                cluster.broker.store("T", 0, b"", {})
                await lab.until(lambda: len(cluster.broker.asked(31)) >= asked + 6)
                assert len(cluster.broker.asked(34)) <= beats + 1
                assert len(cluster.broker.asked(11)) == pulls
                commits = len(cluster.broker.asked(15))
            assert seen.deliveries == []
            assert cluster.broker.asked(35) == []
            assert len(cluster.broker.asked(15)) == commits
            assert [row["kind"] for row in lab.rows("members")][-1] == "closed"

    asyncio.run(run())


def test_one_consumer_per_group_and_client(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            await Consumer(client, "G", {"T": "*"}, lab.seen()).start()
            with pytest.raises(HarnessError, match="another client"):
                await Consumer(client, "G", {"T": "*"}, lab.seen()).start()

    asyncio.run(run())
