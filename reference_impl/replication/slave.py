"""The slave's side: keeps one connection to the master, takes its log over byte by byte, and reports how far it got.

Only whole records are taken; the beginning of one that is cut by a frame waits in memory, and is fetched again after
a new connection, so the log never ends inside a record. A report counts that beginning too, or a long record would
never be sent to its end; it acknowledges no record that is not in the log. A frame that does not begin where the log
ends, or a record that is none, closes the connection: the log stays a prefix of the master's. Clauses: rep-prefix,
rep-offset-same, rep-resume. Source: RocketMQ HAService.HAClient.
"""

from __future__ import annotations

from typing import Final, Protocol

from msgspec import Struct, field

from reference_impl.effects import Effect, StreamClose, StreamOpen, StreamSend
from reference_impl.errors import StoreError, WireError
from reference_impl.replication.wire import HaFrame, HaFrameReader, encode_report
from reference_impl.settings import BrokerSettings
from reference_impl.store import Scanned

CONNECT_TIMEOUT_MS: Final = 3000
"""How long a connection may take to open [RemotingUtil.connect]."""


class Log(Protocol):
    """What the slave writes: the store."""

    @property
    def appended_position(self) -> int:
        """End of the log."""

    def begin_at(self, position: int) -> None:
        """Let an empty log begin at ``position``."""

    def take_over(self, data: bytes | bytearray) -> list[Scanned]:
        """Append the whole records that ``data`` begins with. RecordError, StoreError, OSError."""


class _Link(Struct):
    """One connection to the master."""

    number: int
    address: str
    opened_ms: int
    heard_ms: int = 0
    said_ms: int = 0
    reported: int = 0
    connected: bool = False
    frames: HaFrameReader = field(default_factory=HaFrameReader)
    tail: bytearray = field(default_factory=bytearray)
    """The beginning of a record that is not whole yet."""


class Slave:
    """One slave's copy of its master's log."""

    def __init__(self, log: Log, settings: BrokerSettings) -> None:
        self._log = log
        self._heartbeat_ms = settings.haSendHeartbeatInterval
        self._silence_ms = settings.haHousekeepingInterval
        self._reconnect_ms = settings.ha_reconnect_ms
        self._address = settings.haMasterAddress
        self._count = 0
        self._link: _Link | None = None
        self._try_ms = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the master."""
        return self._link is not None and self._link.connected

    def follow(self, now_ms: int, address: str) -> list[Effect]:
        """The master's HA address, as far as is known; a new one ends the connection to the old."""
        self._address = address
        link = self._link
        if link is not None and link.address != address:
            self._link = None
            return [StreamClose(link.number, f"the master is at {address} now"), *self._open(now_ms)]
        return self.tick(now_ms)

    def stream(self, now_ms: int, number: int, data: bytes | None) -> tuple[list[Effect], list[Scanned]]:
        """The connection opened (b""), brought bytes, or ended (None); what is to be done, and the records taken."""
        link = self._link
        if link is None or link.number != number:
            return [], []
        if data is None:
            self._forget(link, now_ms)
            return self.tick(now_ms), []
        link.heard_ms = now_ms
        if not link.connected:
            link.connected = True
            return self._report(link, now_ms), []
        records: list[Scanned] = []
        try:
            for frame in link.frames.feed(data):
                self._take(link, frame, records)
        except (WireError, StoreError, OSError) as error:
            self._forget(link, now_ms)
            return [StreamClose(number, f"the master's log is not taken over: {error}")], records
        grown = self._log.appended_position + len(link.tail) > link.reported
        return self._report(link, now_ms) if grown else [], records

    def tick(self, now_ms: int) -> list[Effect]:
        """Connect where there is no connection; report where it has been quiet; close where nothing was heard."""
        link = self._link
        if link is None:
            return self._open(now_ms) if self._address and now_ms >= self._try_ms else []
        if not link.connected:
            return []
        if now_ms >= link.heard_ms + self._silence_ms:
            self._forget(link, now_ms)
            return [StreamClose(link.number, f"the master said nothing for {now_ms - link.heard_ms} ms")]
        if now_ms >= link.said_ms + self._heartbeat_ms:
            return self._report(link, now_ms)
        return []

    def clock_moved(self, by_ms: int) -> None:
        """The clock was moved on purpose: the master is not more silent for that."""
        self._try_ms += by_ms
        if self._link is not None:
            self._link.opened_ms += by_ms
            self._link.heard_ms += by_ms
            self._link.said_ms += by_ms

    def next_deadline_ms(self) -> int | None:
        """When ``tick`` has something to do."""
        link = self._link
        if link is None:
            return self._try_ms if self._address else None
        if not link.connected:
            return None
        return min(link.heard_ms + self._silence_ms, link.said_ms + self._heartbeat_ms)

    def _open(self, now_ms: int) -> list[Effect]:
        self._count += 1
        self._link = _Link(-self._count, self._address, now_ms)
        return [StreamOpen(self._link.number, self._address, CONNECT_TIMEOUT_MS)]

    def _forget(self, link: _Link, now_ms: int) -> None:
        """A lost connection is made anew at once, unless it was tried just now."""
        self._link = None
        self._try_ms = max(now_ms, link.opened_ms + self._reconnect_ms)

    def _report(self, link: _Link, now_ms: int) -> list[Effect]:
        link.reported = self._log.appended_position + len(link.tail)
        link.said_ms = now_ms
        return [StreamSend(link.number, encode_report(link.reported))]

    def _take(self, link: _Link, frame: HaFrame, records: list[Scanned]) -> None:
        """Take a frame in; ``records`` gets what it made whole. WireError, StoreError, OSError."""
        expected = self._log.appended_position + len(link.tail)
        if expected == 0 and frame.body:
            self._log.begin_at(frame.position)
        elif frame.position != expected and expected != 0:
            raise WireError(f"the master sends from {frame.position}, this log ends at {expected}")
        link.tail += frame.body
        while taken := self._log.take_over(link.tail):
            del link.tail[: sum(record.size for record in taken)]
            records += taken
