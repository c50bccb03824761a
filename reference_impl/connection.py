"""One connection that a peer opened: bytes in, commands out, and the limits of what waits to be sent.

Part of the shell: it carries and decides nothing; what a command means is the core's, when to close is ``server``'s.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

from msgspec import Struct

from reference_impl.errors import FrameError
from reference_impl.frame import Command, FrameReader

WRITE_BYTES_PAUSE: Final = 1024 * 1024
"""Unsent bytes of one connection above which no more of its requests are read; ours."""
JOINED_BYTES_MAX: Final = 256 * 1024
"""Answers are handed to the loop together, up to about this many bytes; ours."""
WRITE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Unsent bytes of one connection above which it is closed; ours, four of the longest frames."""


class Listener(Struct, frozen=True):
    """One address to listen on."""

    host: str
    port: int
    sock: socket.socket | None = None
    """Already bound, instead of host and port."""
    refuse: Callable[[Command], Command | None] | None = None
    """Answers what is not served on this port, in the core's place."""
    stream: bool = False
    """Whether connections carry plain bytes, not commands."""

    async def listen(
        self, loop: asyncio.AbstractEventLoop, make: Callable[[], asyncio.Protocol]
    ) -> asyncio.AbstractServer:
        """Listen, with a protocol from ``make`` for each connection; OSError when the address is not to be had."""
        if self.sock is not None:
            return await loop.create_server(make, sock=self.sock)
        return await loop.create_server(make, self.host, self.port)

    def port_of(self, listening: asyncio.AbstractServer) -> int:
        """The real port, where 0 was asked for."""
        sockets = getattr(listening, "sockets", ()) if self.port == 0 else ()
        return int(sockets[0].getsockname()[1]) if sockets else self.port


class Holder(Protocol):
    """Who owns connections: the server."""

    loop: asyncio.AbstractEventLoop

    def opened(self, connection: Connection) -> None:
        """Take a new connection in."""

    def received(self, connection: Connection, commands: Sequence[Command]) -> None:
        """Take commands in that came together."""

    def lost(self, connection: Connection) -> None:
        """Know that a connection ended."""


class Connection(asyncio.Protocol):
    """One connection that a peer opened."""

    def __init__(self, server: Holder, number: int, refuse: Callable[[Command], Command | None] | None) -> None:
        self.server = server
        self.number = number
        self.refuse = refuse
        self.reader = FrameReader()
        self.peer: tuple[str, int] = ("", 0)
        self.transport: asyncio.Transport | None = None
        self.active_at = 0.0
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop: the peer is there."""
        self.transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple) and len(name) >= 2:
            self.peer = (str(name[0]), int(name[1]))
        if hasattr(transport, "set_write_buffer_limits"):
            transport.set_write_buffer_limits(high=WRITE_BYTES_PAUSE)
        self.server.opened(self)

    def data_received(self, data: bytes) -> None:
        """The loop: bytes came; what is good before a bad frame is still served."""
        self.active_at = self.server.loop.time()
        try:
            commands: Sequence[Command] = self.reader.feed(data)
            good = True
        except FrameError as error:
            commands, good = error.decoded, False
        if commands:
            self.server.received(self, commands)
        if not good:
            self.close()

    def pause_writing(self) -> None:
        """The loop: too much is unsent, so no more requests are read."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The loop: enough was sent."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The loop: the connection ended."""
        del exc
        self.server.lost(self)

    def send(self, data: bytes) -> None:
        """Send bytes with the next ``flush``, or before it where much has come together."""
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes > JOINED_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Hand to the loop what was sent; a peer that does not read it is cut off at WRITE_BYTES_MAX."""
        if not self._unsent:
            return
        data = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        if self.transport is None or self.transport.is_closing():
            return
        self.active_at = self.server.loop.time()
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > WRITE_BYTES_MAX:
            self.transport.abort()

    def close(self) -> None:
        """Close after what was sent."""
        self.flush()
        if self.transport is not None:
            self.transport.close()
