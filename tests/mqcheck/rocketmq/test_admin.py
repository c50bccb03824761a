"""mqcheck.rocketmq.admin, reader, probe: single requests, readings, raw frames and their rows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import HarnessError
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.digests import digest
from mqcheck.rocketmq.frame import Command, encode
from mqcheck.rocketmq.message import encode_record
from mqcheck.rocketmq.models import MessageQueue, Outgoing
from mqcheck.rocketmq.producer import Producer


def nodes(cluster: Any) -> dict[str, str]:
    return {name: broker.address for name, broker in cluster.brokers.items()}


def test_topics_groups_and_cluster(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster("broker-a", "broker-b") as cluster, lab.client(cluster) as client:
            admin = Admin(client, nodes(cluster))
            cluster.brokers["broker-b"].script[17] = [1]
            assert await admin.create_topic("T", ["broker-a", "broker-b"], queues=3) == {"broker-a": 0, "broker-b": 1}
            assert cluster.broker.topics == {"T": 3}
            assert await admin.create_group("G", ["broker-a"], retryMaxTimes=2) == {"broker-a": 0}
            assert b'"retryMaxTimes":2' in cluster.broker.asked(200)[0].body
            topics = await admin.topics("broker-a")
            assert topics is not None
            assert topics["T"]["readQueueNums"] == 3
            info = await admin.cluster_info("nameserver-1")
            assert info is not None
            assert info["brokerAddrTable"]["broker-a"]["brokerAddrs"] == {"0": "x:1"}
            cluster.broker.script[21] = [1, Command(code=0, body=b"[]"), Command(code=0, body=b"{"), "silence"]
            assert [await admin.topics("broker-a") for _ in range(4)] == [None] * 4
            with pytest.raises(HarnessError, match="broker-x"):
                await admin.topics("broker-x")

    asyncio.run(run())


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


def test_offsets(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            admin = Admin(client, nodes(cluster))
            cluster.broker.store("T", 0, b"", {})
            assert await admin.min_offset("broker-a", "T", 0) == 0
            assert await admin.max_offset("broker-a", "T", 0) == 1
            assert await admin.search_offset("broker-a", "T", 0, 77) == 3
            assert await admin.query_offset("broker-a", "G", "T", 0) is None
            assert await admin.commit_offset("broker-a", "G", "T", 0, 1)
            assert await admin.query_offset("broker-a", "G", "T", 0) == 1
            cluster.broker.script[30] = ["silence", "close", Command(code=0, fields={"offset": "x"})]
            assert [await admin.max_offset("broker-a", "T", 0) for _ in range(3)] == [None] * 3
            rows = lab.rows("offsets")
            assert [row["kind"] for row in rows] == ["min", "max", "search", "query", "commit", "query"] + ["max"] * 3
            assert [row["outcome"] for row in rows] == [
                "ok",
                "ok",
                "ok",
                "error",
                "ok",
                "ok",
                "unknown",
                "unknown",
                "ok",
            ]
            assert rows[2]["argument_ms"] == 77
            assert (rows[3]["code"], rows[4]["value"], rows[5]["position"]) == (22, 1, 1)

    asyncio.run(run())


def test_single_pulls(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            admin = Admin(client, nodes(cluster))
            held = asyncio.ensure_future(admin.pull_once("broker-a", "T", 0, 0, group="G", hold_ms=5_000))
            await lab.until(lambda: cluster.broker.asked(11))
            cluster.broker.store("T", 0, b"x", {})
            answer = await held
            assert (answer.outcome, answer.code, answer.next_offset) == ("ok", 0, 1)
            assert [record.body for record in answer.records] == [b"x"]
            empty = await admin.pull_once("broker-a", "T", 0, 1, group="G")
            assert (empty.code, empty.min_offset, empty.max_offset) == (19, 0, 1)
            beyond = await admin.pull_once("broker-a", "T", 0, 9, group="G")
            assert (beyond.code, beyond.next_offset) == (21, 1)
            cluster.broker.script[11] = [16, Command(code=0, body=b"damaged"), "silence"]
            bad = [await admin.pull_once("broker-a", "T", 0, 0, group="G", timeout_ms=50) for _ in range(3)]
            assert [a.outcome for a in bad] == ["error", "error", "unknown"]
            rows = lab.rows("pulls")
            assert rows[0]["suspend_ms"] == 5_000
            assert (rows[0]["records"], rows[0]["expression"], rows[0]["kind"]) == (1, "*", "pull")

    asyncio.run(run())


def test_members_and_locks(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            admin = Admin(client, nodes(cluster))
            assert await admin.members("broker-a", "G") == ()
            cluster.broker.script[38] = ["silence", Command(code=0, body=b"[]"), 2]
            assert [await admin.members("broker-a", "G") for _ in range(3)] == [None, None, None]
            queue = MessageQueue("T", "broker-a", 0)
            assert await admin.lock("broker-a", "G", "m1", [queue]) == (queue,)
            assert await admin.lock("broker-a", "G", "m2", [queue]) == ()
            assert await admin.unlock("broker-a", "G", "m1", [queue])
            cluster.broker.script[41] = ["silence", 1, Command(code=0, body=b"[")]
            assert [await admin.lock("broker-a", "G", "m2", [queue]) for _ in range(3)] == [None] * 3
            rows = lab.rows("locks")
            assert [row.get("granted") for row in rows] == [True, False, None, None, None, None]
            assert [row["outcome"] for row in rows] == ["ok", "ok", "ok", "unknown", "error", "error"]
            assert [row["member"] for row in rows[:3]] == ["m1", "m2", "m1"]

    asyncio.run(run())


def test_a_reading_finds_every_record(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            cluster.create("T", 1)
            producer = Producer(client, "PG")
            sent = [await producer.send(Outgoing("T", b"%d" % n, tag="A", keys=("k",), flag=n)) for n in range(300)]
            cluster.broker.store("T", 0, b"foreign", {"MQC": "other.1.0"})
            admin = Admin(client, nodes(cluster))
            reading = await admin.read_queue("broker-a", "T", 0, reading="final")
            assert (reading.outcome, reading.complete) == ("ok", True)
            assert (reading.min_offset, reading.max_offset, reading.records) == (0, 301, 301)
            log = lab.rows("final_log")
            assert [row["queue_offset"] for row in log] == list(range(301))
            assert [row.get("message") for row in log] == [*(outcome.message for outcome in sent), None]
            assert "attempt" not in log[300]
            sends = {row["message"]: row for row in lab.rows("sends")}
            assert all(row["body_digest"] == sends[row["message"]]["body_digest"] for row in log[:300])
            assert all(row["props_digest"] == sends[row["message"]]["props_digest"] for row in log[:300])
            assert log[7]["record_digest"] == digest(encode_record(cluster.broker.logs["T", 0][7]))
            (row,) = lab.rows("readings")
            assert (row["complete"], row["master"], row["broker_id"], row["reading"]) == (True, True, 0, "final")

    asyncio.run(run())


@pytest.mark.parametrize("action", ["silence", 1, 19, Command(code=0, body=b"damaged"), Command(code=20)])
def test_a_reading_that_sees_less_is_not_complete(lab: Any, action: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster, pull_timeout_ms=50) as client:
            cluster.broker.store("T", 0, b"x", {})
            cluster.broker.script[11] = [action] * 20
            reading = await Admin(client, nodes(cluster)).read_queue("broker-a", "T", 0)
            assert (reading.outcome, reading.complete) == ("ok", False)

    asyncio.run(run())


def test_a_damaged_record_is_a_row(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            good = encode_record(cluster.broker.store("T", 0, b"x", {}))
            bad = good[:4] + b"\0\0\0\0" + good[8:]
            cluster.broker.script[11] = [Command(code=0, body=bad, fields={"nextBeginOffset": "1"})]
            reading = await Admin(client, nodes(cluster)).read_queue("broker-a", "T", 0)
            assert (reading.complete, reading.records) == (False, 1)
            (row,) = lab.rows("final_log")
            assert (row["parsed"], row["record_digest"]) == (False, digest(bad))

    asyncio.run(run())


def test_a_queue_whose_edges_are_unknown_is_an_error(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            cluster.broker.script[30] = [1]
            reading = await Admin(client, nodes(cluster)).read_queue("broker-a", "T", 0, broker_id=1, master=False)
            assert (reading.outcome, reading.complete) == ("error", False)

    asyncio.run(run())


def test_raw_requests(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            admin = Admin(client, nodes(cluster))
            unknown = await admin.raw("broker-a", 9999, {"a": "1"}, b"xy", probe="unknown-code", deadline_ms=80)
            assert (unknown.outcome, unknown.answers, unknown.code) == ("ok", 1, 3)
            binary = await admin.raw(
                "broker-a", 30, {"topic": "T", "queueId": "0"}, probe="b", encoding="binary", deadline_ms=80
            )
            assert (binary.code, binary.fields) == (0, {"offset": "0"})
            oneway = await admin.raw("broker-a", 9999, probe="oneway", oneway=True, deadline_ms=80)
            assert (oneway.outcome, oneway.answers) == ("none", 0)
            cluster.broker.script[9999] = ["close"]
            closed = await admin.raw("broker-a", 9999, probe="closed", deadline_ms=2_000)
            assert closed.outcome == "closed"
            garbage = await admin.garbage("broker-a", b"\xff\xff\xff\xff", probe="length", deadline_ms=2_000)
            assert garbage.outcome == "closed"
            await cluster.broker.stop()
            assert (await admin.raw("broker-a", 1, probe="nobody", deadline_ms=80)).outcome == "unsent"
            rows = lab.rows("replies")
            assert [row["outcome"] for row in rows] == ["ok", "ok", "none", "closed", "closed", "unsent"]
            assert [row["encoding"] for row in rows] == ["json", "binary", "json", "json", "garbage", "json"]
            assert (rows[0]["request_code"], rows[0]["payload_bytes"], rows[0]["answers"]) == (9999, 2, 1)
            assert rows[0]["response_flag"] == "1"
            assert rows[2]["oneway"]
            conns = {row["conn"]: row for row in lab.rows("connections")}
            assert all("closed" in conns[row["conn"]] for row in rows[:5])

    asyncio.run(run())


def test_answers_are_counted(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            real = cluster.broker.serve

            async def twice(session: Any, command: Command) -> Any:
                answer = await real(session, command)
                for opaque in (command.opaque, 5):
                    session.writer.write(encode(Command(code=0, opaque=opaque, flag=1)))
                return answer

            cluster.broker.serve = twice
            answer = await Admin(client, nodes(cluster)).raw(
                "broker-a", 30, {"topic": "T", "queueId": "0"}, probe="p", deadline_ms=100
            )
            assert answer.answers == 2

    asyncio.run(run())
