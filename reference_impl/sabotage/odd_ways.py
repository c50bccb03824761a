"""Legal oddities of what a broker does by itself: whom it tells what and how often, when delayed messages come and
where retries go, where its log begins, and what its clock says.

None may be flagged. Each class says why RocketMQ's promises allow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from msgspec.structs import replace

from reference_impl.commands import RequestCode
from reference_impl.delivery.groups import GroupConfig, GroupTable
from reference_impl.effects import Call, Effect, Push
from reference_impl.frame import FLAG_ONEWAY, Command
from reference_impl.message import Host, Message
from reference_impl.redelivery import DelaySchedule
from reference_impl.sabotage.base import Passing, PassingCore, Sabotage, around_core, around_store, of_user
from reference_impl.server import Core
from reference_impl.store import Appended, Store

LATE_MS: Final = 400
"""How much later ``late-delays`` delivers than a level says."""
RETRY_QUEUES: Final = 3
"""Queues of a retry topic under ``spread-retries``."""
FAR_POSITION: Final = 5 << 30
"""Where the log of ``far-log`` begins: the sixth file of a gigabyte."""
STANDING_MS: Final = 500
"""How long the clock of ``standing-store-time`` stands still at a time."""
AGAIN: Final = "again-"
"""Begins the token of a second registration; the broker does not know of it."""


class NeedlessNotifications(PassingCore):
    """Tells a member of changes in its groups with each of its heartbeats, and of real ones twice: code 40 only says
    that it is worth asking who is there.
    """

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """A heartbeat is news to who sent it."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.HEART_BEAT:
            return effects
        members = self.inner.state.members  # type: ignore[attr-defined]
        groups = sorted(members.groups_of.get(conn, set()) & members.consumers.keys())
        return [*effects, *(Push(conn, _changed(group)) for group in groups)]

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Say it twice."""
        del now_ms
        result = []
        for effect in effects:
            result.append(effect)
            if isinstance(effect, Push) and effect.command.code == RequestCode.NOTIFY_CONSUMER_IDS_CHANGED:
                result.append(effect)
        return result


def _changed(group: str) -> Command:
    return Command(code=RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, flag=FLAG_ONEWAY, fields={"consumerGroup": group})


class DoubleRegistration(PassingCore):
    """Registers twice in a row: a registration says what is so, and changes nothing when it is said again."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Say it twice."""
        del now_ms
        result: list[Effect] = []
        for effect in effects:
            result.append(effect)
            if isinstance(effect, Call) and effect.command.code == RequestCode.REGISTER_BROKER:
                result.append(replace(effect, token=AGAIN + effect.token))
        return result

    def response(self, now_ms: int, token: str, command: Command | None) -> list[Effect]:
        """The second answer is not waited for."""
        return [] if token.startswith(AGAIN) else super().response(now_ms, token, command)


class LateDelays(PassingCore):
    """Delivers delayed and retried messages 0.4 s after their time: a level is the least that they wait, and within a
    second is timely.
    """

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        state = inner.state  # type: ignore[attr-defined]
        known = state.schedule
        state.schedule = DelaySchedule(tuple(ms + LATE_MS for ms in known.levels_ms), known.scan_ms, known.offsets)


class SpreadGroups(GroupTable):
    """Groups whose retry topics have three queues."""

    def put(self, config: GroupConfig, now_ms: int) -> None:
        """Whatever was asked for."""
        super().put(replace(config, retry_queues=RETRY_QUEUES) if config.retry_queues == 1 else config, now_ms)

    def find(self, group: str, now_ms: int) -> GroupConfig | None:
        """As it was put."""
        super().find(group, now_ms)
        return self.groups.get(group)


class SpreadRetries(PassingCore):
    """Gives every retry topic three queues and puts retry copies into any of them: retryQueueNums is a group's
    configuration, and a retry keeps no order.
    """

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        state = inner.state  # type: ignore[attr-defined]
        known = state.groups
        state.groups = SpreadGroups(known.auto_create, version=known.version, unsaved=known.unsaved)
        state.groups.groups = known.groups


class FarLog(Passing):
    """A log that begins at five gigabytes: so does each whose first files are too old to be kept. Queues begin at 0."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        if not inner.appended_position:
            inner.begin_at(FAR_POSITION)


class StandingStoreTime(Passing):
    """Stores with times of a clock that moves every half second: messages of one millisecond have one time, and nobody
    promises how fine a broker's clock is. The times of delays are its own.
    """

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """At the time that stands."""
        return cast(Appended, self.inner.append(message, _standing(message, now_ms), store_host))

    def append_batch(self, messages: Sequence[Message], now_ms: int, store_host: Host) -> list[Appended]:
        """At the time that stands."""
        return cast("list[Appended]", self.inner.append_batch(messages, _standing(messages[0], now_ms), store_host))


def _standing(message: Message, now_ms: int) -> int:
    return now_ms // STANDING_MS * STANDING_MS if of_user(message.topic) else now_ms


ODDITIES: Final = (
    Sabotage(
        "needless-notifications",
        "tells members of changes twice, and with each heartbeat",
        None,
        wrap_core=around_core(NeedlessNotifications),
    ),
    Sabotage(
        "double-registration",
        "registers twice in a row",
        None,
        wrap_core=around_core(DoubleRegistration),
    ),
    Sabotage(
        "late-delays",
        "delivers delayed and retried messages 0.4 s after their time",
        None,
        wrap_core=around_core(LateDelays),
    ),
    Sabotage(
        "spread-retries",
        "puts retry copies into any of three queues",
        None,
        wrap_core=around_core(SpreadRetries),
    ),
    Sabotage(
        "far-log",
        "begins its log at five gigabytes",
        None,
        wrap_store=around_store(FarLog),
    ),
    Sabotage(
        "standing-store-time",
        "stores with times of a clock that moves every half second",
        None,
        wrap_store=around_store(StandingStoreTime),
    ),
)
