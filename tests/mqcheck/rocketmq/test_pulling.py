"""mqcheck.rocketmq.pulling: single pulls, held and not, good and damaged."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.frame import Command


def test_single_pulls(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            admin = Admin(client, lab.nodes(cluster))
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
