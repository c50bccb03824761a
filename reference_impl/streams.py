"""Connections that carry plain bytes, not commands: those that a peer opened, and those that the core wants.

Part of the shell: it carries bytes and decides nothing; what they mean is the core's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from reference_impl.connection import WRITE_BYTES_MAX
from reference_impl.effects import StreamEffect, StreamOpen, StreamSend
from reference_impl.errors import ReferenceBugError

Take = Callable[[int, bytes | None], None]
"""Takes a connection's number and what came on it: b"" when it opened, None when it ended."""


class _Stream(asyncio.Protocol):
    def __init__(self, streams: Streams, number: int) -> None:
        self.streams = streams
        self.number = number
        self.transport: asyncio.Transport | None = None
        self.connecting: asyncio.Task[None] | None = None
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.ended:
            self.transport.abort()
            return
        self.streams.live[self.number] = self
        self.streams.take(self.number, b"")

    def data_received(self, data: bytes) -> None:
        if not self.ended:
            self.streams.take(self.number, data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.end()

    def write(self, data: bytes) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > WRITE_BYTES_MAX:
            self.transport.abort()

    def end(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.streams.live.pop(self.number, None)
        if self.transport is not None:
            self.transport.abort()
        self.streams.take(self.number, None)


class Streams:
    """All connections of plain bytes of one server."""

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Take, log: Callable[[str], None]) -> None:
        self._loop = loop
        self.take = take
        self._log = log
        self.live: dict[int, _Stream] = {}
        self._accepted_count = 0

    def accept(self) -> asyncio.Protocol:
        """A protocol for a connection that a peer opened."""
        self._accepted_count += 1
        return _Stream(self, self._accepted_count)

    def carry(self, effect: StreamEffect) -> None:
        """Carry an effect out. ReferenceBugError for an address that is none."""
        if isinstance(effect, StreamOpen):
            self._open(effect)
            return
        stream = self.live.get(effect.stream)
        if stream is None:
            return
        if isinstance(effect, StreamSend):
            stream.write(effect.data)
            return
        if effect.reason:
            self._log(f"stream {effect.stream} is closed: {effect.reason}")
        # Later, so that the core is never told anything from inside its own effects.
        self._loop.call_soon(stream.end)

    def _open(self, effect: StreamOpen) -> None:
        host, separator, port = effect.address.rpartition(":")
        if not separator or not port.isdecimal():
            raise ReferenceBugError(f"{effect.address!r} is no address: host:port is wanted")
        stream = self.live[effect.stream] = _Stream(self, effect.stream)
        stream.connecting = self._loop.create_task(self._connect(stream, host.strip("[]"), int(port), effect))

    async def _connect(self, stream: _Stream, host: str, port: int, effect: StreamOpen) -> None:
        try:
            wait_s = effect.timeout_ms / 1000
            await asyncio.wait_for(self._loop.create_connection(lambda: stream, host, port), wait_s)
        except (OSError, TimeoutError) as error:
            self._log(f"no stream to {effect.address}: {error or 'too late'}")
            stream.end()

    def close(self) -> None:
        """End every connection; what was written is still sent."""
        for stream in list(self.live.values()):
            if stream.connecting is not None:
                stream.connecting.cancel()
            if stream.transport is not None:
                stream.transport.close()
            stream.transport = None
            stream.end()
