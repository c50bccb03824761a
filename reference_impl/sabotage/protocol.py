"""Planted bugs of the protocol: answers doubled or invented, pulls held too long or not woken.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from reference_impl.commands import RequestCode, ResponseCode, unsupported_remark
from reference_impl.connection import Listener
from reference_impl.delivery.held import HeldPull, HeldPulls
from reference_impl.effects import Effect, Reply
from reference_impl.frame import FLAG_ONEWAY, Command
from reference_impl.sabotage.base import PassingCore, Sabotage, around_core, success_instead_of
from reference_impl.server import Core

TWICE_EVERY: Final = 5
"""Every how many answers ``answer-twice`` doubles one."""
HOLD_MORE_MS: Final = 2_500
"""How much longer ``hold-too-long`` holds a pull than it was asked to; con-longpoll-timeout allows a second."""


class AnswerTwice(PassingCore):
    """Sends every fifth answer twice; prt-opaque must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.answers = 0

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Double some."""
        del now_ms
        result: list[Effect] = []
        for effect in effects:
            result.append(effect)
            if isinstance(effect, Reply):
                self.answers += 1
                if self.answers % TWICE_EVERY == 0:
                    result.append(effect)
        return result


class AnswerOneway(PassingCore):
    """Answers one-way requests as any other; prt-oneway must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Forget that nobody waits."""
        return super().request(now_ms, conn, peer, replace(command, flag=command.flag & ~FLAG_ONEWAY))


class UnknownCodeSucceeds(PassingCore):
    """Says SUCCESS to a request it does not know; prt-unknown-code must catch it."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Never say that a code is not supported."""
        del now_ms
        return [success_instead_of(effect, ResponseCode.REQUEST_CODE_NOT_SUPPORTED) for effect in effects]


class HoldTooLong(PassingCore):
    """Holds pulls longer than they ask for; con-longpoll-timeout must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Pulls ask for more."""
        asked = command.fields.get("suspendTimeoutMillis", "")
        if command.code == RequestCode.PULL_MESSAGE and asked.isdigit():
            longer = str(int(asked) + HOLD_MORE_MS)
            command = replace(command, fields={**command.fields, "suspendTimeoutMillis": longer})
        return super().request(now_ms, conn, peer, command)


class SleepingPulls(HeldPulls):
    """Held pulls that only their time wakes."""

    def arrived(self, *message: object) -> list[HeldPull]:
        """Nobody wakes."""
        del message
        return []

    def scan(self, now_ms: int, max_offset: Callable[[str, int], int]) -> list[HeldPull]:
        """Whose time is up wakes; that a queue has grown is not looked at."""
        del max_offset
        return super().scan(now_ms, lambda topic, queue_id: 0)


class NeverWakePulls(PassingCore):
    """Lets a held pull wait its whole time, whatever arrives; con-longpoll-wake must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        inner.state.held = SleepingPulls()  # type: ignore[attr-defined]


def _serves_pulls(listener: Listener) -> Listener:
    """The VIP port serves what the main port does; prt-vip must catch it."""
    return replace(listener, refuse=None)


def _refuses_much(listener: Listener) -> Listener:
    """The VIP port refuses everything; prt-vip must catch it."""
    return listener if listener.refuse is None else replace(listener, refuse=_not_supported)


def _not_supported(command: Command) -> Command | None:
    if command.is_response or command.is_oneway:
        return None
    return command.reply(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, remark=unsupported_remark(command.code))


SABOTAGES: Final = (
    Sabotage(
        "answer-twice",
        "sends every fifth answer twice",
        "prt-opaque",
        wrap_core=around_core(AnswerTwice),
    ),
    Sabotage(
        "answer-oneway",
        "answers one-way requests as any other",
        "prt-oneway",
        wrap_core=around_core(AnswerOneway),
    ),
    Sabotage(
        "unknown-code-succeeds",
        "says SUCCESS to a request code that it does not know",
        "prt-unknown-code",
        wrap_core=around_core(UnknownCodeSucceeds),
    ),
    Sabotage(
        "never-wake-pulls",
        "lets a held pull wait its whole time, whatever arrives",
        "con-longpoll-wake",
        wrap_core=around_core(NeverWakePulls),
    ),
    Sabotage(
        "hold-too-long",
        "holds pulls 2.5 s longer than they ask for",
        "con-longpoll-timeout",
        wrap_core=around_core(HoldTooLong),
    ),
    Sabotage(
        "pull-on-vip",
        "serves pulls on its VIP port too",
        "prt-vip",
        wrap_listener=_serves_pulls,
    ),
    Sabotage(
        "refuse-on-vip",
        "refuses every request on its VIP port, not pulls alone",
        "prt-vip",
        wrap_listener=_refuses_much,
    ),
)
