"""mqcheck.rocketmq.routes: one row per known broker of each answer, failures included."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.frame import Command


def test_route_rows(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a", "broker-b") as cluster, lab.client(cluster) as client:
            admin = Admin(client)
            cluster.create("T", 2)
            cluster.brokers["broker-b"].hidden = True
            first = await admin.route("nameserver-1", "T", ["broker-a", "broker-b"])
            assert first.outcome == "ok"
            assert first.strict
            assert first.route is not None
            assert [queue.queue for queue in first.route.read_queues()] == [0, 1]
            a, b = lab.rows("routes")
            assert (a["broker"], a["listed"], a["address"]) == ("broker-a", True, cluster.broker.address)
            assert (a["perm"], a["read_queues"], a["write_queues"], a["broker_id"]) == (6, 2, 2, 0)
            assert (b["broker"], b["listed"]) == ("broker-b", False)
            assert (a["invoked"], a["returned"]) == (b["invoked"], b["returned"])

            cluster.brokers["broker-b"].hidden = False
            await admin.route("nameserver-1", "T")
            assert [row["broker"] for row in lab.rows("routes")[2:]] == ["broker-a", "broker-b"]

            gone = await admin.route("nameserver-1", "missing")
            assert (gone.outcome, gone.code, gone.route) == ("ok", 17, None)
            (row,) = lab.rows("routes", topic="missing")
            assert "broker" not in row
            assert (row["listed"], row["code"], row["outcome"]) == (False, 17, "ok")

    asyncio.run(run())


def test_routes_that_fail(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            admin = Admin(client)
            (nameserver,) = cluster.nameservers
            nameserver.script[105] = [
                1,
                Command(code=0, body=b"{"),
                Command(code=0, body=b'{"queueDatas":[{}]}'),
                "silence",
            ]
            outcomes = [await admin.route("nameserver-1", "T", timeout_ms=50) for _ in range(4)]
            assert [(a.outcome, a.code) for a in outcomes] == [
                ("error", 1),
                ("error", 0),
                ("error", 0),
                ("unknown", None),
            ]
            await nameserver.stop()
            assert (await admin.route("nameserver-1", "T")).outcome == "unsent"
            assert [row["outcome"] for row in lab.rows("routes")] == ["error", "error", "error", "unknown", "unsent"]

    asyncio.run(run())


def test_loose_routes_are_read_and_told_apart(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            body = (
                b'{"brokerDatas":[{"brokerAddrs":{1:"h:2",0:"h:1"},"brokerName":"b","cluster":"c"}],'
                b'"queueDatas":[{"brokerName":"b","perm":4,"readQueueNums":1,"writeQueueNums":1}]}'
            )
            cluster.nameservers[0].script[105] = [Command(code=0, body=body)]
            answer = await Admin(client).route("nameserver-1", "T")
            assert answer.strict is False
            assert answer.route is not None
            assert answer.route.brokers[0].addresses == {0: "h:1", 1: "h:2"}
            assert answer.route.write_queues() == ()

    asyncio.run(run())
