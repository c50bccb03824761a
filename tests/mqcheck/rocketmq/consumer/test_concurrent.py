"""mqcheck.rocketmq.consumer.concurrent: verdicts, send-backs, running listeners."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.models import Delivery, ListenerResult


@pytest.mark.parametrize("verdict", ["later", "exception", "suspend"])
def test_a_failed_message_is_sent_back_and_comes_again(lab: Any, verdict: ListenerResult) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen(verdict, verdict)
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 1)
                await Consumer(client, "G", {"T": "*"}, seen, max_reconsume=2).start()
                await lab.until(lambda: len(seen.deliveries) == 3)
                await lab.until(lambda: lab.committed(cluster, "G", "T") == 1)
            assert [d.reconsume_times for d in seen.deliveries] == [0, 1, 2]
            assert [d.topic for d in seen.deliveries] == ["T", "%RETRY%G", "%RETRY%G"]
            assert {d.origin_topic for d in seen.deliveries} == {"T"}
            assert len({d.message for d in seen.deliveries}) == 1
            (back, _) = cluster.broker.asked(36)
            assert (back.fields["delayLevel"], back.fields["maxReconsumeTimes"]) == ("0", "2")
            rows = [(row["kind"], row["result"], row["outcome"]) for row in lab.rows("results")]
            told = [("listener", verdict, "ok"), ("send-back", "later", "ok")]
            assert rows == [*told, *told, ("listener", "success", "ok")]
            assert len({row["props_digest"] for row in lab.rows("deliveries")}) == 1

    asyncio.run(run())


def test_past_the_limit_a_message_goes_to_the_dead_letters(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen(*["later"] * 9)
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 1)
                await Consumer(client, "G", {"T": "*"}, seen, max_reconsume=2).start()
                await lab.until(lambda: cluster.broker.logs["%DLQ%G", 0])
            assert len(seen.deliveries) == 3

    asyncio.run(run())


@pytest.mark.parametrize(("action", "outcome"), [(1, "error"), ("silence", "unknown"), ("close", "unknown")])
def test_a_failed_send_back_is_retried_here(lab: Any, action: Any, outcome: str) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            cluster.broker.script[36] = [action]
            seen = lab.seen("later")
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 1)
                await Consumer(client, "G", {"T": "*"}, seen).start()
                await lab.until(lambda: len(seen.deliveries) == 2)
                await lab.until(lambda: lab.committed(cluster, "G", "T") == 1)
            assert [row["outcome"] for row in lab.rows("results", kind="send-back")] == [outcome]
            assert [d.reconsume_times for d in seen.deliveries] == [0, 1]
            assert {d.topic for d in seen.deliveries} == {"T"}

    asyncio.run(run())


def test_closing_lets_a_running_listener_finish(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            running = asyncio.Event()

            async def listener(delivery: Delivery) -> ListenerResult:
                running.set()
                await asyncio.sleep(0.05)
                return "success"

            async with lab.client(cluster, consume_threads=1) as client:
                await lab.fill(client, "T", 5)
                consumer = Consumer(client, "G", {"T": "*"}, listener)
                await consumer.start()
                await running.wait()
                await consumer.close()
                await consumer.close()
            done = len(lab.rows("results"))
            assert 1 <= done <= 2
            assert lab.committed(cluster, "G", "T") == done == len(lab.rows("deliveries"))
            assert cluster.broker.members["G"] == {}

    asyncio.run(run())


def test_batches_of_a_dropped_queue_do_not_count(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            gate = asyncio.Event()
            started: list[Delivery] = []

            async def listener(delivery: Delivery) -> ListenerResult:
                started.append(delivery)
                await gate.wait()
                return "success"

            async with lab.client(cluster, "c2", rebalance_ms=60_000) as client:
                await lab.fill(client, "T", 1)
                await Consumer(client, "G", {"T": "*"}, listener).start()
                await lab.until(lambda: started)
                async with lab.client(cluster, "c1") as other:
                    b = Consumer(other, "G", {"T": "*"}, lab.seen())
                    await b.start()
                    await lab.until(lambda: lab.rows("members", kind="revoked", member=client.client_id))
                    gate.set()
                    await lab.until(lambda: lab.rows("results", kind="dropped"))

    asyncio.run(run())
