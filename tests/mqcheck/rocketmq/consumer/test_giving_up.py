"""mqcheck.rocketmq.consumer.giving_up: an orderly message past its limit."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.consumer import Consumer


def test_orderly_gives_up_a_message_past_its_limit(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster:
            cluster.create("T", 1)
            seen = lab.seen("suspend", "suspend")
            async with lab.client(cluster) as client:
                await lab.fill(client, "T", 2)
                await Consumer(client, "G", {"T": "*"}, seen, orderly=True, max_reconsume=1).start()
                await lab.until(lambda: lab.committed(cluster, "G", "T") == 2)
            (copy,) = [c for c in cluster.broker.asked(310) if c.fields["b"] == "%RETRY%G"]
            assert (copy.fields["j"], copy.fields["l"]) == ("1", "1")
            assert [d.queue_offset for d in seen.deliveries if d.topic == "T"] == [0, 0, 1]
            assert [row["outcome"] for row in lab.rows("results", kind="send-back")] == ["ok"]

    asyncio.run(run())
