"""Nodes that are processes: names, what a broker is told, and faults that a bare process cannot take."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any, cast

import pytest

from mqcheck.errors import FaultError, NodeError
from mqcheck.guard import Guard
from mqcheck.targets.base import BrokerSpec, Deployment, Opening
from mqcheck.targets.lives import ProcessNode, broker_node_name, broker_settings
from mqcheck.targets.processes import WatchedProcess, executed
from reference_impl.message import Message, encode_record


class Stubborn(ProcessNode):
    """A process that is ready at once, and ends as its command says."""

    command = ("sleep", "60")
    stop_seconds = 0.2

    def _spawn(self, log: Path, on_end: Any) -> WatchedProcess:
        start = executed(self.command, self._guard)
        return WatchedProcess(start, log=log, guard=self._guard, on_line=lambda line: None, on_end=on_end)

    async def _wait_ready(self, process: WatchedProcess) -> str | None:
        return "1.0"

    def _died(self, code: int) -> None:
        pass

    def _release(self) -> None:
        pass


@pytest.mark.parametrize(("broker_id", "name"), [(0, "b"), (1, "b-slave"), (2, "b-slave2")])
def test_slaves_are_named_after_their_master(broker_id: int, name: str) -> None:
    assert broker_node_name("b", broker_id) == name


def test_the_groups_own_settings_win_and_slaves_are_told_that_they_are() -> None:
    spec = BrokerSpec("b", {"flushDiskType": "SYNC_FLUSH", "brokerRole": "SYNC_MASTER"})
    deployment = Deployment(brokers=(spec,), settings={"flushDiskType": "ASYNC_FLUSH", "slaveTimeout": 5})
    master = broker_settings({"slaveTimeout": 9, "x": 1}, deployment, spec, 0)
    assert master == {"slaveTimeout": 5, "x": 1, "flushDiskType": "SYNC_FLUSH", "brokerRole": "SYNC_MASTER"}
    assert broker_settings({}, deployment, spec, 1)["brokerRole"] == "SLAVE"


RECORD = encode_record(
    Message("T", 0, b"some body", {}, 0, 0, 1_700_000_000_000, ("127.0.0.1", 4000)),
    queue_offset=0,
    physical_offset=0,
    store_time_ms=1_700_000_000_000,
    store_host=("127.0.0.1", 10911),
)


class Disk:
    """A disk of ours that is not mounted: what it keeps is a folder."""

    mounted = False

    def __init__(self, durable: Path) -> None:
        self.durable = durable


async def _loses_what_it_kept(node: Any, data: Path) -> None:
    """A node that does not run: its log gets a bad record at its end, and what it derives from it is removed."""
    node._disk = Disk(data)
    log = data / "commitlog" / "0"
    log.parent.mkdir(parents=True)
    log.write_bytes(RECORD)
    effect = await node.spoil_tail(random.Random(1), "flip")
    written = log.read_bytes()
    assert effect == {"bytes_written": len(written) - len(RECORD), "how": "flip"}
    assert written.startswith(RECORD)
    assert written != RECORD
    (data / "snapshot").touch()
    assert await node.lose_queues() == {"files_removed": 1}
    assert await node.lose_queues() == {"files_removed": 0}
    assert [path.name for path in data.iterdir()] == ["commitlog"], "the log stays"
    node._disk = None


@pytest.mark.slow
def test_a_process_that_records_nothing_takes_no_disk_faults_and_a_bad_end_is_told(
    opening: Opening, guard: Guard
) -> None:
    async def go() -> None:
        node = Stubborn(opening, guard, "broker-a", "broker", ("broker-a", 0))
        await node.start()
        for deed in (node.power_cut(random.Random(1), torn=True), node.set_disk(fsync_error=True)):
            with pytest.raises(FaultError, match="broker-a cannot be"):
                await deed
        for deed in (node.spoil_tail(random.Random(1), "flip"), node.lose_queues()):
            with pytest.raises(FaultError, match="it is not known"):
                await deed
        cast("Any", node)._log_folder, cast("Any", node)._derived = "commitlog", ("snapshot",)
        for deed in (node.spoil_tail(random.Random(1), "flip"), node.lose_queues()):
            with pytest.raises(FaultError, match="broker-a runs"):
                await deed
        with pytest.raises(FaultError, match="the clock of broker-a is everybody's"):
            await node.set_clock(1)
        with pytest.raises(NodeError, match="ended a clean stop with status -15"):
            await node.stop()
        await _loses_what_it_kept(cast("Any", node), opening.folder / "kept")
        cast("Any", node).command = ("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
        await node.start()
        with pytest.raises(NodeError, match="is already running"):
            await node.start()
        await node.discard()
        assert not node.running

    asyncio.run(go())
