"""Disk faults: told to the node's disk and taken back, the disk's counts as effect."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.faults.base import Fault, Ground
from mqcheck.faults.disk import DiskFull, FsyncError, NearlyFull, SlowFsync, SlowWrite, WriteError


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (SlowFsync("broker-a", 900), {"fsync_delay_ms": 900}),
        (FsyncError("broker-a"), {"fsync_error": True}),
        (DiskFull("broker-a"), {"disk_full": True}),
        (SlowWrite("broker-a", 30), {"write_delay_ms": 30}),
        (WriteError("broker-a"), {"write_error": True}),
        (NearlyFull("broker-a"), {"used_percent": 97}),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_the_disk_is_told_and_healed(
    fault: Fault, told: dict[str, Any], ground_of_one: Ground, noting_node: Any
) -> None:
    async def go() -> dict[str, Any]:
        assert await fault.inject(ground_of_one) is None
        return dict(await fault.heal(ground_of_one) or {})

    assert fault.confirmed(asyncio.run(go()))
    assert noting_node.calls == [("set_disk", told), "set_disk"]
    assert fault.node == "broker-a"


def test_parameters_name_their_unit() -> None:
    assert SlowFsync("broker-a", 900).parameters() == {"delay_ms": 900}
    assert SlowWrite("broker-a", 30).parameters() == {"delay_ms": 30}
    assert NearlyFull("broker-a").parameters() == {"used_percent": 97}
    assert FsyncError("broker-a").parameters() == {}
