"""Bugs planted in the kit's consumers: what is pulled, handed out, finished and committed.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mqcheck.rocketmq.consumer.share import Held, Share
from mqcheck.rocketmq.models import ClientSettings
from mqcheck.rocketmq.seam import Seam
from mqcheck.sabotage.base import ClientSabotage

SELDOM: Final = 8
"""How much longer than said a bug's period is, and how much larger its threshold."""
BEATS_MISSED: Final = 3
"""How many periods lie between two heartbeats: fewer than a broker forgets a client after."""
IDLE_MS: Final = 2_500
"""How long a consumer pulls nothing though its cache is empty: twice what is tolerated."""
DROPPED_ONE_IN: Final = 7
REPEATED_ONE_IN: Final = 10


def _as(kind: type[Share], share: Share) -> Share:
    """A fresh share of another kind."""
    return kind(share.queue, share.session, locked_ns=share.locked_ns)


class _Shares(Seam):
    """Makes every share one of another kind."""

    def __init__(self, kind: type[Share]) -> None:
        self.kind = kind

    def share(self, share: Share, *, broadcasting: bool, orderly: bool) -> Share:
        """The wrong kind, where it matters."""
        return _as(self.kind, share) if self.matters(broadcasting=broadcasting, orderly=orderly) else share

    def matters(self, *, broadcasting: bool, orderly: bool) -> bool:
        """Whether this consumer's shares are to be wrong."""
        return not broadcasting and not orderly


class _Broadcasting(_Shares):
    def matters(self, *, broadcasting: bool, orderly: bool) -> bool:
        """Those of broadcasting consumers."""
        return broadcasting


class _Orderly(_Shares):
    def matters(self, *, broadcasting: bool, orderly: bool) -> bool:
        """Those of orderly consumers."""
        return orderly


class CommitUnfinished(Share):
    """Commits all that was pulled as soon as one message is finished; con-no-skip must catch it."""

    __slots__ = ()

    def finish(self, offset: int) -> None:
        """Everything that was pulled counts as finished."""
        super().finish(offset)
        self.advance(self.passed)


class TakeAnyTag(Seam):
    """Hands on whatever the broker gives, also where two tags have one hash code; flt-tag-exact must catch it."""

    def wanted(self, wanted: bool) -> bool:
        """Everything is."""
        del wanted
        return True


class LoseBroadcasts(Share):
    """Drops one message in seven of a broadcasting consumer; con-broadcast-all must catch it."""

    __slots__ = ()

    def put(self, records: list[Held]) -> None:
        """All but some; the list is what the listener gets."""
        records[:] = [item for item in records if item.offset % DROPPED_ONE_IN]
        super().put(records)


class SwapOrderly(Share):
    """Hands out the second message of an orderly queue first; ord-queue-fifo must catch it."""

    __slots__ = ()

    def first(self) -> Held:
        """The second, where there are two that never failed."""
        waiting = [item for item in self.held.values() if not item.retries]
        return waiting[1] if len(waiting) > 1 else super().first()


class StayFull(Share):
    """Never pulls again once its cache was full; con-flow-resume must catch it."""

    stuck = False

    def full(self, settings: ClientSettings, orderly: bool) -> bool:
        """For ever, once it was."""
        self.stuck = self.stuck or super().full(settings, orderly)
        return self.stuck


class ResumeLate(Share):
    """Leaves its cache empty for a while, once it was full; con-flow-resume must catch it."""

    full_once = False
    asked = 0

    def full(self, settings: ClientSettings, orderly: bool) -> bool:
        """Until it was asked often enough with nothing held: the client asks each ``flow_control_ms``."""
        self.full_once = self.full_once or super().full(settings, orderly)
        if self.full_once and not self.held:
            self.asked += 1
        if self.asked * settings.flow_control_ms >= IDLE_MS:
            self.full_once, self.asked = False, 0
        return self.full_once


