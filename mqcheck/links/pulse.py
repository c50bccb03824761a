"""Sees Toxiproxy itself stand still, and writes it into the history: what passes is late by the kit's fault then.

Every lane carries an echo of ours. One that takes far too long is a row of ``stalls`` in each history that is being
recorded; the judge subtracts it from whatever was late meanwhile. A machine with too much to do keeps a process from
running for a second and more, each lane being one, while the rest of the kit goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mqcheck.errors import LinkError
from mqcheck.links import ports

if TYPE_CHECKING:
    from mqcheck.clock import Clock
    from mqcheck.history.recorder import Recorder
    from mqcheck.links.toxiproxy import ToxiproxyServer

PERIOD_MS: Final = 100
"""How often each lane is asked. Ours: a hundredth of a processor with ten lanes."""

LATE_MS: Final = 100
"""An echo that takes longer shows a stall. Ours: far above what a busy lane takes, a tenth of any tolerance."""

LOOP_LATE_MS: Final = 20
"""The event loop was late itself: that time is nobody's but the loop's, whose own watch records it."""

GAPS_MAX: Final = 256
"""Latest times of a late loop that are remembered."""

_MS: Final = 1_000_000

Interval = tuple[int, int]


@dataclass(slots=True)
class LateTimes:
    """What of a late echo's time is a lane's: not what the loop stood still itself, and nothing twice. Times in ns."""

    looked: int
    """When the loop was last seen to run."""
    _gaps: deque[Interval] = field(default_factory=lambda: deque(maxlen=GAPS_MAX))
    _told: int = 0
    """Up to here has been told of some lane."""

    def look(self, now: int) -> None:
        """The loop runs; it should have been here a period after the last time."""
        due = self.looked + PERIOD_MS * _MS
        if now > due + LOOP_LATE_MS * _MS:
            self._gaps.append((due, now))
        self.looked = now

    def echo(self, sent: int, now: int) -> list[Interval]:
        """An echo came back: the intervals in which its lane stood still, and no other was told to."""
        if now - sent <= LATE_MS * _MS:
            return []
        due = self.looked + PERIOD_MS * _MS
        gaps = [*self._gaps, *([(due, now)] if now > due + LOOP_LATE_MS * _MS else [])]
        left = [(max(sent, self._told), now)]
        for began, ended in gaps:
            left = [
                part
                for start, end in left
                for part in ((start, min(end, began)), (max(start, ended), end))
                if part[0] < part[1]
            ]
        if sum(ended - began for began, ended in left) <= LATE_MS * _MS:
            return []
        self._told = now
        return left


class Pulses:
    """Echoes through all lanes of a family of servers, for as long as somebody records; one event loop only."""

    def __init__(self, server: ToxiproxyServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._recorders: list[Recorder] = []
        self._task: asyncio.Task[None] | None = None
        self._echoes: dict[int, _Echo] = {}
        """Of the lanes, by number."""

    def tell(self, recorder: Recorder) -> None:
        """Stalls of lanes are written here too, until `leave`. Called by the network, once per scenario."""
        self._recorders.append(recorder)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def leave(self, recorder: Recorder) -> None:
        """No more of that; the last one to leave takes the echoes away."""
        for echo in self._echoes.values():
            echo.settle()
        if recorder in self._recorders:
            self._recorders.remove(recorder)
        if self._recorders or self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        times = LateTimes(self._clock.monotonic_ns())
        answering = await loop.create_server(_Answering, ports.HOST, 0)
        upstream = "{}:{}".format(*answering.sockets[0].getsockname())
        echoes = self._echoes = {}
        laid: list[tuple[ToxiproxyServer, str]] = []
        try:
            while True:
                for number, lane in enumerate(self._server.lanes()):
                    if number not in echoes or echoes[number].lost:
                        echo = _Echo(f"toxiproxy {number + 1}", times, self._clock, self._late)
                        with contextlib.suppress(LinkError, OSError):  # the next turn tries again
                            await self._lay(lane, number, upstream, laid, echo)
                            echoes[number] = echo
                times.look(self._clock.monotonic_ns())
                for echo in echoes.values():
                    echo.ask()
                await asyncio.sleep(PERIOD_MS / 1000)
        finally:
            for echo in echoes.values():
                echo.close()
            answering.close()
            for lane, name in laid:
                with contextlib.suppress(LinkError):  # it goes with its server
                    await asyncio.shield(asyncio.to_thread(lane.delete_proxy, name))

    async def _lay(
        self, lane: ToxiproxyServer, number: int, upstream: str, laid: list[tuple[ToxiproxyServer, str]], echo: _Echo
    ) -> None:
        name = f"pulse-{number}"
        if (lane, name) in laid:
            await asyncio.to_thread(lane.delete_proxy, name)
            laid.remove((lane, name))
        port = ports.free_port()
        await asyncio.to_thread(lane.create_proxy, name, f"{ports.HOST}:{port}", upstream)
        laid.append((lane, name))
        await asyncio.get_running_loop().create_connection(lambda: echo, ports.HOST, port)

    def _late(self, part: str, began: int, ended: int) -> None:
        for recorder in self._recorders:
            if not recorder.closed:
                recorder.point("stalls", part=part, began=began, ended=ended)


class _Answering(asyncio.Protocol):
    """The far end: sends back what it gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if isinstance(self._transport, asyncio.Transport):
            self._transport.write(data)


class _Echo(asyncio.Protocol):
    """The near end of one lane: one byte under way at a time."""

    def __init__(self, part: str, times: LateTimes, clock: Clock, late: Callable[[str, int, int], None]) -> None:
        self._part = part
        self._times = times
        self._clock = clock
        self._late = late
        self._sent: int | None = None
        self._transport: asyncio.Transport | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self.settle()
        self._sent = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.lost = True
        self.settle()

    def settle(self) -> None:
        """Tell of an echo that has been under way for too long, until now."""
        if self._sent is not None:
            for began, ended in self._times.echo(self._sent, self._clock.monotonic_ns()):
                self._late(self._part, began, ended)

    def ask(self) -> None:
        """Send a byte, unless one is still under way."""
        if self._sent is None and self._transport is not None and not self.lost:
            self._sent = self._clock.monotonic_ns()
            self._transport.write(b".")

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()
