"""Raw requests on connections of their own: anything may be sent, every answer is counted.

What the probe means is the caller's; rows go to ``replies`` and ``connections``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from mqcheck.errors import FrameError
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.connection import Peer, split_address
from mqcheck.rocketmq.frame import Command, FrameReader
from mqcheck.rocketmq.models import RawAnswer, RawOutcome

PROBE_OPAQUE = 4711
"""The opaque of a raw request; a probe's connection carries no other."""

ANSWERS_MAX = 4_000
"""Most answers a probe keeps; ours."""

DETAIL_CHARS_MAX = 500
"""Longest `detail` of a row; ours. A longer one is left out."""

PUSHED_CODES: Final = frozenset({39, 40, 220, 221, 307, 309, 326})
"""Requests that a broker makes of clients by itself; everything else that comes is an answer, well made or not."""


class ProbeProtocol(asyncio.Protocol):
    """A connection that sends given bytes and keeps what comes back."""

    def __init__(self, peer: Peer, recorder: Recorder) -> None:
        self.conn = recorder.new_id()
        self.answers: list[Command] = []
        self.closed_by: str | None = None
        self.ended = asyncio.Event()
        self.heard = asyncio.Event()
        """Set by every answer and by the end."""
        self._peer = peer
        self._recorder = recorder
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None

    async def connect(self, deadline_s: float) -> bool:
        """Connect; whether that came to be in time."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(deadline_s):
                host, port = split_address(self._peer.address)
                await loop.create_connection(lambda: self, host, port)
        except (OSError, TimeoutError):
            return False
        return True

    def send(self, data: bytes) -> None:
        """Write bytes as given; a connection that has ended swallows them."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def run(self, data: bytes, deadline_s: float) -> RawOutcome:
        """Connect, send, collect until the deadline or the end; gives ok, none, closed or unsent."""
        if not await self.connect(deadline_s):
            return "unsent"
        self.send(data)
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
            commands = self._reader.feed(data)
            self.answers += [each for each in commands if each.is_response or each.code not in PUSHED_CODES]
        except FrameError:
            self.closed_by = "us"
        if len(self.answers) > ANSWERS_MAX:
            self.closed_by = "us"
        if self.closed_by is not None and self._transport is not None:
            self._transport.abort()
        self.heard.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self.closed_by is None:
            self.closed_by = "peer" if exc is None else "error"
        now = self._recorder.clock.monotonic_ns()
        self._recorder.end("connections", self.conn, closed=now, closed_by=self.closed_by)
        self.ended.set()
        self.heard.set()


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
    columns = reply_columns(mine, strays=strays(protocol.answers, (PROBE_OPAQUE,)), closed_by=protocol.closed_by)
    recorder.end("replies", op, outcome=outcome, **columns)
    await protocol.end()
    return raw_answer(mine, "none" if outcome == "ok" else outcome)


def reply_columns(mine: Sequence[Command], *, strays: int, closed_by: str | None) -> dict[str, Any]:
    """How a request's answers, the first of them above all, stand at the end of its row."""
    if not mine:
        return {"answers": 0, "strays": strays, "closed_by": closed_by}
    first = mine[0]
    detail = msgspec.json.encode(dict(sorted(first.fields.items()))).decode() if first.fields else None
    return {
        "code": first.code,
        "answers": len(mine),
        "strays": strays,
        "response_flag": str(first.flag),
        "closed_by": closed_by,
        "remark": first.remark,
        "detail": detail if detail is not None and len(detail) <= DETAIL_CHARS_MAX else None,
    }


def strays(answers: Sequence[Command], asked: Collection[int]) -> int:
    """How many answers have an opaque that nobody used on the connection."""
    return sum(answer.opaque not in asked for answer in answers)


def raw_answer(mine: Sequence[Command], otherwise: RawOutcome) -> RawAnswer:
    """The first answer as a value; ``otherwise``: the outcome where there is none."""
    if not mine:
        return RawAnswer(otherwise, 0)
    first = mine[0]
    return RawAnswer("ok", len(mine), first.code, first.fields, first.body, first.remark)
