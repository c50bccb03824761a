"""mqcheck.rocketmq.client: NameServer failover, routes, heartbeats, failures that must not hide."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import HarnessError
from mqcheck.rocketmq import connection as module
from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.frame import Command
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


def test_a_topic_that_is_gone_keeps_its_last_route(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster) as client:
                route = await client.route("T")
                cluster.broker.hidden = True
                assert route is not None
                assert await client.route("T", refresh=True) == route
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


def test_a_leave_waits_for_a_heartbeat_whose_sender_was_cancelled(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T")
            async with lab.client(cluster, heartbeat_ms=60_000, request_timeout_ms=200) as client:
                consumer = Consumer(client, "G", {"T": "*"}, agree)
                await consumer.start()
                beats = len(cluster.broker.asked(34))
                cluster.broker.script[34] = ["silence"]
                sender = asyncio.get_running_loop().create_task(client.heartbeat_to(cluster.broker.address))
                await lab.until(lambda: len(cluster.broker.asked(34)) > beats)
                sender.cancel()
                await consumer.close()
            (lost,) = lab.rows("members", kind="heartbeat", code=None)
            (left,) = lab.rows("members", kind="unregistered")
            assert lost["t"] <= left["asked"]

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
