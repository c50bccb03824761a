"""A NameServer and a broker built from parts, without processes: on a real loop and in a simulated one."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from reference_impl.connection import Listener
from reference_impl.disk import MemoryDisk
from reference_impl.frame import Command, FrameReader, encode
from reference_impl.loose_json import loads_loose
from reference_impl.node import World, start_broker, start_nameserver
from reference_impl.sabotage.base import Passing
from reference_impl.settings import BrokerSettings, NameServerSettings


async def ask(host: str, port: int, command: Command) -> Command:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(encode(command))
    frames = FrameReader()
    while not (found := frames.feed(await reader.read(65536))):
        pass
    writer.close()
    return found[0]


def make_world(clock_ms: Callable[[], int]) -> World:
    return World(clock_ms, random.Random(1), None, lambda line: None)


async def life(nameserver: str, broker: str, settings: BrokerSettings, clock_ms: Callable[[], int], asked: Any) -> None:
    """Start both, send a message, pull it, stop, and find the message on the disk again."""
    port = settings.listenPort
    disk = MemoryDisk()
    world = make_world(clock_ms)
    node = await start_broker(settings, disk, world, [Listener(broker, port)])
    route = await asked(nameserver, 9876, Command(105, fields={"topic": "TBW102"}))
    (data,) = loads_loose(route.body)["brokerDatas"]
    assert data["brokerAddrs"] == {"0": f"{settings.brokerIP1}:{port}"}
    fields = {"a": "P", "b": "T", "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "1", "h": "0"}
    sent = await asked(broker, port, Command(310, fields=fields, body=b"hello"))
    assert sent.code == 0, sent.remark
    await node.stop()
    assert (await asked(nameserver, 9876, Command(105, fields={"topic": "T"}))).code == 17
    again = await start_broker(settings, disk, world, [Listener(broker, port)])
    assert again.store.record_at(0) is not None
    await again.stop()


def test_a_node_lives_twice_in_a_simulation() -> None:
    simloop = pytest.importorskip("simloop", reason="simloop needs Python 3.12")
    loop = simloop.SimLoop(7)
    try:
        clock_ms = lambda: 1_700_000_000_000 + int(loop.time() * 1000)  # noqa: E731

        async def client(host: str, port: int, command: Command) -> Command:
            answer = await loop.net.host("client").create_task(ask(host, port, command))
            assert isinstance(answer, Command)
            return answer

        async def run() -> None:
            server = loop.net.host("ns").create_task(
                start_nameserver(NameServerSettings(bindAddress="ns"), make_world(clock_ms))
            )
            await server
            settings = BrokerSettings(
                bindAddress="b", brokerIP1="b", listenPort=10911, namesrvAddr="ns:9876", flushDiskType="SYNC_FLUSH"
            )
            await loop.net.host("b").create_task(life("ns", "b", settings, clock_ms, client))

        loop.run_until_complete(run())
    finally:
        loop.close()


def test_a_node_lives_twice_on_a_real_loop() -> None:
    async def run() -> None:
        world = make_world(lambda: time.time_ns() // 1_000_000)
        nameserver = await start_nameserver(NameServerSettings(), world, [Listener("127.0.0.1", 0)])
        host, port = nameserver.server.addresses[0]

        async def client(where: str, number: int, command: Command) -> Command:
            return await ask(where, port if number == 9876 else number, command)

        free = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        number = free.sockets[0].getsockname()[1]
        free.close()
        settings = BrokerSettings(listenPort=number, namesrvAddr=f"{host}:{port}", flushDiskType="SYNC_FLUSH")
        await life("127.0.0.1", "127.0.0.1", settings, world.clock_ms, client)
        await nameserver.stop()

    asyncio.run(run())


class SlowDisk(MemoryDisk):
    """Each write to the log takes 300 ms of the test's own clock."""

    now_ms = 1_700_000_000_000

    def open_file(self, name: str) -> Any:
        disk = self

        class SlowFile(Passing):
            def append(self, data: bytes) -> Any:
                disk.now_ms += 300
                return self.inner.append(data)

        return SlowFile(super().open_file(name))


def test_sends_that_waited_behind_a_slow_write_are_refused() -> None:
    async def run() -> None:
        disk = SlowDisk()
        world = make_world(lambda: disk.now_ms)
        node = await start_broker(BrokerSettings(), disk, world, [Listener("127.0.0.1", 0)])
        reader, writer = await asyncio.open_connection(*node.server.addresses[0])
        fields = {"a": "P", "b": "T", "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "1", "h": "0"}
        frames, answers = FrameReader(), []
        writer.write(b"".join(encode(Command(310, opaque, fields=fields, body=b"x")) for opaque in range(4)))
        while len(answers) < 4:
            answers += frames.feed(await reader.read(65536))
        assert [answer.code for answer in answers] == [0, 2, 2, 2]
        assert "period in queue: 300ms, size of queue: 2" in (answers[1].remark or "")
        assert node.store.max_offset("T", 0) == 1, "what was refused was not stored"
        answers.clear()
        writer.write(encode(Command(310, 9, fields=fields, body=b"x")))
        while not answers:
            answers += frames.feed(await reader.read(65536))
        assert answers[0].code == 0
        writer.close()
        await node.stop()

    asyncio.run(run())
