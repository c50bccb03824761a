"""The master's side: sends the log to every slave that connects, and knows how far it was taken.

A report counts as an acknowledgement only where it lies between what its connection began with and what was sent on
it since. So a stranger's bytes acknowledge nothing, which they do in RocketMQ (apache/rocketmq#3015); the price is
that a slave which comes back acknowledges what it had taken before only with the next record. At most
``WINDOW_BYTES`` are on their way to one slave. Clauses: rep-sync-ack, rep-slave-missing, rep-resume. Source: RocketMQ
HAService, HAConnection.
"""

from __future__ import annotations

from typing import Final, Protocol

from msgspec import Struct, field

from reference_impl.effects import Effect, StreamClose, StreamSend
from reference_impl.replication.wire import HaFrame, ReportReader, encode_frame
from reference_impl.settings import BrokerSettings

WINDOW_BYTES: Final = 4 << 20
"""Bytes sent to a slave and not acknowledged; ours: RocketMQ sends what the socket takes."""
SLAVES_MAX: Final = 64
"""HA connections at once; ours. Further ones are closed."""


class Log(Protocol):
    """What the master reads: the store."""

    @property
    def appended_position(self) -> int:
        """End of the log."""

    @property
    def last_file_position(self) -> int:
        """Where the last file of the log begins."""

    def read_log(self, position: int, size: int) -> bytes:
        """Up to ``size`` bytes from one file; nothing where the log has no such position."""


class _Peer(Struct):
    """One HA connection that was accepted."""

    heard_ms: int
    said_ms: int
    begun: bool = False
    """It has reported, so it is told the log."""
    sent: int = 0
    """End of what was sent."""
    taken: int = 0
    """End of what it has: what it began with, later what it acknowledged."""
    reports: ReportReader = field(default_factory=ReportReader)


class Master:
    """All slaves of one master. ``acked_position`` never falls."""

    def __init__(self, log: Log, settings: BrokerSettings) -> None:
        self._log = log
        self._batch_bytes = settings.haTransferBatchSize
        self._heartbeat_ms = settings.haSendHeartbeatInterval
        self._silence_ms = settings.haHousekeepingInterval
        self._behind_max = settings.haSlaveFallbehindMax
        self._peers: dict[int, _Peer] = {}
        self.acked_position = 0
        """Everything before this is on a slave. RocketMQ: push2SlaveMaxOffset."""

    @property
    def slaves(self) -> list[tuple[int, int]]:
        """Of every slave: its connection and the end of what it has."""
        return [(number, peer.taken) for number, peer in self._peers.items() if peer.begun]

    def usable(self, position: int) -> bool:
        """Whether some slave is near enough to be waited for until it has ``position``."""
        return any(position - taken < self._behind_max for _, taken in self.slaves)

    def stream(self, now_ms: int, number: int, data: bytes | None) -> list[Effect]:
        """A connection opened (b""), brought bytes, or ended (None)."""
        if data is None:
            self._peers.pop(number, None)
            return []
        if not data:
            if len(self._peers) >= SLAVES_MAX:
                return [StreamClose(number, f"{SLAVES_MAX} HA connections are open; no more are served")]
            self._peers[number] = _Peer(now_ms, now_ms)
            return []
        peer = self._peers.get(number)
        if peer is None:
            return []
        peer.heard_ms = now_ms
        for position in peer.reports.feed(data):
            complaint = self._reported(peer, position)
            if complaint:
                del self._peers[number]
                return [StreamClose(number, complaint)]
        return self._fill(now_ms, number, peer)

    def appended(self, now_ms: int) -> list[Effect]:
        """The log may have grown: send what there is."""
        effects: list[Effect] = []
        for number, peer in list(self._peers.items()):
            effects += self._fill(now_ms, number, peer)
        return effects

    def tick(self, now_ms: int) -> list[Effect]:
        """Say something where it has been quiet; close where nothing was heard."""
        effects: list[Effect] = []
        for number, peer in list(self._peers.items()):
            if now_ms >= peer.heard_ms + self._silence_ms:
                del self._peers[number]
                effects.append(StreamClose(number, f"a slave said nothing for {now_ms - peer.heard_ms} ms"))
            elif peer.begun and now_ms >= peer.said_ms + self._heartbeat_ms:
                peer.said_ms = now_ms
                effects.append(StreamSend(number, encode_frame(HaFrame(peer.sent, b""))))
        return effects

    def clock_moved(self, by_ms: int) -> None:
        """The clock was moved on purpose: no slave is more silent for that."""
        for peer in self._peers.values():
            peer.heard_ms += by_ms
            peer.said_ms += by_ms

    def next_deadline_ms(self) -> int | None:
        """When ``tick`` has something to do."""
        times = [peer.heard_ms + self._silence_ms for peer in self._peers.values()]
        times += [peer.said_ms + self._heartbeat_ms for peer in self._peers.values() if peer.begun]
        return min(times, default=None)

    def _reported(self, peer: _Peer, position: int) -> str:
        """Take a report; why the connection is to be closed, or nothing."""
        if not peer.begun:
            if not 0 <= position <= self._log.appended_position:
                return (
                    f"a slave is at {position}, the log ends at {self._log.appended_position}: it follows another log"
                )
            # A new slave gets no history, as in RocketMQ.
            peer.sent = peer.taken = position or self._log.last_file_position
            peer.begun = True
            return ""
        if position > peer.sent:
            return f"a slave reports {position}, it was sent no more than {peer.sent}"
        if position > peer.taken:
            peer.taken = position
            self.acked_position = max(self.acked_position, position)
        return ""

    def _fill(self, now_ms: int, number: int, peer: _Peer) -> list[Effect]:
        effects: list[Effect] = []
        end = self._log.appended_position
        while peer.begun and peer.sent < end and peer.sent - peer.taken < WINDOW_BYTES:
            body = self._log.read_log(peer.sent, self._batch_bytes)
            if not body:
                del self._peers[number]
                return [
                    *effects,
                    StreamClose(number, f"a slave needs the log from {peer.sent}, which is no longer there"),
                ]
            effects.append(StreamSend(number, encode_frame(HaFrame(peer.sent, body))))
            peer.sent += len(body)
            peer.said_ms = now_ms
        return effects
