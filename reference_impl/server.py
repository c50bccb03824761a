"""The asyncio shell: carries bytes and time into a core and its effects out; decides nothing.

Holds connections and timers; no request code, no response code. It uses only what an asyncio loop gives
(``create_server``, ``create_connection``, ``call_later``, ``run_in_executor``), so that it also runs in a
simulated loop, whose hosts are names. Clock and executor are passed in; signals and files are ``__main__``'s.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final, Protocol

from reference_impl.calls import Calls
from reference_impl.connection import Connection, Listener
from reference_impl.effects import Call, Close, Effect, NeedFlush, Push, Reply, Report
from reference_impl.errors import FrameError
from reference_impl.frame import Command, encode
from reference_impl.streams import Streams
from reference_impl.syncing import Syncable, Syncs

TIMER_MS_MAX: Final = 1000
"""Longest sleep of the core's timer, so that a jump of the wall clock is noticed; ours."""
STOP_WAIT_MS: Final = 2000
"""How long a stop waits for calls that the core made while stopping; ours."""


class Core(Protocol):
    """What the shell serves; times are ms of the wall clock, ``conn`` is the shell's number of a connection."""

    def start(self, now_ms: int) -> list[Effect]:
        """Begin, before any request."""

    def arrived(self, now_ms: int, count: int) -> None:
        """Know that so many requests follow, whose bytes have been at hand since ``now_ms``."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Serve a request, or a client's answer to a pushed one."""

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Know that a connection ended."""

    def tick(self, now_ms: int) -> list[Effect]:
        """Do what is due."""

    def next_deadline_ms(self) -> int | None:
        """Say when ``tick`` has something to do."""

    def response(self, now_ms: int, token: str, command: Command | None) -> list[Effect]:
        """Take the answer to a Call, or None when there is none."""

    def flushed(self, now_ms: int, position: int) -> list[Effect]:
        """Know that everything before ``position`` is on the disk."""

    def stream(self, now_ms: int, stream: int, data: bytes | None) -> list[Effect]:
        """Take what came on a connection of plain bytes: b"" when it opened, None when it ended."""

    def stop(self, now_ms: int) -> list[Effect]:
        """End: save what is to be saved, say goodbye."""


class Server:
    """Serves one core on any number of ports, from ``start`` to ``stop``, inside a running loop."""

    def __init__(
        self,
        core: Core,
        *,
        clock_ms: Callable[[], int],
        idle_close_ms: int,
        store: Syncable | None = None,
        flush_interval_ms: int = 500,
        executor: Executor | None = None,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.core = core
        """What it serves; may be exchanged for another wrapper around the same one."""
        self._clock_ms = clock_ms
        self._idle_s = idle_close_ms / 1000
        self._log = log
        self._connections: dict[int, Connection] = {}
        self._opened_count = 0
        self._listening: list[asyncio.AbstractServer] = []
        self.addresses: list[tuple[str, int]] = []
        self._calls = Calls(self.loop, self._answered, log)
        self._streams = Streams(self.loop, self._streamed, log)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms: int | None = None
        self._syncs: Syncs | None = None
        if store is not None:
            self._syncs = Syncs(
                self.loop, store, interval_ms=flush_interval_ms, executor=executor, synced=self._synced, log=log
            )
        self._sync_wanted = False
        self._unflushed: dict[int, Connection] = {}
        self._draining = False
        self._stopping = False
        self._idle_timers: dict[int, asyncio.TimerHandle] = {}
        self._round_ms: int | None = None

    async def start(self, listeners: Sequence[Listener]) -> None:
        """Listen and begin; OSError when an address is not to be had."""
        for listener in listeners:
            listening = await self._listen(listener)
            self._listening.append(listening)
            self.addresses.append((listener.host, listener.port_of(listening)))
        self.carry(self.core.start(self._clock_ms()))
        if self._syncs is not None:
            self._syncs.start()

    async def _listen(self, listener: Listener) -> asyncio.AbstractServer:
        def make() -> Connection:
            self._opened_count += 1
            return Connection(self, self._opened_count, listener.refuse)

        return await listener.listen(self.loop, self._streams.accept if listener.stream else make)

    async def settled(self, timeout_ms: int) -> bool:
        """Wait until every call that was made is answered or has failed; whether that came in time."""
        return await self._calls.settled(timeout_ms)

    async def stop(self) -> None:
        """Stop listening, let the core end, sync what was appended, close every connection. May be called once."""
        for listening in self._listening:
            listening.close()
        # What were served from here on would not be saved any more, so it is not served.
        self._draining = True
        self.carry(self.core.stop(self._clock_ms()))
        await self._calls.settled(STOP_WAIT_MS)
        self._stopping = True
        for handle in (self._timer, *self._idle_timers.values()):
            if handle is not None:
                handle.cancel()
        if self._syncs is not None:
            await self._syncs.stop()
        self._calls.close()
        self._streams.close()
        for connection in list(self._connections.values()):
            connection.close()
        self._connections.clear()
        await asyncio.sleep(0)  # so that transports close their sockets before the loop is closed

    # What connections report.

    def opened(self, connection: Connection) -> None:
        """Watch a new connection."""
        connection.active_at = self.loop.time()
        self._connections[connection.number] = connection
        self._watch_idle(connection)

    def received(self, connection: Connection, commands: Sequence[Command]) -> None:
        """Hand commands that came together to the core, unless their port refuses them; the answers leave together."""
        if self._round_ms is None:
            # One look at the sockets found the bytes of all that are served before the loop looks again.
            self._round_ms = self._clock_ms()
            self.loop.call_soon(self._end_round)
        self.core.arrived(self._round_ms, len(commands))
        for command in commands:
            now_ms = self._clock_ms()
            if self._draining:
                break
            if connection.refuse is not None and (answer := connection.refuse(command)) is not None:
                self._carry_one(Reply(connection.number, answer))
                continue
            try:
                effects = self.core.request(now_ms, connection.number, connection.peer, command)
            except Exception:  # the loop must live on; what was asked is in the log
                self._log(
                    f"ERROR request {command.code} from {connection.peer} broke the core:\n{traceback.format_exc()}"
                )
                connection.close()
                continue
            for effect in effects:
                self._carry_one(effect)
        self._end_turn()

    def _end_round(self) -> None:
        self._round_ms = None

    def lost(self, connection: Connection) -> None:
        """Tell the core that a connection ended."""
        self._connections.pop(connection.number, None)
        timer = self._idle_timers.pop(connection.number, None)
        if timer is not None:
            timer.cancel()
        if not self._stopping:
            self.carry(self.core.closed(self._clock_ms(), connection.number))

    def _watch_idle(self, connection: Connection) -> None:
        left = connection.active_at + self._idle_s - self.loop.time()
        if left > 0:
            self._idle_timers[connection.number] = self.loop.call_later(left, self._watch_idle, connection)
        else:
            connection.close()

    def _answered(self, token: str, command: Command | None) -> None:
        if not self._stopping:
            self.carry(self.core.response(self._clock_ms(), token, command))

    def _synced(self, position: int) -> None:
        self.carry(self.core.flushed(self._clock_ms(), position))

    def _streamed(self, stream: int, data: bytes | None) -> None:
        if not self._stopping:
            self.carry(self.core.stream(self._clock_ms(), stream, data))

    def clock_moved(self) -> None:
        """The wall clock jumped: do what is due by it."""
        self._round_ms = None
        if self._timer is not None:
            self._timer.cancel()
        self._tick()

    # Effects and timers.

    def carry(self, effects: Sequence[Effect]) -> None:
        """Carry effects out in order; for those of a core's method that is not in ``Core``."""
        for effect in effects:
            self._carry_one(effect)
        self._end_turn()

    def _carry_one(self, effect: Effect) -> None:
        if isinstance(effect, (Reply, Push)):
            connection = self._connections.get(effect.conn)
            if connection is not None:
                self._send(connection, effect.command)
        elif isinstance(effect, NeedFlush):
            self._sync_wanted = self._sync_wanted or effect.urgent
        elif isinstance(effect, Call):
            self._calls.call(effect)
        elif isinstance(effect, Close):
            connection = self._connections.get(effect.conn)
            if connection is not None:
                connection.close()
        elif isinstance(effect, Report):
            self._log(f"ERROR {effect.line}")
        else:
            self._streams.carry(effect)

    def _send(self, connection: Connection, command: Command) -> None:
        try:
            connection.send(encode(command))
        except FrameError as error:
            self._log(f"an answer to {connection.peer} is dropped: {error}")
        self._unflushed[connection.number] = connection

    def _end_turn(self) -> None:
        """What can be done once for everything that came together: write, sync, set the timer."""
        for connection in self._unflushed.values():
            connection.flush()
        self._unflushed.clear()
        if self._sync_wanted and self._syncs is not None:
            self._syncs.want()
        self._sync_wanted = False
        self._arm()

    def _arm(self) -> None:
        """Set the timer; one that fires too early does no harm, one too late would."""
        deadline = None if self._stopping else self.core.next_deadline_ms()
        if deadline is None or (self._timer_ms is not None and self._timer_ms <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        now_ms = self._clock_ms()
        sleep_ms = min(max(deadline - now_ms, 0), TIMER_MS_MAX)
        self._timer_ms = now_ms + sleep_ms
        self._timer = self.loop.call_later(sleep_ms / 1000, self._tick)

    def _tick(self) -> None:
        self._timer = self._timer_ms = None
        if not self._stopping:
            self.carry(self.core.tick(self._clock_ms()))
