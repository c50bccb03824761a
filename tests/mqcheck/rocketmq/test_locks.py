"""mqcheck.rocketmq.locks: who is granted what, as rows."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.models import MessageQueue


def test_members_and_locks(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            admin = Admin(client, lab.nodes(cluster))
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
