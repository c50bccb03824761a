"""mqcheck.rocketmq.offsets: every offset request is a row."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.frame import Command


def test_offsets(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            admin = Admin(client, lab.nodes(cluster))
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
