"""A node's disk: mounted, told, cut, mounted again; guarded; and the reference on it as on its own."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mqcheck.disks.tools import missing_disk
from mqcheck.errors import FaultError, NodeError
from mqcheck.guard import Guard
from mqcheck.targets.base import BrokerSpec, Deployment, DiskChoice, Opening
from mqcheck.targets.described import exec_target
from mqcheck.targets.disks import NodeDisk
from mqcheck.targets.reference import ReferenceTarget

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing_disk()), reason=missing_disk() or "a disk can be mounted"),
]

DESCRIPTION = Path(__file__).parent / "brokers" / "reference.toml"
ONE = Deployment(brokers=(BrokerSpec("broker-a"),))


def mounts(path: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if str(path.resolve()) in line]


def run(act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(act())


def disk_of(tmp_path: Path, guard: Guard) -> NodeDisk:
    return NodeDisk(tmp_path / "node", tmp_path / "disk.log", guard, "ext4-like", "commitlog")


def test_a_disk_lives_loses_its_power_and_lives_again(tmp_path: Path, guard: Guard) -> None:
    disk = disk_of(tmp_path, guard)

    async def go() -> None:
        await disk.mount()
        (disk.point / "commitlog").mkdir()
        with (disk.point / "commitlog" / "0").open("wb", buffering=0) as file:
            file.write(b"synced")
            os.fsync(file.fileno())
            await disk.set(fsync_error=True)
            file.write(b"held")
            with pytest.raises(OSError, match="Input/output"):
                os.fsync(file.fileno())
        await disk.halt()
        effect = await disk.cut(random.Random(1), torn=False)
        assert effect["unsynced_bytes_dropped"] == 10
        assert effect["model"] == "ext4-like"
        assert not disk.mounted
        assert mounts(tmp_path) == []
        assert (disk.durable / "commitlog" / "0").read_bytes() == b"synced"
        await disk.mount()
        assert (disk.point / "commitlog" / "0").read_bytes() == b"synced"
        # What the fault did before the cut is told by the disk that was mounted after it.
        counts = await disk.set()
        assert {name: count for name, count in counts.items() if count} == {"failed_fsyncs": 1}
        assert (await disk.set())["failed_fsyncs"] == 0
        await disk.close()
        await disk.close()
        assert mounts(tmp_path) == []

    run(go)


def test_a_disk_that_is_not_mounted_says_so(tmp_path: Path, guard: Guard) -> None:
    disk = disk_of(tmp_path, guard)

    async def go() -> None:
        with pytest.raises(FaultError, match=r"no disk is mounted at .*: start its node first"):
            await disk.set()
        (tmp_path / "node").mkdir()
        (tmp_path / "node" / "disk").write_text("in the way")
        with pytest.raises((NodeError, OSError)):
            await disk.mount()
        assert mounts(tmp_path) == []

    run(go)


def test_the_guard_unmounts_what_a_dead_runner_leaves(tmp_path: Path) -> None:
    guard = Guard()
    disk = disk_of(tmp_path, guard)

    async def go() -> None:
        await disk.mount()
        assert len(mounts(tmp_path)) == 1
        guard.close()  # as the end of its pipe when the runner dies
        assert mounts(tmp_path) == []
        assert disk._control is not None
        disk._control.close()

    run(go)


@pytest.mark.parametrize("described", [True, False], ids=["described", "reference"])
def test_a_broker_on_it_lives_through_a_cut(opening: Opening, described: bool) -> None:
    target = exec_target("exec:reference.toml", DESCRIPTION) if described else ReferenceTarget()
    quick = {**opening.broker_settings, "reference.registerPeriodMs": 1_000}
    opening = replace(opening, broker_settings=quick, disk=DiskChoice("fuse"))

    async def go() -> None:
        cluster = await target.open(ONE, opening)
        broker = cluster.nodes["broker-a"]
        assert len(mounts(opening.folder)) == 1
        await broker.set_disk(fsync_delay_ms=10)
        effect = await broker.power_cut(random.Random(1), torn=True)
        assert not broker.running
        assert mounts(opening.folder) == []
        assert "unsynced_bytes_dropped" in effect
        await broker.start()
        assert broker.life == 1
        await broker.set_disk()
        await cluster.close()
        await target.finish()
        assert mounts(opening.folder) == []

    run(go)
    rows = opening.recorder.path.read_text().splitlines()
    assert any('"how":"power-cut"' in row for row in rows)
    assert any('"e":"surveys"' in row for row in rows)


def test_without_a_disk_nothing_is_mounted_and_no_power_can_be_cut(opening: Opening) -> None:
    target = exec_target("exec:reference.toml", DESCRIPTION)

    async def go() -> None:
        cluster = await target.open(ONE, opening)
        assert mounts(opening.folder) == []
        with pytest.raises(FaultError, match="no disk of ours is under it"):
            await cluster.nodes["broker-a"].power_cut(random.Random(1), torn=True)
        with pytest.raises(FaultError, match="no disk of ours is under it"):
            await cluster.nodes["broker-a"].set_disk(disk_full=True)
        await cluster.close()

    run(go)
