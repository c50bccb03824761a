"""A link of the simulation: a host of its own between one peer and one server, and what its bytes suffer there.

The simulated counterpart of a Toxiproxy proxy with a frame proxy behind it: same verbs, same directions, same order
(peer → what hurts → tap → server). It stands in the loop's own network, so what it does not touch behaves as any
simulated connection. Which links there are, and what rewrites what, is `sim_network`'s business.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, cast

from mqcheck.links.base import Counters, Direction
from mqcheck.rocketmq.connection import split_address

Way = Literal["up", "down"]

CONNECT_SECONDS_MAX: Final = 10.0
"""Limit for reaching the server behind a link (ours)."""

HELD_BYTES_MAX: Final = 1 << 30
"""Bytes that one direction of one connection may hold (ours); with more the connection is reset."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one verb does to every connection of a link."""

    verb: str
    """The verb's name in `NetworkLike`."""
    direction: Direction = "both"
    amount: int = 0
    """Its main number: ms, kB/s or bytes."""
    spread: int = 0
    """Jitter in ms, or variation in bytes."""
    pause_us: int = 0
    """Between two slices."""


class Editor(Protocol):
    """Sees and changes what passes one connection; links whose frames are seen have one."""

    def upwards(self, data: bytes) -> bytes:
        """Bytes about to be handed to the server."""
        ...

    def downwards(self, data: bytes) -> bytes:
        """Bytes the server has sent; what is not a whole frame yet is kept back."""
        ...

    def closed(self, by: str) -> None:
        """The connection has ended, by ``peer`` or ``server``."""
        ...


@dataclass(slots=True)
class _Passed:
    """What one direction of a link has taken and handed on, in bytes."""

    received: int = 0
    sent: int = 0


