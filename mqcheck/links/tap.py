"""What a frame proxy sees of brokers registering, written into the history: ``registrations`` and ``connections``.

Passive: nothing here changes a frame or its timing. A registration's span begins when its frame leaves for the
NameServer and ends when the answer has been read, so the moment the NameServer acted lies inside. A connection gets a
row with its first registration; those of clients are recorded by the clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from mqcheck.history.recorder import Recorder
    from mqcheck.links.frame_proxy import ConnectionWatcher
    from mqcheck.rocketmq.frame import Command

REGISTER_BROKER: Final = 103
UNREGISTER_BROKER: Final = 104
WIPE_WRITE_PERM_OF_BROKER: Final = 205
QUERY_DATA_VERSION: Final = 322

KINDS: Final = {
    REGISTER_BROKER: "register",
    UNREGISTER_BROKER: "unregister",
    WIPE_WRITE_PERM_OF_BROKER: "wipe",
    QUERY_DATA_VERSION: "version-query",
}
"""Request codes that are recorded, and the `kind` of their rows."""

OPEN_REGISTRATIONS_MAX: Final = 1024
"""Unanswered registrations remembered per connection (ours); older ones stay open in the history: unknown."""


class RegistrationWatcher:
    """Tells the network of a connection's registrations, and hands all that passes on to a tap's connection."""

    def __init__(self, on_register: Callable[[Command], None], tap: ConnectionWatcher | None) -> None:
        self._on_register = on_register
        self._tap = tap

    def request(self, command: Command) -> None:
        """A request is about to be handed to the NameServer."""
        if command.code == REGISTER_BROKER:
            self._on_register(command)
        if self._tap is not None:
            self._tap.request(command)

    def answer(self, command: Command) -> None:
        """A response of the NameServer has been read."""
        if self._tap is not None:
            self._tap.answer(command)

    def closed(self, by: str) -> None:
        """The connection has ended."""
        if self._tap is not None:
            self._tap.closed(by)


class RegistrationTap:
    """Records what one peer registers at one NameServer; one tap per link, one event loop only."""

    def __init__(self, recorder: Recorder, link: str, node: str, nameserver: str) -> None:
        self._recorder = recorder
        self._link = link
        self._node = node
        self._nameserver = nameserver

    def connected(self) -> ConnectionTap:
        """A connection through the link has reached the NameServer."""
        return ConnectionTap(self._recorder, self._link, self._node, self._nameserver)


class ConnectionTap:
    """One connection of a link. Called by the frame proxy, in the order things happen."""

    def __init__(self, recorder: Recorder, link: str, node: str, nameserver: str) -> None:
        self._recorder = recorder
        self._link = link
        self._node = node
        self._nameserver = nameserver
        self._opened = recorder.clock.monotonic_ns()
        self._conn: int | None = None
        self._open: dict[int, int] = {}

    def request(self, command: Command) -> None:
        """A request is about to be handed to the NameServer."""
        kind = KINDS.get(command.code)
        if kind is None or self._recorder.closed:
            return
        if self._conn is None:
            self._conn = self._recorder.new_id()
            self._recorder.begin(
                "connections",
                op=self._conn,
                conn=self._conn,
                link=self._link,
                node=self._nameserver,
                opened=self._opened,
            )
        broker_id = command.fields.get("brokerId", "")
        op = self._recorder.begin(
            "registrations",
            kind=kind,
            nameserver=self._nameserver,
            node=self._node,
            broker=command.fields.get("brokerName"),
            broker_id=int(broker_id) if broker_id.isascii() and broker_id.isdigit() else None,
        )
        if not command.is_oneway:
            self._open[command.opaque] = op
            if len(self._open) > OPEN_REGISTRATIONS_MAX:
                del self._open[next(iter(self._open))]

    def answer(self, command: Command) -> None:
        """A response of the NameServer has been read; addresses are recorded as the NameServer wrote them."""
        op = self._open.pop(command.opaque, None)
        if op is None or self._recorder.closed:
            return
        self._recorder.end(
            "registrations",
            op,
            outcome="ok" if command.code == 0 else "error",
            code=command.code,
            master_address=command.fields.get("masterAddr"),
            ha_address=command.fields.get("haServerAddr"),
        )

    def closed(self, by: str) -> None:
        """The connection has ended; `by`: ``peer`` (the broker), ``server`` (the NameServer), ``us`` or ``error``."""
        if self._conn is None or self._recorder.closed:
            return
        self._recorder.end("connections", self._conn, closed=self._recorder.clock.monotonic_ns(), closed_by=by)
        self._conn = None
