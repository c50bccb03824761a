"""One connection to a broker or NameServer: requests matched to answers by opaque, requests of the peer handed on.

What a request means is not known here; connections and late answers are the only rows written.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mqcheck.errors import FrameError, UnansweredError, UnsentError
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.codes import FLAG_ONEWAY
from mqcheck.rocketmq.frame import Command, FrameReader, encode

WRITE_BUFFER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Most bytes that wait in this process for a peer that does not read; ours, four frames of the largest size."""

REQUESTS_MAX: Final = 65_535
"""Most unanswered requests of one connection (NettyClientConfig's permits)."""

LATE_MAX: Final = 1_024
"""Timed-out requests whose late answers are still recognised; ours."""

CLOSE_MS: Final = 500
"""How long a closing connection may take to give its last bytes to a peer; ours."""

OPAQUE_MAX: Final = 2**31 - 1
"""Largest opaque: a signed 32-bit integer."""

RequestHandler = Callable[["Connection", Command], None]
CloseHandler = Callable[["Connection"], None]


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end as the history names it."""

    node: str
    address: str
    """host:port that is connected to: a link's address when the client runs through links."""
    link: str
    """``client->server``."""


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port". Raises UnsentError for anything else."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UnsentError(f"address {address!r} is not host:port")
    return host, int(port)


class Connection(asyncio.Protocol):
    """One open connection. Raises UnsentError and UnansweredError only."""

    def __init__(self, peer: Peer, recorder: Recorder, on_request: RequestHandler, on_close: CloseHandler) -> None:
        self.peer = peer
        self.conn = recorder.new_id()
        self._recorder = recorder
        self._on_request = on_request
        self._on_close = on_close
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, asyncio.Future[Command]] = {}
        self._late: OrderedDict[int, int] = OrderedDict()
        self._opaque = 0
        self._closed_by: str | None = None
        self.closed = False
        self._gone = asyncio.Event()

    async def open(self, timeout_s: float) -> None:
        """Connect. Raises UnsentError when refused or not answered in time."""
        host, port = split_address(self.peer.address)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                await loop.create_connection(lambda: self, host, port)
        except TimeoutError as error:
            raise UnsentError(f"{self.peer.link}: no connection to {self.peer.address} in {timeout_s:.3f} s") from error
        except OSError as error:
            raise UnsentError(f"{self.peer.link}: no connection to {self.peer.address}: {error}") from error

    async def request(self, command: Command, timeout_s: float, op: int | None = None) -> Command:
        """Send and wait for the answer; ``op`` is the operation a late answer is noted for."""
        if len(self._waiting) >= REQUESTS_MAX:
            raise UnsentError(f"{self.peer.link}: {REQUESTS_MAX} requests wait for answers already")
        self._opaque = opaque = self._opaque % OPAQUE_MAX + 1
        data = encode_or_unsent(replace(command, opaque=opaque))
        answer: asyncio.Future[Command] = asyncio.get_running_loop().create_future()
        self._write(data)
        self._waiting[opaque] = answer
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as error:
            self._expect_late(opaque, op)
            raise UnansweredError(f"{self.peer.link}: no answer to {command.code} in {timeout_s:.3f} s") from error
        finally:
            self._waiting.pop(opaque, None)

    def oneway(self, command: Command) -> None:
        """Send a request that nobody answers."""
        self._opaque = opaque = self._opaque % OPAQUE_MAX + 1
        self._write(encode_or_unsent(replace(command, opaque=opaque, flag=command.flag | FLAG_ONEWAY)))

    def answer(self, request: Command, answer: Command) -> None:
        """Answer a request of the peer; a connection that is gone meanwhile swallows it."""
        if not self.closed and not request.is_oneway and self._transport is not None:
            self._transport.write(encode(replace(answer, opaque=request.opaque, flag=answer.flag | 1)))

    def close(self) -> None:
        """Close after what was written has gone out."""
        self._closed_by = self._closed_by or "us"
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once; unsent bytes are lost."""
        self._closed_by = self._closed_by or "us"
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Wait until an ended connection is gone; bytes the peer does not take are dropped after CLOSE_MS."""
        if self._transport is None:
            return
        try:
            async with asyncio.timeout(CLOSE_MS / 1000):
                await self._gone.wait()
        except TimeoutError:
            self._transport.abort()
            await self._gone.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"{transport!r} is no stream transport")
        self._transport = transport
        opened = self._recorder.clock.monotonic_ns()
        self._recorder.begin(
            "connections", self.conn, conn=self.conn, link=self.peer.link, node=self.peer.node, opened=opened
        )
        if self._closed_by is not None:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        try:
            commands = self._reader.feed(data)
        except FrameError as error:
            self._closed_by = "us"
            self._fail(f"unreadable bytes: {error}")
            self.abort()
            return
        for command in commands:
            if command.is_response:
                self._answered(command)
            else:
                self._on_request(self, command)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.closed = True
        self._gone.set()
        by = self._closed_by or ("peer" if exc is None else "error")
        if not self._recorder.closed:
            closed = self._recorder.clock.monotonic_ns()
            self._recorder.end("connections", self.conn, closed=closed, closed_by=by)
        self._fail(f"connection closed by {by}" + (f": {exc}" if exc else ""))
        self._on_close(self)

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or self.closed or transport.is_closing():
            raise UnsentError(f"{self.peer.link}: connection is closed")
        if transport.get_write_buffer_size() + len(data) > WRITE_BUFFER_BYTES_MAX:
            raise UnsentError(f"{self.peer.link}: {WRITE_BUFFER_BYTES_MAX} bytes wait to be sent already")
        transport.write(data)

    def _answered(self, command: Command) -> None:
        answer = self._waiting.pop(command.opaque, None)
        if answer is not None:
            if not answer.done():
                answer.set_result(command)
            return
        op = self._late.pop(command.opaque, None)
        if op is not None and not self._recorder.closed:
            self._recorder.point("late_answers", op, code=command.code)

    def _expect_late(self, opaque: int, op: int | None) -> None:
        if op is not None:
            self._late[opaque] = op
            if len(self._late) > LATE_MAX:
                self._late.popitem(last=False)

    def _fail(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(UnansweredError(f"{self.peer.link}: {reason}"))


def encode_or_unsent(command: Command) -> bytes:
    """The frame, or UnsentError when it cannot be one."""
    try:
        return encode(command)
    except FrameError as error:
        raise UnsentError(str(error)) from error
