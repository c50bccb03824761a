"""mqcheck.rocketmq.consumer.listening: deliveries, results and misbehaviour."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import HarnessError
from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.models import Delivery, Misbehaviour


def test_stop_mid_message(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen()
            client = lab.make(cluster, consume_threads=1)
            await client.start()
            await lab.fill(client, "T", 5)
            await Consumer(client, "G", {"T": "*"}, seen, misbehave=Misbehaviour(stop_mid_message=3)).start()
            await lab.until(lambda: client.closed and not cluster.broker.members["G"])
            assert len(seen.deliveries) == 2
            assert len(lab.rows("deliveries")) == 3
            assert len(lab.rows("results")) == 2

    asyncio.run(run())


def test_never_acknowledge(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen()
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 3)
                misbehave = Misbehaviour(never_acknowledge=True)
                await Consumer(client, "G", {"T": "*"}, seen, misbehave=misbehave).start()
                await lab.until(lambda: len(seen.deliveries) == 3)
            assert lab.rows("results") == []
            assert lab.committed(cluster, "G", "T") == 0

    asyncio.run(run())


def test_a_listener_that_answers_nonsense_is_the_kits_failure(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            client = lab.make(cluster)
            await client.start()
            await lab.fill(client, "T", 1)

            async def listener(delivery: Delivery) -> Any:
                return "maybe"

            await Consumer(client, "G", {"T": "*"}, listener).start()
            await lab.until(lambda: lab.rows("deliveries"))
            with pytest.raises(HarnessError, match="maybe"):
                await client.close()

    asyncio.run(run())
