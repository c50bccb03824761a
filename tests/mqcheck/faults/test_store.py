"""Faults of what a broker finds when it starts: what is done to the node, in which order, and when it counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import FaultError, NodeEndedError
from mqcheck.faults.base import Ground
from mqcheck.faults.store import BadTail, LostQueues


def test_a_bad_tail_is_made_after_the_cut(ground_of_one: Ground, noting_node: Any) -> None:
    fault = BadTail("broker-a", "torn")

    async def go() -> None:
        await fault.inject(ground_of_one)
        assert await fault.heal(ground_of_one) is None

    asyncio.run(go())
    assert [call if isinstance(call, str) else call[0] for call in noting_node.calls] == [
        "power_cut",
        "spoil_tail",
        "start",
    ]
    assert (fault.node, fault.parameters()) == ("broker-a", {"how": "torn"})
    assert fault.confirmed({"bytes_written": 60})
    assert not fault.confirmed({"unsynced_bytes_dropped": 60, "bytes_written": 0})


def test_one_that_does_not_start_again_stays_down(ground_of_one: Ground, noting_node: Any) -> None:
    async def start() -> None:
        raise NodeEndedError("broker-a ended with status 3")

    noting_node.start = start

    async def go() -> Any:
        fault = BadTail("broker-a", "flip")
        await fault.inject(ground_of_one)
        return await fault.heal(ground_of_one)

    assert asyncio.run(go()) == {"did_not_start": "broker-a ended with status 3"}


def test_queues_are_lost_while_it_is_stopped(ground_of_one: Ground, noting_node: Any) -> None:
    fault = LostQueues("broker-a")

    async def go() -> None:
        await fault.inject(ground_of_one)
        await fault.heal(ground_of_one)

    asyncio.run(go())
    assert noting_node.calls == ["stop", "lose_queues", "start"]
    assert fault.node == "broker-a"
    assert fault.confirmed({"files_removed": 1})
    assert not fault.confirmed({"files_removed": 0})


@pytest.mark.parametrize("fault", [BadTail("broker-a", "cut"), LostQueues("broker-a")], ids=lambda fault: fault.kind)
def test_what_does_not_run_cannot_be_hit(fault: Any, ground_of_one: Ground, noting_node: Any) -> None:
    noting_node.running = False
    with pytest.raises(FaultError, match="not running"):
        asyncio.run(fault.inject(ground_of_one))
