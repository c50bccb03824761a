"""mqcheck.rocketmq.connection: limits, late and stray answers, connections that do not come."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import UnansweredError, UnsentError
from mqcheck.rocketmq import connection as module
from mqcheck.rocketmq.connection import split_address
from mqcheck.rocketmq.frame import Command, encode
from mqcheck.rocketmq.models import Outgoing
from mqcheck.rocketmq.producer import Producer


def test_one_connection_for_many_at_once(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster) as client:
                producer = Producer(client, "PG")
                await asyncio.gather(*(producer.send(Outgoing("T", b"")) for _ in range(20)))
            assert len(lab.rows("connections", node="broker-a")) == 1

    asyncio.run(run())


def test_limits_of_a_connection(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            link = await client.connection(cluster.broker.address)
            monkeypatch.setattr(module, "WRITE_BUFFER_BYTES_MAX", 10)
            with pytest.raises(UnsentError, match="wait to be sent"):
                link.oneway(client.command(34))
            monkeypatch.setattr(module, "REQUESTS_MAX", 0)
            with pytest.raises(UnsentError, match="wait for answers"):
                await link.request(client.command(34), 1.0)
            monkeypatch.undo()
            monkeypatch.setattr(module, "LATE_MAX", 1)
            cluster.broker.script[30] = ["silence"] * 3
            for op in range(3):
                with pytest.raises(UnansweredError, match="no answer"):
                    await link.request(client.command(30), 0.01, op)
            assert len(link._late) == 1
            link.abort()
            await link.wait_closed()
            with pytest.raises(UnsentError, match="closed"):
                link.oneway(client.command(34))
            link.answer(Command(code=1), Command(code=0))

    asyncio.run(run())


def test_answers_nobody_waits_for_are_dropped(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            link = await client.connection(cluster.broker.address)
            link.data_received(encode(Command(code=0, opaque=77, flag=1)))
            assert not link.closed
        assert lab.lines("late_answers") == []

    asyncio.run(run())


def test_a_connection_that_does_not_come_is_unsent(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            async with lab.client(cluster) as client:

                async def never(*_: Any, **__: Any) -> Any:
                    await asyncio.sleep(60)

                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(asyncio.get_running_loop(), "create_connection", never)
                    with pytest.raises(UnsentError, match="no connection"):
                        await client.connection(cluster.broker.address, 20)
            with pytest.raises(UnsentError, match="is closed"):
                await client.connection(cluster.broker.address)

    asyncio.run(run())


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:port"])
def test_addresses(address: str) -> None:
    with pytest.raises(UnsentError, match="host:port"):
        split_address(address)


def test_good_addresses() -> None:
    assert split_address("broker-a:10911") == ("broker-a", 10911)
    assert split_address("::1:10911") == ("::1", 10911)
