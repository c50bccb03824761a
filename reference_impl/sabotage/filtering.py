"""Planted bugs of filters: messages kept back or let through, filters forgotten, pulls that stand still.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command
from reference_impl.loose_json import dumps, loads_loose
from reference_impl.sabotage.base import PassingCore, Sabotage, around_core, success_instead_of
from reference_impl.sabotage.pulling import NEXT, changed
from reference_impl.server import Core

ALWAYS_TRUE: Final = "TAGS IS NULL OR TAGS IS NOT NULL"
"""An expression that every message meets."""


class HeardOtherwise(PassingCore):
    """Changes subscriptions before the broker hears of them; no bug itself."""

    def heard(self, subscription: dict[str, Any]) -> None:
        """Change one in place."""
        raise NotImplementedError

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Hear something else."""
        if command.code == RequestCode.HEART_BEAT:
            body: Any = loads_loose(command.body)
            for group in body.get("consumerDataSet", ()):
                for subscription in group.get("subscriptionDataSet", ()):
                    self.heard(subscription)
            command = replace(command, body=dumps(body))
        return super().request(now_ms, conn, peer, command)


class DropATag(HeardOtherwise):
    """Forgets the last of several tags that a group wants; flt-tag-complete must catch it."""

    def heard(self, subscription: dict[str, Any]) -> None:
        """One code less."""
        if len(subscription.get("codeSet") or ()) > 1:
            subscription["codeSet"] = subscription["codeSet"][:-1]


class NullIsTrue(HeardOtherwise):
    """Lets messages without a tag through every SQL92 filter; flt-sql must catch it."""

    def heard(self, subscription: dict[str, Any]) -> None:
        """Or nothing to compare."""
        if subscription.get("expressionType") == "SQL92":
            subscription["subString"] = f"({subscription['subString']}) OR TAGS IS NULL"


class ForgetFilters(HeardOtherwise):
    """Filters nothing by SQL92 once it has been started on what an earlier life stored; flt-sql-restart must catch
    it.
    """

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.again = bool(inner.state.store.appended_position)  # type: ignore[attr-defined]

    def heard(self, subscription: dict[str, Any]) -> None:
        """Everything, in a later life."""
        if self.again and subscription.get("expressionType") == "SQL92":
            subscription["subString"] = ALWAYS_TRUE


class TakeAnyExpression(PassingCore):
    """Says of every expression that it can be read; flt-sql-bad must catch it."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Never say that one cannot."""
        del now_ms
        return [success_instead_of(effect, ResponseCode.SUBSCRIPTION_PARSE_FAILED) for effect in effects]


class StandStill(PassingCore):
    """Lets every second pull that finds nothing it wants look there again; flt-progress must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.turn: Callable[[], bool] = _every_second()

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Where it was."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.PULL_MESSAGE:
            return effects
        position = command.fields.get("queueOffset", "0")
        return [
            replace(effect, command=changed(effect.command, **{NEXT: position}))
            if isinstance(effect, Reply) and effect.command.code == ResponseCode.PULL_RETRY_IMMEDIATELY and self.turn()
            else effect
            for effect in effects
        ]


def _every_second() -> Callable[[], bool]:
    calls = 0

    def turn() -> bool:
        nonlocal calls
        calls += 1
        return calls % 2 == 0

    return turn


SABOTAGES: Final = (
    Sabotage(
        "drop-a-tag",
        "forgets the last of several tags that a group wants",
        "flt-tag-complete",
        wrap_core=around_core(DropATag),
    ),
    Sabotage(
        "null-is-true",
        "lets messages without a tag through every SQL92 filter",
        "flt-sql",
        wrap_core=around_core(NullIsTrue),
    ),
    Sabotage(
        "forget-filters",
        "filters nothing by SQL92 once it was started on what an earlier life stored",
        "flt-sql-restart",
        wrap_core=around_core(ForgetFilters),
    ),
    Sabotage(
        "take-any-expression",
        "says of every expression that it can be read",
        "flt-sql-bad",
        wrap_core=around_core(TakeAnyExpression),
    ),
    Sabotage(
        "stand-still",
        "lets every second pull that finds nothing it wants look there again",
        "flt-progress",
        wrap_core=around_core(StandStill),
    ),
)
