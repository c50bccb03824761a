"""Connections of plain bytes over real sockets: opened from both sides, sent on, ended, and not to be had."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from reference_impl.connection import Listener
from reference_impl.effects import StreamClose, StreamOpen, StreamSend
from reference_impl.errors import ReferenceBugError
from reference_impl.streams import Streams

DEADLINE_S = 10


class Told:
    """What came on connections, and waiting for it."""

    def __init__(self) -> None:
        self.events: list[tuple[int, bytes | None]] = []
        self.lines: list[str] = []
        self.changed = asyncio.Event()

    def take(self, number: int, data: bytes | None) -> None:
        self.events.append((number, data))
        self.changed.set()

    async def until(self, *events: tuple[int, bytes | None]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not set(events) <= set(self.events):
                self.changed.clear()
                await self.changed.wait()


def run(body: Callable[[Streams, Told, str], Awaitable[None]]) -> None:
    async def main() -> None:
        told = Told()
        streams = Streams(asyncio.get_running_loop(), told.take, told.lines.append)
        listener = Listener("127.0.0.1", 0, stream=True)
        listening = await listener.listen(asyncio.get_running_loop(), streams.accept)
        try:
            await body(streams, told, f"127.0.0.1:{listener.port_of(listening)}")
        finally:
            streams.close()
            listening.close()
            await asyncio.sleep(0)

    asyncio.run(main())


def test_bytes_go_both_ways_until_one_side_ends() -> None:
    async def body(streams: Streams, told: Told, address: str) -> None:
        streams.carry(StreamOpen(-1, address, 1000))
        await told.until((-1, b""), (1, b""))
        streams.carry(StreamSend(-1, b"there"))
        streams.carry(StreamSend(1, b"back"))
        await told.until((1, b"there"), (-1, b"back"))
        streams.carry(StreamClose(1, "enough"))
        assert (1, None) not in told.events, "told from inside an effect"
        await told.until((1, None), (-1, None))
        assert told.lines == ["stream 1 is closed: enough"]
        streams.carry(StreamSend(1, b"late"))
        streams.carry(StreamClose(1, ""))

    run(body)


def test_one_that_is_not_to_be_had_ends() -> None:
    async def body(streams: Streams, told: Told, address: str) -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        streams.carry(StreamOpen(-1, f"127.0.0.1:{port}", 1000))
        await told.until((-1, None))
        assert "no stream to" in told.lines[0]

    run(body)


def test_one_that_is_closed_while_it_opens_never_opens() -> None:
    async def body(streams: Streams, told: Told, address: str) -> None:
        streams.carry(StreamOpen(-1, address, 1000))
        streams.carry(StreamClose(-1, ""))
        await told.until((-1, None), (1, None))
        assert (-1, b"") not in told.events

    run(body)


@pytest.mark.parametrize("address", ["nowhere", "host:", ":x"])
def test_an_address_without_a_port_is_a_bug_here(address: str) -> None:
    async def body(streams: Streams, told: Told, own: str) -> None:
        with pytest.raises(ReferenceBugError, match="host:port"):
            streams.carry(StreamOpen(-1, address, 10))

    run(body)


def test_what_was_written_before_the_end_arrives() -> None:
    async def body(streams: Streams, told: Told, address: str) -> None:
        received: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            received.append(await reader.read())
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            streams.carry(StreamOpen(-1, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", 1000))
            await told.until((-1, b""))
            streams.carry(StreamSend(-1, b"x" * 100_000))
            streams.close()
            async with asyncio.timeout(DEADLINE_S):
                while not received:
                    await asyncio.sleep(0.01)
        assert received == [b"x" * 100_000]

    run(body)


def test_a_peer_that_reads_nothing_is_cut_off(monkeypatch: Any) -> None:
    monkeypatch.setattr("reference_impl.streams.WRITE_BYTES_MAX", 1000)

    async def body(streams: Streams, told: Told, address: str) -> None:
        done = asyncio.Event()

        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await done.wait()
            writer.close()

        async with await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1000) as server:
            streams.carry(StreamOpen(-1, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", 1000))
            await told.until((-1, b""))
            for _ in range(100):
                streams.carry(StreamSend(-1, bytes(1 << 20)))
            await told.until((-1, None))
            done.set()

    run(body)
