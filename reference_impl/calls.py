"""Calls to other servers: one connection per address, opened on demand, and their answers by opaque.

Part of the shell: it carries bytes and time-outs and decides nothing. Like RocketMQ's client it closes a
connection on which an answer did not come in time [NettyClientConfig.clientCloseSocketIfTimeout], so that the
next call finds a fresh one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

from msgspec.structs import replace

from reference_impl.effects import Call
from reference_impl.errors import FrameError, ReferenceBugError
from reference_impl.frame import Command, FrameReader, encode

CALLS_MAX: Final = 1024
"""Calls without an answer on one connection; ours. Further ones fail at once, further one-way ones are dropped."""

Answered = Callable[[str, Command | None], None]
"""Takes a call's token and its answer, or None when there is none."""


class _Peer(asyncio.Protocol):
    """One server that is called."""

    def __init__(self, calls: Calls, address: str) -> None:
        self.calls = calls
        self.address = address
        self.reader = FrameReader()
        self.transport: asyncio.Transport | None = None
        self.opaque = 0
        self.unsent: list[bytes] = []
        self.pending: dict[int, tuple[str, asyncio.TimerHandle]] = {}
        self.connecting: asyncio.Task[None] | None = None
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.ended and self.transport is not None:
            self.transport.abort()
            return
        for data in self.unsent:
            self.write(data)
        self.unsent.clear()

    def data_received(self, data: bytes) -> None:
        try:
            commands = self.reader.feed(data)
        except FrameError as error:
            commands = list(error.decoded)
            self.calls.log(f"{self.address} sent a bad frame: {error}")
            self.end()
        for command in commands:
            waiting = self.pending.pop(command.opaque, None) if command.is_response else None
            if waiting is not None:
                waiting[1].cancel()
                self.calls.settle(waiting[0], command)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.end()

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)
        elif len(self.unsent) < CALLS_MAX:
            self.unsent.append(data)

    def end(self) -> None:
        """Fail what is pending and forget the connection; the next call opens another."""
        self.ended = True
        self.calls.forget(self)
        if self.transport is not None:
            self.transport.abort()
        pending, self.pending = list(self.pending.values()), {}
        self.unsent.clear()
        for token, timer in pending:
            timer.cancel()
            self.calls.settle(token, None)


class Calls:
    """All outgoing calls of one server."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answered: Answered, log: Callable[[str], None]) -> None:
        self._loop = loop
        self._answered = answered
        self.log = log
        self._peers: dict[str, _Peer] = {}
        self._outstanding = 0
        self._quiet: asyncio.Event = asyncio.Event()
        self._quiet.set()

    def call(self, call: Call) -> None:
        """Send a call; its answer, or None, comes to ``answered`` later, never from inside this function."""
        peer = self._peers.get(call.address)
        if peer is None:
            peer = self._peers[call.address] = self._connect(call)
        peer.opaque += 1
        data = encode(replace(call.command, opaque=peer.opaque))
        if call.command.is_oneway:
            peer.write(data)
            return
        self._outstanding += 1
        self._quiet.clear()
        if len(peer.pending) >= CALLS_MAX:
            self._loop.call_soon(self.settle, call.token, None)
            return
        timer = self._loop.call_later(call.timeout_ms / 1000, self._late, peer, call)
        peer.pending[peer.opaque] = (call.token, timer)
        peer.write(data)

    def _connect(self, call: Call) -> _Peer:
        host, separator, port = call.address.rpartition(":")
        if not separator or not port.isdecimal():
            raise ReferenceBugError(f"{call.address!r} is no address: host:port is wanted")
        peer = _Peer(self, call.address)
        peer.connecting = self._loop.create_task(self._open(peer, host.strip("[]"), int(port), call.timeout_ms))
        return peer

    async def _open(self, peer: _Peer, host: str, port: int, timeout_ms: int) -> None:
        try:
            await asyncio.wait_for(self._loop.create_connection(lambda: peer, host, port), timeout_ms / 1000)
        except (OSError, TimeoutError) as error:
            self.log(f"no connection to {peer.address}: {error or 'too late'}")
            peer.end()

    def _late(self, peer: _Peer, call: Call) -> None:
        self.log(f"no answer from {call.address} to {call.command.code} within {call.timeout_ms} ms")
        peer.end()

    def settle(self, token: str, command: Command | None) -> None:
        """Hand an answer, or its lack, to the core."""
        self._outstanding -= 1
        if self._outstanding == 0:
            self._quiet.set()
        self._answered(token, command)

    def forget(self, peer: _Peer) -> None:
        """Take a connection that ended out of the table."""
        if self._peers.get(peer.address) is peer:
            del self._peers[peer.address]

    async def settled(self, timeout_ms: int) -> bool:
        """Wait until nothing is outstanding; whether that came in time."""
        try:
            await asyncio.wait_for(self._quiet.wait(), timeout_ms / 1000)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Close every connection; what is pending fails."""
        for peer in list(self._peers.values()):
            if peer.connecting is not None:
                peer.connecting.cancel()
            if peer.transport is not None:
                # Not aborted: a goodbye that was written is still to arrive.
                peer.transport.close()
            peer.transport = None
            peer.end()
