"""Stands between Toxiproxy and one server for one peer, where single frames are to be seen.

Before every NameServer: frames pass with the peer's own addresses in them. Downwards (NameServer to peer) real broker
addresses become that peer's proxies, in route and cluster bodies and in header fields; upwards the reverse, in header
fields. Before a broker, on links that a scenario names, nothing is rewritten. On both, what `frame_rules` says happens
to single frames. Everything else passes byte for byte; a stream that cannot be cut into frames passes untouched from
there on. asyncio only, so that it also runs in a simulated world.

A closed or refusing server is shown at once by closing the peer's side: one that is killed must look killed. A peer
that has closed only its sending side is still answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol

from mqcheck.errors import FrameError
from mqcheck.links.address import host_and_port
from mqcheck.links.frame_rules import FrameLine, Way
from mqcheck.links.rewrite import FrameCutter, addresses, rename, rewrite
from mqcheck.rocketmq.frame import Command, decode

Translate = Callable[[frozenset[str]], Awaitable[Mapping[str, str]]]
"""Asked with the addresses found in a frame; answers those that are to be replaced, with what to put there."""

GET_ROUTEINFO_BY_TOPIC: Final = 105
GET_BROKER_CLUSTER_INFO: Final = 106
GET_BROKER_MEMBER_GROUP: Final = 901
_BODY_CODES: Final = frozenset({GET_ROUTEINFO_BY_TOPIC, GET_BROKER_CLUSTER_INFO, GET_BROKER_MEMBER_GROUP})
"""Requests whose answers hold broker addresses in the body."""

READ_BYTES_MAX: Final = 1 << 16
"""Largest piece read at once (ours)."""

PENDING_MAX: Final = 4096
"""Unanswered requests remembered per connection (ours); the answer to an older one is passed with its body as it is."""

CONNECT_SECONDS_MAX: Final = 10.0
"""Limit for reaching a server (ours)."""

CONNECTIONS_MAX: Final = 256
"""Connections of one peer to one server at a time (ours); more are closed at once."""


class ConnectionWatcher(Protocol):
    """Told what passes one connection; `tap` has the one that writes into the history."""

    def request(self, command: Command) -> None:
        """A request is about to be handed to the NameServer."""
        ...

    def answer(self, command: Command) -> None:
        """A response of the NameServer has been read."""
        ...

    def closed(self, by: str) -> None:
        """The connection ends, by ``peer``, ``server``, ``us`` or ``error``; answers may still come, requests not."""
        ...


class FrameProxy:
    """Listens on a port of its own for one peer and leads to one server."""

    def __init__(
        self,
        upstream: str,
        *,
        to_peer: Translate | None = None,
        to_server: Translate | None = None,
        watch: Callable[[], ConnectionWatcher] | None = None,
        line: Callable[[], FrameLine] | None = None,
        failed: Callable[[Exception], None] | None = None,
        names: Callable[[], Mapping[str, str]] = dict,
        host: str = "127.0.0.1",
    ) -> None:
        """`names`: what the peer is to call brokers instead of the names that routes have. Without `to_peer` and
        `to_server` addresses stay as they are. `line`: decides about single frames of one connection."""
        self.upstream = upstream
        """The server's real address; new connections follow a change."""
        self._to_peer = to_peer
        self._to_server = to_server
        self._watch = watch
        self._line = line
        self._failed = failed
        self._names = names
        self._host = host
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[_Connection] = set()
        self.address = ""
        """Where it listens, once started."""

    @property
    def upstream_locals(self) -> frozenset[str]:
        """Own addresses of its connections to the server: what the leak check knows them by."""
        return frozenset(connection.upstream_local for connection in self._connections)

    async def start(self) -> str:
        """Listen on a free port; returns ``host:port``."""
        self._server = await asyncio.start_server(self._accepted, self._host, 0)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"{self._host}:{port}"
        return self.address

    async def stop(self) -> None:
        """Stop listening and end every connection; idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = host_and_port(self.upstream)
        try:
            # Not wait_for: before Python 3.12 it forgets a cancellation that comes as the connection is made.
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                server = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            writer.transport.abort()
            return
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        watcher = None if self._watch is None else self._watch()
        line = None if self._line is None else self._line()
        connection = _Connection((reader, writer), server, self._to_peer, self._to_server, watcher, self._names, line)
        self._connections.add(connection)
        try:
            await connection.run()
        except Exception as error:  # whatever it is, the run must hear of it
            connection.tell_end("error")
            if self._failed is not None:
                self._failed(error)
        finally:
            connection.tell_end("us")
            self._connections.discard(connection)
            connection.abort()


class _Connection:
    """One peer's connection and the one to the server that belongs to it."""

    def __init__(
        self,
        peer: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        to_peer: Translate | None,
        to_server: Translate | None,
        watcher: ConnectionWatcher | None,
        names: Callable[[], Mapping[str, str]],
        line: FrameLine | None,
    ) -> None:
        self._peer_reader, self._peer_writer = peer
        self._server_reader, self._server_writer = server
        self._to_peer = to_peer
        self._to_server = to_server
        self._watcher = watcher
        self._names = names
        self._line = line
        self._pending: dict[int, int] = {}
        self._ended = False
        host, port, *_ = self._server_writer.get_extra_info("sockname") or ("", 0)
        self.upstream_local = f"{host}:{port}"

    async def run(self) -> None:
        """Pump until both sides are done."""
        up = asyncio.ensure_future(self._pump(self._peer_reader, self._server_writer, self._upwards))
        down = asyncio.ensure_future(self._pump(self._server_reader, self._peer_writer, self._downwards))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            first = "server" if down.done() else "peer"
            # Before the server can know it: what it does about the end must not seem to come first.
            self.tell_end(first)
            if not down.done() and up.exception() is None and up.result():
                self._finish(self._server_writer)
                await asyncio.wait((down,))
            for task in (up, down):
                if task.done():
                    task.result()
            if down.done():
                await self._flush_peer()
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    def tell_end(self, by: str) -> None:
        """Tell the watcher who ended it, once."""
        if not self._ended and self._watcher is not None:
            self._watcher.closed(by)
        if self._line is not None:
            self._line.close()
        self._ended = True

    def abort(self) -> None:
        """Drop both sides; nothing is lost that was flushed."""
        for writer in (self._peer_writer, self._server_writer):
            if not writer.transport.is_closing():
                writer.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        hand_on: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]],
    ) -> bool:
        """Copy until end of stream (True) or until either side breaks (False)."""
        cutter, bad = FrameCutter(), False
        try:
            while data := await reader.read(READ_BYTES_MAX):
                for frame in cutter.feed(data):
                    if not bad:
                        try:
                            await hand_on(frame, writer)
                            continue
                        except FrameError:
                            bad = True
                    writer.write(frame)
                if bad or cutter.broken:
                    bad = True
                    writer.write(cutter.rest())
                await writer.drain()
            writer.write(cutter.rest())
            await writer.drain()
        except OSError:
            return False
        return True

    async def _upwards(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        command = decode(frame[4:])
        if self._to_server is not None and (found := addresses(frame, body=False)):
            frame = rewrite(frame, await self._to_server(found), body=False)
        if not command.is_response:
            if not command.is_oneway:
                self._pending[command.opaque] = command.code
                if len(self._pending) > PENDING_MAX:
                    del self._pending[next(iter(self._pending))]
            if self._watcher is not None and not self._ended:
                self._watcher.request(command)
        self._pass("up", command, frame, writer)

    async def _downwards(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        command = decode(frame[4:])
        body = False
        if command.is_response:
            body = self._pending.pop(command.opaque, None) in _BODY_CODES
            if self._watcher is not None:
                self._watcher.answer(command)
        if body and (names := self._names()):
            frame = rename(frame, names)
        if self._to_peer is not None and (found := addresses(frame, body=body)):
            frame = rewrite(frame, await self._to_peer(found), body=body)
        self._pass("down", command, frame, writer)

    def _pass(self, way: Way, command: Command, frame: bytes, writer: asyncio.StreamWriter) -> None:
        if self._line is None:
            writer.write(frame)
        else:
            self._line.passing(way, command, frame, partial(_write_open, writer))

    @staticmethod
    def _finish(writer: asyncio.StreamWriter) -> None:
        if writer.can_write_eof() and not writer.transport.is_closing():
            try:
                writer.write_eof()
            except OSError:
                writer.transport.abort()

    async def _flush_peer(self) -> None:
        """Close the peer's side so that what was written still arrives."""
        self._peer_writer.close()
        try:
            await asyncio.wait_for(self._peer_writer.wait_closed(), CONNECT_SECONDS_MAX)
        except (OSError, TimeoutError):
            self._peer_writer.transport.abort()


def _write_open(writer: asyncio.StreamWriter, frame: bytes) -> None:
    """What comes late may find its connection closed."""
    if not writer.transport.is_closing():
        writer.write(frame)
