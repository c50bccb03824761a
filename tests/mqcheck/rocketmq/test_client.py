"""mqcheck.rocketmq.client and connection: NameServer failover, routes, heartbeats, failures that must not hide."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import HarnessError, UnansweredError, UnsentError
from mqcheck.rocketmq import connection as module
from mqcheck.rocketmq.connection import split_address
from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.frame import Command, encode
from mqcheck.rocketmq.models import Delivery, ListenerResult, Outgoing
from mqcheck.rocketmq.producer import Producer


async def agree(_: Delivery) -> ListenerResult:
    return "success"


def test_the_next_nameserver_is_asked_when_one_fails(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster(nameservers=3) as cluster:
            cluster.create("T")
            await cluster.nameservers[0].stop()
            cluster.nameservers[1].script[105] = ["silence"] * 50
            for seed in range(4):
                client = lab.make(cluster, seed=seed, request_timeout_ms=60)
                assert await client.route("T") is not None
                assert await client.route("T", refresh=True) is not None
                await client.close()
            answered = lab.rows("routes", outcome="ok")
            assert {row["nameserver"] for row in answered} == {"nameserver-3"}
            assert {row["nameserver"] for row in lab.rows("routes", outcome="unknown")} == {"nameserver-2"}

    asyncio.run(run())


def test_no_nameserver_keeps_the_last_route(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster) as client:
                route = await client.route("T")
                await cluster.nameservers[0].stop()
                assert await client.route("T", refresh=True) == route
                assert client.nodes() == {"broker-a": cluster.broker.address}

    asyncio.run(run())


def test_a_topic_that_is_gone_is_forgotten(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster) as client:
                assert await client.route("T") is not None
                cluster.broker.hidden = True
                assert await client.route("T", refresh=True) is None
            gone = lab.rows("routes", listed=False)
            assert [(row["broker"], row["code"]) for row in gone] == [("broker-a", 17)]

    asyncio.run(run())


def test_routes_are_polled(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster, route_poll_ms=20) as client:
            client.watch("T")
            await lab.until(lambda: len(lab.rows("routes", topic="T")) >= 3)
            cluster.create("T")
            await lab.until(client.nodes)

    asyncio.run(run())


def test_heartbeats_and_their_rows(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a", "broker-b") as cluster:
            cluster.create("T")
            cluster.brokers["broker-b"].script[34] = ["silence", 1]
            async with lab.client(cluster, heartbeat_ms=60_000, request_timeout_ms=60) as client:
                await Consumer(client, "G", {"T": "A || B"}, agree, from_where="last").start()
                beats = {row["node"] for row in lab.rows("members", kind="heartbeat")}
                assert beats == {"broker-a", "broker-b"}
                assert {row["node"] for row in lab.rows("subscriptions")} == {"broker-a"}
                (row,) = lab.rows("subscriptions", topic="T")
                assert (row["expression"], row["expression_type"], row["from_where"]) == ("A || B", "TAG", "last")
                assert (row["mode"], row["orderly"], row["max_reconsume"]) == ("clustering", False, 16)
                before = len(lab.rows("members", kind="heartbeat", node="broker-b"))
                await client.heartbeat()
                assert len(lab.rows("members", kind="heartbeat", node="broker-b")) == before
            body = cluster.broker.asked(34)[0].body
            assert b'"codeSet":[65,66]' in body
            assert client.client_id.encode() in body

    asyncio.run(run())


def test_client_ids_are_new_for_every_life(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            first, second = lab.make(cluster, "c"), lab.make(cluster, "c")
            assert first.client_id != second.client_id
            assert first.client_id.startswith("c@")

    asyncio.run(run())


def test_requests_of_a_broker_that_nobody_serves_are_refused(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            answers: list[Command] = []
            async with lab.client(cluster) as client:
                await Producer(client, "PG").send(Outgoing("T", b""))
                (session,) = cluster.broker.sessions
                real = module.Connection.answer

                def spy(self: Any, request: Command, answer: Command) -> None:
                    answers.append(answer)
                    real(self, request, answer)

                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(module.Connection, "answer", spy)
                    session.send(Command(code=307, opaque=9))
                    session.send(Command(code=40, flag=2, fields={"consumerGroup": "nobody"}))
                    await lab.until(lambda: answers)
            assert [answer.code for answer in answers] == [3]

    asyncio.run(run())


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


def test_hidden_failures_are_raised_at_the_end(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            client = lab.make(cluster)

            async def fail() -> None:
                raise ZeroDivisionError("hidden")

            client.spawn(fail())
            await asyncio.sleep(0)
            with pytest.raises(HarnessError, match="hidden"):
                await client.close()
            await client.close()

    asyncio.run(run())


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:port"])
def test_addresses(address: str) -> None:
    with pytest.raises(UnsentError, match="host:port"):
        split_address(address)


def test_good_addresses() -> None:
    assert split_address("broker-a:10911") == ("broker-a", 10911)
    assert split_address("::1:10911") == ("::1", 10911)
