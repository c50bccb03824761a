"""The real Toxiproxy server, and servers and peers to put on both ends of a link."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from mqcheck.guard import Guard
from mqcheck.links.toxiproxy import ToxiproxyServer


@pytest.fixture(scope="session")
def toxiproxy() -> Iterator[ToxiproxyServer]:
    guard = Guard()  # tests that are killed leave nothing running either
    server = ToxiproxyServer.start(on_start=guard.process)
    yield server
    server.stop()
    assert not server.running
    guard.close()


def _bound_pair() -> tuple[socket.socket, socket.socket]:
    """A free port, and the one two below it, where a broker has its VIP port: nobody else's traffic may be there."""
    while True:
        main, vip = socket.socket(), socket.socket()
        main.bind(("127.0.0.1", 0))
        try:
            vip.bind(("127.0.0.1", main.getsockname()[1] - 2))
        except OSError:
            main.close()
            vip.close()
        else:
            return main, vip


@asynccontextmanager
async def _echo() -> AsyncIterator[str]:
    """A server that sends back what it gets; gives its address."""
    writers = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
            writers.discard(writer)

    main, vip = _bound_pair()
    server = await asyncio.start_server(serve, sock=main)
    try:
        yield f"127.0.0.1:{main.getsockname()[1]}"
    finally:
        server.close()
        vip.close()
        for writer in list(writers):
            writer.transport.abort()
        await asyncio.sleep(0.02)


class Peer:
    """A connection that asks an echo server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, count: int = 100) -> float:
        """Seconds of one round trip."""
        began = time.perf_counter()
        self.send(count)
        await self.hear(count)
        return time.perf_counter() - began

    def send(self, count: int) -> None:
        self.writer.write(b"x" * count)

    async def hear(self, count: int) -> None:
        await asyncio.wait_for(self.reader.readexactly(count), 20)

    async def ended(self) -> bool:
        """True when the other side closes or resets."""
        try:
            return await asyncio.wait_for(self.reader.read(), 20) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def _peer(address: str) -> AsyncIterator[Peer]:
    host, _, port = address.rpartition(":")
    peer = Peer(*await asyncio.open_connection(host, int(port)))
    try:
        yield peer
    finally:
        peer.close()
        await asyncio.sleep(0)


async def _until(true: Callable[[], bool], seconds: float = 20) -> None:
    limit = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < limit, "it never came true"
        await asyncio.sleep(0.005)


@pytest.fixture
def echo() -> Callable[[], object]:
    return _echo


@pytest.fixture
def peer() -> Callable[[str], object]:
    return _peer


@pytest.fixture
def until() -> Callable[..., object]:
    return _until
