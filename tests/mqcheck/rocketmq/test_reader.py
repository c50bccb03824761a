"""mqcheck.rocketmq.reader: whole queues as rows, and honesty about what was not seen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.digests import digest
from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.message import encode_record
from mqcheck.rocketmq.models import Outgoing
from mqcheck.rocketmq.producer import Producer


def test_a_reading_finds_every_record(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            cluster.create("T", 1)
            producer = Producer(client, "PG")
            sent = [await producer.send(Outgoing("T", b"%d" % n, tag="A", keys=("k",), flag=n)) for n in range(300)]
            cluster.broker.store("T", 0, b"foreign", {"MQC": "other.1.0"})
            admin = Admin(client, lab.nodes(cluster))
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
            reading = await Admin(client, lab.nodes(cluster)).read_queue("broker-a", "T", 0)
            assert (reading.outcome, reading.complete) == ("ok", False)

    asyncio.run(run())


def test_a_damaged_record_is_a_row(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            good = encode_record(cluster.broker.store("T", 0, b"x", {}))
            bad = good[:4] + b"\0\0\0\0" + good[8:]
            cluster.broker.script[11] = [Command(code=0, body=bad, fields={"nextBeginOffset": "1"})]
            reading = await Admin(client, lab.nodes(cluster)).read_queue("broker-a", "T", 0)
            assert (reading.complete, reading.records) == (False, 1)
            (row,) = lab.rows("final_log")
            assert (row["parsed"], row["record_digest"]) == (False, digest(bad))

    asyncio.run(run())


def test_a_queue_whose_edges_are_unknown_is_an_error(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            cluster.broker.script[30] = [1]
            reading = await Admin(client, lab.nodes(cluster)).read_queue("broker-a", "T", 0, broker_id=1, master=False)
            assert (reading.outcome, reading.complete) == ("error", False)

    asyncio.run(run())
