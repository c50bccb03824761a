"""NameServerCore: requests, closed connections and time go in, effects come out.

Dispatch and the scan for silent brokers only. No sockets, no clock. A code it does not know is never answered, as in
4.9.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reference_impl.commands import ResponseCode
from reference_impl.effects import Close, Effect, Reply
from reference_impl.errors import WireError
from reference_impl.nameserver import configuration, routes
from reference_impl.nameserver.state import Handler, NameServerState
from reference_impl.unexpected import failed

if TYPE_CHECKING:
    from reference_impl.disk import Disk
    from reference_impl.frame import Command
    from reference_impl.settings import NameServerSettings

HANDLERS: Final[dict[int, Handler]] = {**routes.HANDLERS, **configuration.HANDLERS}
"""What this NameServer serves."""


class NameServerCore:
    """The whole of one NameServer; the shell calls it, one call at a time.

    ``disk`` is the folder of ``kvConfigPath``. Raises StoreDamagedError when the saved configuration cannot be read.
    """

    def __init__(self, settings: NameServerSettings, disk: Disk | None = None) -> None:
        self.state = NameServerState(settings, disk)
        self._scan_at_ms: int | None = None
        configuration.load_values(self.state)

    def start(self, now_ms: int) -> list[Effect]:
        """Begin: the first scan comes after half a period, the later ones after whole ones."""
        self._scan_at_ms = now_ms + self.state.settings.broker_scan_ms // 2
        return []

    def arrived(self, now_ms: int, count: int) -> None:
        """So many requests follow; none is ever too late."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Serve one request; an unknown code is met with silence."""
        del peer
        self.state.now_ms = now_ms
        handler = HANDLERS.get(command.code)
        if handler is None or command.is_response:
            return []
        effects: list[Effect] = []
        try:
            answer = handler(self.state, conn, command)
        except WireError as error:
            answer = command.reply(ResponseCode.SYSTEM_ERROR, remark=str(error))
        except OSError as error:
            answer = command.reply(ResponseCode.SYSTEM_ERROR, remark=f"{type(error).__name__}: {error}")
        except Exception as error:  # answered as RocketMQ answers a processor that throws, and reported
            answer, report = failed(command, error)
            effects.append(report)
        return effects if command.is_oneway else [*effects, Reply(conn, answer)]

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """A connection has ended."""
        self.state.now_ms = now_ms
        self.state.table.connection_ended(conn)
        return []

    def tick(self, now_ms: int) -> list[Effect]:
        """Do what is due: the scan for silent brokers, which also closes their connections."""
        self.state.now_ms = now_ms
        if self._scan_at_ms is None or now_ms < self._scan_at_ms:
            return []
        settings = self.state.settings
        self._scan_at_ms += settings.broker_scan_ms * ((now_ms - self._scan_at_ms) // settings.broker_scan_ms + 1)
        return [Close(conn) for conn in self.state.table.expire(now_ms, settings.broker_expiry_ms)]

    def next_deadline_ms(self) -> int | None:
        """When ``tick`` has something to do."""
        return self._scan_at_ms

    def response(self, now_ms: int, token: str, command: Command | None) -> list[Effect]:
        """A NameServer calls nobody, so nothing is ever answered to it."""
        del now_ms, token, command
        return []

    def flushed(self, now_ms: int, position: int) -> list[Effect]:
        """What a NameServer keeps it syncs at once."""
        del now_ms, position
        return []

    def stream(self, now_ms: int, stream: int, data: bytes | None) -> list[Effect]:
        """A NameServer has no connections of plain bytes."""
        del now_ms, stream, data
        return []

    def stop(self, now_ms: int) -> list[Effect]:
        """End; nothing is to be saved."""
        del now_ms
        return []

    def clock_moved(self, by_ms: int, *, expire: bool) -> None:
        """The clock was moved on purpose; unless ``expire``, brokers are no more silent for that."""
        if not expire:
            self.state.table.clock_moved(by_ms)
        if self._scan_at_ms is not None and by_ms < 0:
            self._scan_at_ms += by_ms

    def empty(self) -> None:
        """Forget what users put in; brokers tell their topics again by themselves."""
        self.state.values.clear()
        configuration.save_values(self.state)
        self.state.table.forget_topics()