class PullAgain(Share):
    """Pulls the last message once more, now and then; con-pull-position must catch it."""

    reached = 0

    def go_on(self, offset: int) -> None:
        """One too low, once for every tenth offset or more."""
        super().go_on(offset)
        if offset >= self.reached + REPEATED_ONE_IN:
            self.reached, self.next_offset = offset, offset - 1


class PassSuspended(Share):
    """Lets the next message of an orderly queue pass one that was suspended; ord-queue-fifo must catch it."""

    __slots__ = ()

    def first(self) -> Held:
        """The first that never failed, where there is one."""
        return next((item for item in self.held.values() if not item.retries), super().first())


def _settings(change: Callable[[ClientSettings], ClientSettings]) -> Callable[[], Seam]:
    """A client that acts by other numbers than it says."""

    class _Other(Seam):
        def settings(self, settings: ClientSettings) -> ClientSettings:
            return change(settings)

    return _Other


SABOTAGES: Final = (
    ClientSabotage(
        "commit-unfinished",
        "commits all that was pulled as soon as one message is finished",
        "con-no-skip",
        lambda: _Shares(CommitUnfinished),
    ),
    ClientSabotage(
        "lose-broadcasts",
        "drops one message in seven of a broadcasting consumer",
        "con-broadcast-all",
        lambda: _Broadcasting(LoseBroadcasts),
    ),
    ClientSabotage(
        "stay-full",
        "never pulls a queue again once its cache was full",
        "con-flow-resume",
        lambda: _Shares(StayFull),
    ),
    ClientSabotage(
        "resume-late",
        "pulls nothing for seconds after its cache was full and is empty",
        "con-flow-resume",
        lambda: _Shares(ResumeLate),
    ),
    ClientSabotage(
        "pull-again",
        "pulls the last message once more, now and then",
        "con-pull-position",
        lambda: _Shares(PullAgain),
    ),
    ClientSabotage(
        "exceed-messages",
        "holds many times as many messages of a queue as it says",
        "con-threshold-count",
        _settings(lambda said: replace(said, threshold_messages=SELDOM * said.threshold_messages)),
    ),
    ClientSabotage(
        "exceed-bytes",
        "holds many times as many bytes of a queue as it says",
        "con-threshold-size",
        _settings(lambda said: replace(said, threshold_bytes=SELDOM * said.threshold_bytes)),
    ),
    ClientSabotage(
        "exceed-span",
        "runs many times as far ahead of its oldest message as it says",
        "con-threshold-span",
        _settings(lambda said: replace(said, threshold_span=SELDOM * said.threshold_span)),
    ),
    ClientSabotage(
        "beat-seldom",
        "sends heartbeats less often than it says",
        "cli-heartbeat",
        _settings(lambda said: replace(said, heartbeat_ms=BEATS_MISSED * said.heartbeat_ms)),
    ),
    ClientSabotage(
        "poll-seldom",
        "asks for routes less often than it says",
        "cli-route-poll",
        _settings(lambda said: replace(said, route_poll_ms=BEATS_MISSED * said.route_poll_ms)),
    ),
    ClientSabotage(
        "persist-seldom",
        "commits offsets less often than it says",
        "cli-persist",
        _settings(lambda said: replace(said, persist_ms=SELDOM * said.persist_ms)),
    ),
    ClientSabotage(
        "pass-suspended",
        "lets the next message of an orderly queue pass one that was suspended",
        "ord-queue-fifo",
        lambda: _Orderly(PassSuspended),
    ),
    ClientSabotage(
        "hurry-suspended",
        "goes on with a suspended queue sooner than it says",
        "ord-suspend-block",
        _settings(lambda said: replace(said, orderly_suspend_ms=said.orderly_suspend_ms // SELDOM)),
    ),
    ClientSabotage(
        "swap-orderly",
        "hands out the second message of an orderly queue first",
        "ord-queue-fifo",
        lambda: _Orderly(SwapOrderly),
    ),
    ClientSabotage(
        "take-any-tag",
        "hands on whatever the broker gives, also where two tags have one hash code",
        "flt-tag-exact",
        TakeAnyTag,
    ),
)
