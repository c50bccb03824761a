"""`rocketmq_server` in people's own suites: every test finds an empty cluster, in one process and under xdist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

PEOPLE = '''
"""Two tests that use the same topic and group, each as if it were alone."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from mqcheck.clock import RealClock
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.models import ClientSettings, Outgoing
from mqcheck.rocketmq.producer import Producer


@asynccontextmanager
async def connected(server, folder):
    recorder = Recorder(folder, run="r", process="t", number=0, clock=RealClock())
    client = Client("shop", [server.nameserver_address], recorder, ClientSettings(), RealClock(), random.Random(1))
    await client.start()
    try:
        yield client, Admin(client, {"broker-a": server.broker_address})
    finally:
        await client.close()
        recorder.close()


async def order_and_pay(server, folder):
    async with connected(server, folder) as (client, admin):
        before = await admin.topics("broker-a")
        assert "orders" not in before
        assert await admin.query_offset("broker-a", "billing", "orders", 0) in (None, 0)
        assert await admin.create_topic("orders", ["broker-a"], queues=1) == {"broker-a": 0}
        producer = Producer(client, "shop")
        for number in range(5):
            assert (await producer.send(Outgoing("orders", b"order %d" % number))).outcome == "ok"
        assert await admin.max_offset("broker-a", "orders", 0) == 5
        assert await admin.commit_offset("broker-a", "billing", "orders", 0, 3)
        assert await admin.query_offset("broker-a", "billing", "orders", 0) == 3


@pytest.mark.parametrize("shop", ["north", "south"])
def test_orders_are_paid(rocketmq_server, tmp_path, shop):
    asyncio.run(order_and_pay(rocketmq_server, tmp_path))
'''


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two-workers"])
def test_each_test_finds_an_empty_cluster(play: Callable[..., Any], tmp_path: Path, workers: tuple[str, ...]) -> None:
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "test_shop.py").write_text(PEOPLE, encoding="utf-8")
    run = play("test_shop.py", *workers, mqcheck=False, tests=tmp_path / "people")
    assert run.status == 0, run.output
    assert "2 passed" in run.output
