"""Planted bugs around slaves: what senders are told of them, what they take, give and copy.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Call, Effect, Reply
from reference_impl.frame import Command
from reference_impl.message import Record
from reference_impl.sabotage.base import CoreSettings, PassingCore, Sabotage, around_core, of_user, success_instead_of
from reference_impl.sabotage.reading import HIDE_EVERY, Reading
from reference_impl.server import Core
from reference_impl.settings import BrokerSettings

PHYSICAL_AT: Final = 28
"""Where a record has its physical offset: behind size, magic number, checksum, queue, flag and queue offset."""
MOVED_BYTES: Final = 8
"""How far ``move-replica`` says that a record is from where it is."""
SENDS: Final = frozenset({RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE})
SLAVE_ID: Final = "1"
"""Whom ``suggest-slave`` names."""


class RefuseSlowSlave(PassingCore):
    """Says that a send failed whose slave was late, though it is stored; rep-slave-slow must catch it."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """An error instead of FLUSH_SLAVE_TIMEOUT."""
        del now_ms
        return [_other_code(effect, ResponseCode.FLUSH_SLAVE_TIMEOUT, ResponseCode.SYSTEM_ERROR) for effect in effects]


class AckWithoutSlave(PassingCore):
    """Answers SUCCESS where there is no slave; rep-slave-missing must catch it."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """SUCCESS instead of SLAVE_NOT_AVAILABLE."""
        del now_ms
        return [success_instead_of(effect, ResponseCode.SLAVE_NOT_AVAILABLE) for effect in effects]


class MoveReplica(Reading):
    """A slave gives every tenth message with another physical offset; rep-prefix must catch it."""

    def given(self, record: Record, data: bytes) -> bytes:
        """Another place of some."""
        if not of_user(record.topic) or record.queue_offset % HIDE_EVERY:
            return data
        moved = (record.physical_offset + MOVED_BYTES).to_bytes(8)
        return data[:PHYSICAL_AT] + moved + data[PHYSICAL_AT + len(moved) :]


class MuteWithoutMaster(PassingCore):
    """A slave refuses pulls while it has no connection to its master; rep-slave-read must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Refuse, or serve."""
        if command.code == RequestCode.PULL_MESSAGE and not self.inner.state.slave.connected:  # type: ignore[attr-defined]
            return [Reply(conn, command.reply(ResponseCode.SERVICE_NOT_AVAILABLE, remark="the master is not there"))]
        return super().request(now_ms, conn, peer, command)


class SlaveTakesSends(PassingCore):
    """A slave answers SUCCESS to sends and stores nothing; rep-slave-refuse must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """SUCCESS instead of a refusal."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code not in SENDS:
            return effects
        return [success_instead_of(effect, ResponseCode.SERVICE_NOT_AVAILABLE) for effect in effects]


class SuggestSlave(PassingCore):
    """Tells every consumer to ask the first slave next; rep-redirect must catch it."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Another suggestion in every answer to a pull."""
        del now_ms
        return [_suggesting(effect) for effect in effects]


class _Incurious(PassingCore):
    """A slave never asks for one of its master's tables."""

    code: RequestCode

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Every call but that one."""
        del now_ms
        return [effect for effect in effects if not isinstance(effect, Call) or effect.command.code != self.code]


class KeepOwnTopics(_Incurious):
    """A slave never asks for its master's topics; rep-meta-topics must catch it."""

    code = RequestCode.GET_ALL_TOPIC_CONFIG


class KeepOwnOffsets(_Incurious):
    """A slave never asks for its master's committed offsets; rep-meta-offsets must catch it."""

    code = RequestCode.GET_ALL_CONSUMER_OFFSET


def _other_code(effect: Effect, code: int, other: int) -> Effect:
    if not isinstance(effect, Reply) or effect.command.code != code:
        return effect
    return replace(effect, command=replace(effect.command, code=int(other)))


def _suggesting(effect: Effect) -> Effect:
    if not isinstance(effect, Reply) or "suggestWhichBrokerId" not in effect.command.fields:
        return effect
    fields = {**effect.command.fields, "suggestWhichBrokerId": SLAVE_ID}
    return replace(effect, command=replace(effect.command, fields=fields))


def _on_slaves(wrap: Callable[[Any], Core]) -> Callable[[Core, CoreSettings], Core]:
    """``wrap_core`` that leaves a master as it is."""

    def wrapped(core: Core, settings: CoreSettings) -> Core:
        return wrap(core) if isinstance(settings, BrokerSettings) and settings.brokerId > 0 else core

    return wrapped


def _moving(core: Any) -> Core:
    core.state.store = MoveReplica(core.state.store)
    same: Core = core
    return same


SABOTAGES: Final = (
    Sabotage(
        "refuse-slow-slave",
        "answers SYSTEM_ERROR to sends whose slave was late, and stores them",
        "rep-slave-slow",
        wrap_core=around_core(RefuseSlowSlave),
    ),
    Sabotage(
        "ack-without-slave",
        "answers SUCCESS to SYNC_MASTER sends while there is no slave",
        "rep-slave-missing",
        wrap_core=around_core(AckWithoutSlave),
    ),
    Sabotage(
        "move-replica",
        "as a slave, gives every tenth message with another physical offset",
        "rep-prefix",
        wrap_core=_on_slaves(_moving),
    ),
    Sabotage(
        "mute-without-master",
        "as a slave, refuses pulls while its master is not there",
        "rep-slave-read",
        wrap_core=_on_slaves(MuteWithoutMaster),
    ),
    Sabotage(
        "slave-takes-sends",
        "as a slave, answers SUCCESS to sends",
        "rep-slave-refuse",
        wrap_core=_on_slaves(SlaveTakesSends),
    ),
    Sabotage(
        "suggest-slave",
        "sends every consumer to the first slave",
        "rep-redirect",
        wrap_core=around_core(SuggestSlave),
    ),
    Sabotage(
        "keep-own-topics",
        "as a slave, never asks for its master's topics",
        "rep-meta-topics",
        wrap_core=_on_slaves(KeepOwnTopics),
    ),
    Sabotage(
        "keep-own-offsets",
        "as a slave, never asks for its master's committed offsets",
        "rep-meta-offsets",
        wrap_core=_on_slaves(KeepOwnOffsets),
    ),
)
