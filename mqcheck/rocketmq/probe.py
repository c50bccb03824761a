"""Raw requests on connections of their own: anything may be sent, every answer is counted.

What the probe means is the caller's; rows go to ``replies`` and ``connections``.
"""

from __future__ import annotations

import asyncio

from mqcheck.errors import FrameError
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.connection import Peer, split_address
from mqcheck.rocketmq.frame import Command, FrameReader
from mqcheck.rocketmq.models import RawAnswer, RawOutcome

PROBE_OPAQUE = 4711
"""The opaque of a raw request; a probe's connection carries no other."""

ANSWERS_MAX = 1_000
"""Most answers a probe keeps; ours."""


class ProbeProtocol(asyncio.Protocol):
    """A connection that sends given bytes and keeps what comes back."""

    def __init__(self, peer: Peer, recorder: Recorder) -> None:
        self.conn = recorder.new_id()
        self.answers: list[Command] = []
        self.closed_by: str | None = None
        self.ended = asyncio.Event()
        self._peer = peer
        self._recorder = recorder
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None

    async def run(self, data: bytes, deadline_s: float) -> RawOutcome:
        """Connect, send, collect until the deadline or the end; gives ok, none, closed or unsent."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(deadline_s):
                host, port = split_address(self._peer.address)
                await loop.create_connection(lambda: self, host, port)
        except (OSError, TimeoutError):
            return "unsent"
        if self._transport is not None:
            self._transport.write(data)
        try:
            async with asyncio.timeout(deadline_s):
                await self.ended.wait()
        except TimeoutError:
            pass
        if self.answers:
            return "ok"
        return "none" if self.closed_by is None else "closed"

    async def end(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            if self.closed_by is None:
                self.closed_by = "us"
                self._transport.abort()
            await self.ended.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"{transport!r} is no stream transport")
        self._transport = transport
        now = self._recorder.clock.monotonic_ns()
        columns = {"conn": self.conn, "link": self._peer.link, "node": self._peer.node}
        self._recorder.begin("connections", self.conn, opened=now, **columns)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        try:
            self.answers += [command for command in self._reader.feed(data) if command.is_response]
        except FrameError:
            self.closed_by = "us"
        if len(self.answers) > ANSWERS_MAX:
            self.closed_by = "us"
        if self.closed_by is not None and self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self.closed_by is None:
            self.closed_by = "peer" if exc is None else "error"
        now = self._recorder.clock.monotonic_ns()
        self._recorder.end("connections", self.conn, closed=now, closed_by=self.closed_by)
        self.ended.set()


async def run_probe(
    recorder: Recorder,
    peer: Peer,
    data: bytes,
    *,
    name: str,
    encoding: str,
    request_code: int | None,
    payload_bytes: int,
    oneway: bool,
    deadline_ms: int,
) -> RawAnswer:
    """Send ``data`` and record what came back until the deadline; never raises for what the peer does."""
    protocol = ProbeProtocol(peer, recorder)
    op = recorder.begin(
        "replies",
        probe=name,
        conn=protocol.conn,
        node=peer.node,
        request_code=request_code,
        encoding=encoding,
        oneway=oneway,
        payload_bytes=payload_bytes,
    )
    outcome = await protocol.run(data, deadline_ms / 1000)
    mine = [answer for answer in protocol.answers if answer.opaque == PROBE_OPAQUE]
    first = mine[0] if mine else None
    recorder.end(
        "replies",
        op,
        outcome=outcome,
        code=None if first is None else first.code,
        answers=len(mine),
        response_flag=None if first is None else str(first.flag),
        closed_by=protocol.closed_by,
        remark=None if first is None else first.remark,
    )
    await protocol.end()
    if first is None:
        return RawAnswer("none" if outcome == "ok" else outcome, len(mine))
    return RawAnswer("ok", len(mine), first.code, first.fields, first.body, first.remark)
