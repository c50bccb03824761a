"""mqcheck.rocketmq.probe: raw requests, counted answers, closed connections."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.frame import Command, encode


def test_raw_requests(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            admin = Admin(client, lab.nodes(cluster))
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
            answer = await Admin(client, lab.nodes(cluster)).raw(
                "broker-a", 30, {"topic": "T", "queueId": "0"}, probe="p", deadline_ms=100
            )
            assert answer.answers == 2

    asyncio.run(run())
