"""Planted bugs of slaves: what one gives is not what its master has there, or not all that its master sent.

Each class says what it breaks and which guarantee must catch it. A master with one of them is as it should be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from reference_impl.effects import Effect
from reference_impl.message import Record
from reference_impl.sabotage.base import CoreSettings, PassingCore, Sabotage, of_user
from reference_impl.sabotage.reading import Reading
from reference_impl.server import Core
from reference_impl.settings import BrokerSettings

CHANGE_EVERY: Final = 10
"""Every how many messages of a queue ``change-replica`` changes one."""
SKIPPED_BYTES: Final = 8 * 1024
"""How much of what comes after a new connection ``skip-after-reconnect`` leaves out: less than comes in a second."""


class ChangeReplica(Reading):
    """A slave gives every tenth message with another last byte; rep-offset-same must catch it."""

    def given(self, record: Record, data: bytes) -> bytes:
        """Another ending of some."""
        if not of_user(record.topic) or record.queue_offset % CHANGE_EVERY or not record.raw_properties:
            return data
        return data[:-1] + bytes((data[-1] ^ 0x01,))


class SkipAfterReconnect(Reading):
    """A slave leaves out what comes first on a new connection to its master; rep-resume must catch it."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.resumed: list[int] = []
        """Where the log ended when a connection but the first was made."""

    def given(self, record: Record, data: bytes) -> bytes:
        """Nothing of what came first."""
        at = record.physical_offset
        return b"" if any(begin <= at < begin + SKIPPED_BYTES for begin in self.resumed) else data


class _Reconnecting(PassingCore):
    """Tells ``SkipAfterReconnect`` of new connections; part of that bug."""

    def __init__(self, inner: Core, store: SkipAfterReconnect) -> None:
        super().__init__(inner)
        self.store = store
        self.connected = False

    def stream(self, now_ms: int, stream: int, data: bytes | None) -> list[Effect]:
        """A connection that opened after another."""
        if data == b"":
            if self.connected:
                self.store.resumed.append(int(self.store.appended_position))
            self.connected = True
        return super().stream(now_ms, stream, data)


def _on_slaves(wrap: Callable[[Any], Core]) -> Callable[[Core, CoreSettings], Core]:
    """``wrap_core`` that leaves a master as it is."""

    def wrapped(core: Core, settings: CoreSettings) -> Core:
        return wrap(core) if isinstance(settings, BrokerSettings) and settings.brokerId > 0 else core

    return wrapped


def _changing(core: Any) -> Core:
    core.state.store = ChangeReplica(core.state.store)
    same: Core = core
    return same


def _skipping(core: Any) -> Core:
    core.state.store = SkipAfterReconnect(core.state.store)
    return _Reconnecting(core, core.state.store)


SABOTAGES: Final = (
    Sabotage(
        "change-replica",
        "as a slave, gives every tenth message with another last byte",
        "rep-offset-same",
        wrap_core=_on_slaves(_changing),
    ),
    Sabotage(
        "skip-after-reconnect",
        "as a slave, leaves out what comes first on a new connection to its master",
        "rep-resume",
        wrap_core=_on_slaves(_skipping),
    ),
)
