"""Master and slave in virtual time: the HA connection is cut after any number of bytes, the slave is killed, loses
power, and resumes; its log is the master's, without a gap and without a repeat. Clauses: rep-prefix, rep-resume.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from mqcheck.targets.sim import Gate, end_loop, sim_loop
from reference_impl.disk import MemoryDisk
from reference_impl.frame import Command, FrameReader, encode
from reference_impl.node import BrokerNode, World, start_broker, start_nameserver, with_port
from reference_impl.settings import BrokerSettings, NameServerSettings
from reference_impl.store import Store

FILE_BYTES = 4096
PORT = 10911
ROUNDS = 12
SEEDS = 10


class Stage:
    """A NameServer, a master, a slave, and a host between them that cuts connections."""

    def __init__(self, loop: Any, seed: int) -> None:
        self.loop = loop
        self.rng = random.Random(seed)
        self.left = 0
        """Bytes from master to slave before the next cut; 0: no cut."""
        self.cuts = 0
        self.disk = MemoryDisk()
        self.gate = Gate()
        self.sent = 0
        self.codes: dict[int, int] = {}

    def now_ms(self) -> int:
        return 1_700_000_000_000 + int(self.loop.time() * 1000)

    def world(self, *gates: Gate) -> World:
        wrappers = tuple(gate.as_wrapper("broker") for gate in gates)
        return World(self.now_ms, random.Random(1), None, lambda line: None, wrappers)

    async def on(self, host: str, work: Any) -> Any:
        return await self.loop.net.host(host).create_task(work)

    async def start(self) -> None:
        await self.on("ns", start_nameserver(NameServerSettings(bindAddress="ns"), self.world()))
        common = {"namesrvAddr": "ns:9876", "mappedFileSizeCommitLog": FILE_BYTES, "register_period_ms": 500}
        self.common = common
        master = BrokerSettings(bindAddress="m", brokerIP1="m", brokerRole="SYNC_MASTER", **common)
        self.master: BrokerNode = await self.on("m", start_broker(with_port(master, PORT), MemoryDisk(), self.world()))
        await self.on("wire", asyncio.start_server(self.relay, port=PORT + 1))
        await self.start_slave()

    async def start_slave(self) -> None:
        self.gate = Gate()
        settings = BrokerSettings(
            bindAddress="s", brokerIP1="s", brokerRole="SLAVE", brokerId=1, haMasterAddress=f"wire:{PORT + 1}",
            ha_reconnect_ms=100, **self.common,
        )  # fmt: skip
        node = start_broker(with_port(settings, PORT), self.disk, self.world(self.gate))
        self.slave: BrokerNode = await self.on("s", node)

    async def end_slave(self, power: bool) -> None:
        self.gate.die()
        self.loop.net.crash("s")
        self.loop.net.restart("s")
        self.disk.crash(power=power, rng=self.rng, torn=power)  # first, since a stop would sync
        await self.on("s", self.slave.server.stop())

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One HA connection, until its number of bytes has gone to the slave."""
        there, back = await asyncio.open_connection("m", PORT + 1)
        up = asyncio.ensure_future(self.pump(reader, back, count=False))
        try:
            await self.pump(there, writer, count=True)
        except asyncio.CancelledError:
            pass  # the loop ends; Python 3.12 takes a cancelled handler of a connection for a broken one
        finally:
            up.cancel()
            for end in (writer, back):
                end.close()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: bool) -> None:
        try:
            while data := await reader.read(1 << 16):
                if count and self.left:
                    data, self.left = data[: self.left], self.left - min(self.left, len(data))
                    writer.write(data)
                    if not self.left:
                        self.cuts += 1
                        return
                else:
                    writer.write(data)
        except ConnectionError:
            pass  # the slave was killed

    async def send(self, count: int) -> None:
        """Send messages side by side; what each was answered."""

        async def one(number: int) -> None:
            reader, writer = await asyncio.open_connection("m", PORT)
            fields = {"a": "P", "b": "T", "c": "TBW102", "d": "2", "e": str(number % 2), "f": "0", "g": "1", "h": "0"}
            writer.write(encode(Command(310, number, 0, fields, b"%06d" % number + bytes(self.rng.randrange(900)))))
            frames = FrameReader()
            while not (found := frames.feed(await reader.read(65536))):
                pass
            (answer,) = found
            self.codes[number] = answer.code
            if answer.code == 0:
                end = self.slave.store.max_offset("T", number % 2)
                assert int(answer.fields["queueOffset"]) < end, "acknowledged, and not on the slave"
            writer.close()

        begin, self.sent = self.sent, self.sent + count
        await asyncio.gather(*(self.on("client", one(number)) for number in range(begin, self.sent)))

    def bodies(self, store: Store) -> dict[int, list[bytes]]:
        found = {}
        for queue in range(2):
            offsets = range(store.min_offset("T", queue), store.max_offset("T", queue))
            records = [store.read("T", queue, offset, 1).records for offset in offsets]
            assert all(records)
            found[queue] = records
        return found

    async def run(self) -> None:
        await self.start()
        await asyncio.sleep(1)
        for _ in range(ROUNDS):
            self.left = self.rng.randrange(1, 6000)
            await self.send(self.rng.randrange(1, 12))
            await asyncio.sleep(self.rng.random() * 3)
            self.check_prefix()
            if self.rng.random() < 0.3:
                await self.end_slave(power=self.rng.random() < 0.5)
                await self.send(self.rng.randrange(3))
                await self.start_slave()
                self.check_prefix()
        self.left = 0
        await asyncio.sleep(5)
        await self.send(1)
        assert self.codes[self.sent - 1] == 0
        assert self.bodies(self.slave.store) == self.bodies(self.master.store)

    def check_prefix(self) -> None:
        master, slave = self.master.store, self.slave.store
        end, at = slave.appended_position, 0
        assert end <= master.appended_position
        while at < end:
            theirs, ours = master.read_log(at, 1 << 16), slave.read_log(at, 1 << 16)
            assert theirs.startswith(ours)
            assert ours
            at += len(ours)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_slave_resumes_without_gap_or_repeat(seed: int) -> None:
    loop = sim_loop(seed)
    stage = Stage(loop, seed)
    try:
        loop.run_until_complete(stage.run())
    finally:
        end_loop(loop)
    assert stage.cuts > 3
    assert 0 in stage.codes.values()
    assert set(stage.codes.values()) <= {0, 11, 12}