class Relay:
    """Listens on a simulated host of its own for one peer and leads to one server."""

    def __init__(
        self,
        loop: Any,
        rng: random.Random,
        name: str,
        upstream: Callable[[int], str],
        port_distances: tuple[int, ...],
        editor: Callable[[Wire], Editor] | None,
    ) -> None:
        """`upstream` tells the server's address for a port distance; `loop` is a simulated one."""
        self.name = name
        self.loop = loop
        self.rng = rng
        self.upstream = upstream
        self.editor = editor
        self.host_name = name.replace("->", "~")
        self.host = loop.net.host(self.host_name)
        self.up = _Passed()
        self.down = _Passed()
        self.accepted = 0
        self.connections: set[Wire] = set()
        self.troubles: dict[str, Trouble] = {}
        self._distances = port_distances
        self._listeners: list[asyncio.AbstractServer] = []
        self._listening: asyncio.Task[None] | None = None
        self.open()

    def address(self, distance: int = 0) -> str:
        """Where the peer finds the server's port at this distance from its main one."""
        _, port = split_address(self.upstream(distance))
        return f"{self.loop.net.address(self.host_name)}:{port}"

    @property
    def counters(self) -> Counters:
        """What has passed so far."""
        return Counters(
            self.up.received,
            self.up.sent,
            self.down.received,
            self.down.sent,
            len(self.connections),
            self.accepted,
            sum(wire.ended_by is not None for wire in self.connections),
        )

    def open(self) -> None:
        """Listen, from the next step of the loop on; before any packet that is sent now can arrive."""
        self._listening = self.host.create_task(self._listen())

    async def _listen(self) -> None:
        for distance in self._distances:
            _, port = split_address(self.address(distance))

            def accept(distance: int = distance) -> asyncio.Protocol:
                return _PeerSide(Wire(self, distance))

            self._listeners.append(await self.loop.create_server(accept, port=port))

    def refuse(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def disturb(self, trouble: Trouble) -> None:
        """Begin to suffer; the same verb again replaces its earlier numbers."""
        self.troubles[trouble.verb] = trouble
        if trouble.verb == "down":
            self.refuse()
            self.abort()
        for wire in list(self.connections):
            wire.disturbed()

    def heal(self, only: str | None = None) -> None:
        """Suffer no more (with `only`: no more of that verb); what was held goes on."""
        healed = [verb for verb in self.troubles if only in (None, verb)]
        for verb in healed:
            del self.troubles[verb]
        if "down" in healed:
            self.open()
        for wire in list(self.connections):
            wire.healed()

    def trouble(self, verb: str, way: Way) -> Trouble | None:
        """What this direction suffers of a verb."""
        trouble = self.troubles.get(verb)
        return trouble if trouble is not None and trouble.direction in ("both", way) else None

    def abort(self) -> None:
        """Reset every connection, both sides."""
        for wire in list(self.connections):
            wire.abort()

    def close(self) -> None:
        """No listener, no connection left."""
        self.refuse()
        self.abort()


class Wire:
    """One connection of the peer and the one to the server that belongs to it."""

    def __init__(self, relay: Relay, distance: int) -> None:
        self.relay = relay
        self.distance = distance
        self.peer: asyncio.Transport | None = None
        self.server: asyncio.Transport | None = None
        self.up = Pipe(self, "up")
        self.down = Pipe(self, "down")
        self.editor = relay.editor(self) if relay.editor is not None else None
        self.ended_by: str | None = None
        """The side that closed first."""
        self._open = {"peer"}
        self._aborted = False

    def accepted(self, transport: asyncio.Transport) -> None:
        """The peer has connected: connect to the server."""
        relay = self.relay
        self.peer = self.down.sink = transport
        relay.accepted += 1
        relay.connections.add(self)
        self._open.add("server")  # until it is known to be closed, refused or too late
        relay.host.create_task(self._connect())

    async def _connect(self) -> None:
        host, port = split_address(self.relay.upstream(self.distance))
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await self.relay.loop.create_connection(lambda: _ServerSide(self), host, port)
        except (OSError, TimeoutError):
            self.lost("server")

    def connected(self, transport: asyncio.Transport) -> None:
        """The server is there."""
        self.server = self.up.sink = transport
        if self._aborted:
            transport.abort()
        else:
            self.up.pump()

    def lost(self, by: Literal["peer", "server"]) -> None:
        """One side has closed: the other is closed after what is on its way to it."""
        self.ended_by = self.ended_by or by
        self._open.discard(by)
        if self._open:
            (self.up if by == "peer" else self.down).end()
            return
        self.up.lose()
        self.down.lose()
        if self in self.relay.connections:
            self.relay.connections.discard(self)
            if self.editor is not None:
                self.editor.closed(self.ended_by)

    def abort(self) -> None:
        """Reset both sides; what is on its way is lost."""
        self._aborted = True
        for pipe in (self.up, self.down):
            pipe.lose()
        for transport in (self.peer, self.server):
            if transport is not None:
                transport.abort()

    def hand_up(self, frame: bytes) -> None:
        """Send the server what the editor had kept back."""
        if self.server is not None and not self.server.is_closing():
            self.server.write(frame)

    def hand_down(self, frame: bytes) -> None:
        """Send the peer what the editor had kept back, through what hurts."""
        if self in self.relay.connections:
            self.down.take(frame)

    def disturbed(self) -> None:
        """A verb begins."""
        for pipe in (self.up, self.down):
            pipe.counted = 0
            pipe.reschedule()

    def healed(self) -> None:
        """A verb has ended; a stream with a hole is closed."""
        if self.up.holed or self.down.holed:
            self.abort()
        else:
            self.up.reschedule()
            self.down.reschedule()


@dataclass(frozen=True, slots=True)
class _Piece:
    due: float
    data: bytes | None
    """None: the end of the stream."""


@dataclass(slots=True, eq=False)
class Pipe:
    """One direction of one connection: what came in, when it may go out."""

    wire: Wire
    way: Way
    sink: asyncio.Transport | None = None
    holed: bool = False
    """Bytes were lost that were not the last: the stream cannot go on."""
    counted: int = 0
    """Bytes since the last verb began, for `limit_data`."""
    _pieces: deque[_Piece] = field(default_factory=deque)
    _held: int = 0
    _timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> bool:
        """Whether anything has not gone out yet."""
        return bool(self._pieces)

    @property
    def _passed(self) -> _Passed:
        return self.wire.relay.up if self.way == "up" else self.wire.relay.down

    def feed(self, data: bytes) -> None:
        """Bytes have come in."""
        if self.way == "down" and self.wire.editor is not None:
            data = self.wire.editor.downwards(data)
        if data:
            self.take(data)

    def take(self, data: bytes) -> None:
        """Let bytes suffer what there is to suffer, and go out."""
        self._passed.received += len(data)
        if self._lost(data):
            return
        limit = self._trouble("limit_data")
        cut = False
        if limit is not None:
            left = limit.amount - self.counted
            cut, data = len(data) >= left, data[:left]
            self.counted += len(data)
        for pause_s, piece in self._slices(data):
            self._put(piece, pause_s)
        if cut:
            self._put(None)
        self.pump()

    def _lost(self, data: bytes) -> bool:
        """Whether these bytes never arrive; what follows from it is arranged."""
        relay = self.wire.relay
        for verb in ("drop", "reset"):
            trouble = self._trouble(verb)
            if trouble is not None:
                if not self.holed and (verb == "reset" or trouble.amount):
                    relay.loop.call_later(trouble.amount / 1000, self.wire.abort)
                self.holed = True
                return True
        if self._held + len(data) > HELD_BYTES_MAX:
            self.wire.abort()
            return True
        return self.holed

    def _slices(self, data: bytes) -> Iterator[tuple[float, bytes]]:
        slices = self._trouble("slice_")
        if slices is None:
            yield 0.0, data
            return
        at = 0
        while at < len(data):
            size = max(1, slices.amount + self.wire.relay.rng.randint(-slices.spread, slices.spread))
            yield slices.pause_us / 1e6 if at else 0.0, data[at : at + size]
            at += size

    def _put(self, data: bytes | None, pause_s: float = 0.0) -> None:
        relay, now = self.wire.relay, self.wire.relay.loop.time()
        due = now
        latency, rate = self._trouble("latency"), self._trouble("bandwidth")
        if latency is not None and data is not None:
            due += max(0, latency.amount + relay.rng.randint(-latency.spread, latency.spread)) / 1000
        slow_close = self._trouble("slow_close")
        if slow_close is not None and data is None:
            due += slow_close.amount / 1000
        last = self._pieces[-1].due if self._pieces else now
        due = max(due, last + pause_s)
        if rate is not None and data is not None:
            due = max(due, last) + len(data) / (rate.amount * 1000)
        self._pieces.append(_Piece(due, data))
        self._held += len(data or b"")

    def _trouble(self, verb: str) -> Trouble | None:
        return self.wire.relay.trouble(verb, self.way)

    def end(self) -> None:
        """The side that feeds it has closed."""
        self._put(None)
        self.pump()

    def reschedule(self) -> None:
        """What this direction suffers has changed; pieces keep their own due times."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.pump()

    def pump(self) -> None:
        """Hand on what is due, in order; come back when the next piece is."""
        if self._timer is not None or self.sink is None or self._trouble("blackhole") is not None:
            return
        loop = self.wire.relay.loop
        while self._pieces and self._pieces[0].due <= loop.time():
            self._hand_on(self._pieces.popleft(), self.sink)
        if self._pieces:
            self._timer = loop.call_later(self._pieces[0].due - loop.time(), self._due)

    def _due(self) -> None:
        self._timer = None
        self.pump()

    def _hand_on(self, piece: _Piece, sink: asyncio.Transport) -> None:
        if piece.data is None:
            sink.close()
            if self.wire.ended_by is None:
                self.wire.abort()  # cut after so many bytes: both sides learn of it
            return
        self._held -= len(piece.data)
        if sink.is_closing():
            return
        editor = self.wire.editor
        self._passed.sent += len(piece.data)
        sink.write(editor.upwards(piece.data) if editor is not None and self.way == "up" else piece.data)

    def lose(self) -> None:
        """Forget what is on its way."""
        self._pieces.clear()
        self._held = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _PeerSide(asyncio.Protocol):
    """The connection that the peer opened."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire.accepted(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._wire.up.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.lost("peer")


class _ServerSide(asyncio.Protocol):
    """The connection to the server."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire.connected(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._wire.down.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.lost("server")
