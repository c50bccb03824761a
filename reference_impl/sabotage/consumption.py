"""Planted bugs of consumption: offsets, redelivery, rebalance. One oddity: a rebalance that goes back a little.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from msgspec import Struct, field
from msgspec.structs import replace

from reference_impl.commands import PULL_COMMIT_OFFSET, RETRY_PREFIX, RequestCode, ResponseCode
from reference_impl.effects import Effect, Push, Reply
from reference_impl.errors import ReferenceBugError
from reference_impl.frame import Command
from reference_impl.message import decode_record
from reference_impl.sabotage.base import CoreSettings, Passing, PassingCore, Sabotage, around_core, around_disk
from reference_impl.server import Core
from reference_impl.settings import BrokerSettings
from reference_impl.store.tables import CONSUMER_OFFSETS

RETRIES_WITHOUT_END: Final = (1 << 31) - 1
"""The limit that ``redeliver-forever`` puts into each send-back."""
VERSION_WITH_LIMIT: Final = 407
"""A sender's version from which the broker honours the limit in the request."""
PULLS_TRACKED_MAX: Final = 100_000
"""Pulls without an answer that ``skip-message-on-rebalance`` follows; ours."""
_SEND_BACK: Final = RequestCode.CONSUMER_SEND_MSG_BACK


class QueueOfGroup(NamedTuple):
    """One queue as one group reads it."""

    group: str
    topic: str
    queue_id: int


class LoseOffsetsOnRestart(Passing):
    """Starts as if no offset had ever been committed; con-offset-persist must catch it."""

    def read_file(self, name: str) -> bytes | None:
        """Everything but the committed offsets."""
        return None if name == CONSUMER_OFFSETS else cast("bytes | None", self.inner.read_file(name))


class NoRedelivery(PassingCore):
    """Answers SUCCESS to a message that is sent back, and forgets it; con-retry-alo must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Everything but send-backs."""
        if command.code != _SEND_BACK:
            return super().request(now_ms, conn, peer, command)
        return [] if command.is_oneway else [Reply(conn, command.reply(ResponseCode.SUCCESS))]


class RedeliverForever(PassingCore):
    """Tries a failing message again without end, never a dead letter; con-retry-max must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Send-backs get a limit that nobody reaches."""
        if command.code == _SEND_BACK:
            fields = {**command.fields, "maxReconsumeTimes": str(RETRIES_WITHOUT_END)}
            command = replace(command, fields=fields, version=max(command.version, VERSION_WITH_LIMIT))
        return super().request(now_ms, conn, peer, command)


class RetryAtOnce(PassingCore):
    """Lets a message that was sent back wait the shortest time only; con-retry-delay must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Send-backs ask for level 1."""
        if command.code == _SEND_BACK:
            command = replace(command, fields={**command.fields, "delayLevel": "1"})
        return super().request(now_ms, conn, peer, command)


class NeverExpireMembers(PassingCore):
    """Keeps a member that is connected and silent in its group; con-expire must catch it.

    It repeats a connection's last heartbeats whenever the clock is looked at, until the connection ends.
    """

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.heard: dict[int, tuple[tuple[str, int], Command]] = {}

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Remember heartbeats; who takes leave is forgotten."""
        if command.code == RequestCode.HEART_BEAT:
            self.heard[conn] = (peer, command)
        elif command.code == RequestCode.UNREGISTER_CLIENT:
            self.heard.pop(conn, None)
        return super().request(now_ms, conn, peer, command)

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Nobody is left to be kept."""
        self.heard.pop(conn, None)
        return super().closed(now_ms, conn)

    def tick(self, now_ms: int) -> list[Effect]:
        """Everybody has just been heard."""
        effects: list[Effect] = []
        for conn, (peer, command) in list(self.heard.items()):
            effects += super().request(now_ms, conn, peer, command)
        return [effect for effect in effects if not isinstance(effect, Reply)] + super().tick(now_ms)


class ResumeLater(PassingCore):
    """Tells whoever asks where a group goes on the offset after it; con-restart-resume must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """One more than was committed."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.QUERY_CONSUMER_OFFSET:
            return effects
        return [_with_offset(effect, told + 1) if (told := _told(effect)) else effect for effect in effects]


class ShareOffsets(PassingCore):
    """Keeps one committed offset for all groups of a queue; con-group-indep must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.latest: dict[tuple[str, int], int] = {}

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Answer with what anybody has committed."""
        effects = super().request(now_ms, conn, peer, command)
        queue, offset = pulled_queue(command.fields), _number(command.fields.get("commitOffset"))
        if queue is None:
            return effects
        place = queue.topic, queue.queue_id
        if command.code == RequestCode.UPDATE_CONSUMER_OFFSET and offset is not None:
            self.latest[place] = max(offset, self.latest.get(place, 0))
        if command.code != RequestCode.QUERY_CONSUMER_OFFSET or not self.latest.get(place):
            return effects
        return [_with_offset(effect, self.latest[place]) for effect in effects]


class _Asked(Struct, frozen=True):
    peer: tuple[str, int]
    command: Command
    key: QueueOfGroup


class SkipMessageOnRebalance(PassingCore):
    """After a change of members, one stored message of each queue is never given to the group; con-alo must catch it.

    The message that is skipped is one that nobody in the group has been given before.
    """

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.asked: dict[tuple[int, int], _Asked] = {}
        self.given: dict[QueueOfGroup, int] = {}
        """Offset up to which the group was given messages."""
        self.changed: dict[str, int] = {}
        """How often a group's members changed."""
        self.skipped: dict[QueueOfGroup, int] = {}
        """At which change the queue last skipped a message."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Remember who pulls what, so that its answer is known, now or when it was held."""
        if command.code == RequestCode.PULL_MESSAGE and len(self.asked) < PULLS_TRACKED_MAX:
            key = pulled_queue(command.fields)
            if key is not None and not key.topic.startswith(RETRY_PREFIX):
                self.asked[conn, command.opaque] = _Asked(peer, command, key)
        return super().request(now_ms, conn, peer, command)

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Nobody is left to be answered there."""
        self.asked = {key: asked for key, asked in self.asked.items() if key[0] != conn}
        return super().closed(now_ms, conn)

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Ask again, one message further, where an answer holds a new message and the members have changed."""
        result: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Push):
                self._notified(effect)
            asked = self.asked.pop((effect.conn, effect.command.opaque), None) if isinstance(effect, Reply) else None
            if asked is None or not isinstance(effect, Reply):
                result.append(effect)
            elif effect.command.code != ResponseCode.SUCCESS or not self._skips(asked.key, effect.command):
                self._remember(asked.key, effect.command)
                result.append(effect)
            else:
                result += self._ask_further(now_ms, effect, asked)
        return result

    def _notified(self, push: Push) -> None:
        if push.command.code == RequestCode.NOTIFY_CONSUMER_IDS_CHANGED:
            group = push.command.fields["consumerGroup"]
            self.changed[group] = self.changed.get(group, 0) + 1

    def _skips(self, key: QueueOfGroup, answer: Command) -> bool:
        first = decode_record(answer.body).queue_offset
        due = self.skipped.get(key, 0) < self.changed.get(key.group, 0)
        return due and first >= self.given.get(key, 0)

    def _ask_further(self, now_ms: int, effect: Reply, asked: _Asked) -> list[Effect]:
        self.skipped[asked.key] = self.changed[asked.key.group]
        beyond = decode_record(effect.command.body).queue_offset + 1
        again = replace(asked.command, fields={**asked.command.fields, "queueOffset": str(beyond)})
        return self.request(now_ms, effect.conn, asked.peer, again)

    def _remember(self, key: QueueOfGroup, answer: Command) -> None:
        if answer.code == ResponseCode.SUCCESS:
            offset = int(answer.fields["nextBeginOffset"])
            self.given[key] = max(self.given.get(key, 0), offset)


class _Commits(Struct):
    """The last two different offsets committed to a queue."""

    latest: int
    latest_ms: int
    """When ``latest`` took the place of ``before``."""
    before: int | None = None


class _Group(Struct):
    members: set[int] = field(default_factory=set)
    """Connections that were told of a change."""
    changes: int = 0


class DuplicateAfterRebalance(PassingCore):
    """After a change of members, hands out the offset that was in force just before the last commit: legal, must
    not be flagged.

    A broker may lose the commits of the last ``flushConsumerOffsetInterval``; nothing older is taken back, each
    queue is rewound at most once per change, and only a member's question is answered so. The repeats have a cause:
    the rebalance.
    """

    def __init__(self, inner: Core, window_ms: int) -> None:
        super().__init__(inner)
        self.window_ms = window_ms
        self.commits: dict[QueueOfGroup, _Commits] = {}
        self.groups: dict[str, _Group] = {}
        self.rewound: dict[QueueOfGroup, int] = {}

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Watch commits; answer a member's first question after a change with the offset before."""
        self._watch(now_ms, command)
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.QUERY_CONSUMER_OFFSET:
            return effects
        before = self._before(now_ms, conn, command.fields)
        if before is None:
            return effects
        return [_with_offset(effect, before) for effect in effects]

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Learn of changes from what members are told."""
        del now_ms
        for effect in effects:
            if isinstance(effect, Push) and effect.command.code == RequestCode.NOTIFY_CONSUMER_IDS_CHANGED:
                group = self.groups.setdefault(effect.command.fields["consumerGroup"], _Group())
                group.members.add(effect.conn)
                group.changes += 1
        return effects

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Who is gone asks no more."""
        for group in self.groups.values():
            group.members.discard(conn)
        return super().closed(now_ms, conn)

    def _watch(self, now_ms: int, command: Command) -> None:
        by_pull = command.code == RequestCode.PULL_MESSAGE and _flags(command.fields) & PULL_COMMIT_OFFSET
        if not by_pull and command.code != RequestCode.UPDATE_CONSUMER_OFFSET:
            return
        key, offset = pulled_queue(command.fields), _number(command.fields.get("commitOffset"))
        if key is None or offset is None:
            return
        known = self.commits.get(key)
        if known is None:
            self.commits[key] = _Commits(offset, now_ms)
        elif known.latest != offset:
            self.commits[key] = _Commits(offset, now_ms, known.latest)

    def _before(self, now_ms: int, conn: int, fields: Mapping[str, str]) -> int | None:
        key = pulled_queue(fields)
        group = self.groups.get(fields.get("consumerGroup", ""))
        if key is None or group is None or conn not in group.members:
            return None
        commits = self.commits.get(key)
        if self.rewound.get(key, 0) >= group.changes or commits is None or commits.before is None:
            return None
        if commits.before >= commits.latest or now_ms - commits.latest_ms > self.window_ms:
            return None
        self.rewound[key] = group.changes
        return commits.before


def pulled_queue(fields: Mapping[str, str]) -> QueueOfGroup | None:
    """Which queue a pull, a commit or a query of an offset speaks of; None where the header does not say."""
    group, topic, queue_id = fields.get("consumerGroup"), fields.get("topic"), _number(fields.get("queueId"))
    if group is None or topic is None or queue_id is None:
        return None
    return QueueOfGroup(group, topic, queue_id)


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _flags(fields: Mapping[str, str]) -> int:
    return _number(fields.get("sysFlag")) or 0


def _told(effect: Effect) -> int:
    """The offset in an answer to a query; 0 where there is none."""
    return _number(effect.command.fields.get("offset")) or 0 if isinstance(effect, Reply) else 0


def _with_offset(effect: Effect, offset: int) -> Effect:
    if not isinstance(effect, Reply) or effect.command.code != ResponseCode.SUCCESS:
        return effect
    return Reply(effect.conn, replace(effect.command, fields={"offset": str(offset)}))


def _duplicate(core: Core, settings: CoreSettings) -> Core:
    if not isinstance(settings, BrokerSettings):
        raise ReferenceBugError(f"duplicate-after-rebalance wraps a broker's core, not one with {settings!r}")
    return DuplicateAfterRebalance(core, settings.flushConsumerOffsetInterval)


SABOTAGES: Final = (
    Sabotage(
        "resume-later",
        "tells whoever asks where a group goes on the offset after it",
        "con-restart-resume",
        wrap_core=around_core(ResumeLater),
    ),
    Sabotage(
        "share-offsets",
        "keeps one committed offset for all groups of a queue",
        "con-group-indep",
        wrap_core=around_core(ShareOffsets),
    ),
    Sabotage(
        "lose-offsets-on-restart",
        "starts without the committed offsets of its earlier life",
        "con-offset-persist",
        wrap_disk=around_disk(LoseOffsetsOnRestart),
    ),
    Sabotage(
        "no-redelivery",
        "answers SUCCESS to a send-back and forgets the message",
        "con-retry-alo",
        wrap_core=around_core(NoRedelivery),
    ),
    Sabotage(
        "redeliver-forever",
        "tries a failing message again without end",
        "con-retry-max",
        wrap_core=around_core(RedeliverForever),
    ),
    Sabotage(
        "skip-message-on-rebalance",
        "skips one message of each queue after a change of members",
        "con-alo",
        wrap_core=around_core(SkipMessageOnRebalance),
    ),
    Sabotage(
        "retry-at-once",
        "lets a message that was sent back wait for the shortest delay only",
        "con-retry-delay",
        wrap_core=around_core(RetryAtOnce),
    ),
    Sabotage(
        "never-expire-members",
        "keeps a connected member without heartbeats in its group",
        "con-expire",
        wrap_core=around_core(NeverExpireMembers),
    ),
)
ODDITIES: Final = (
    Sabotage(
        "duplicate-after-rebalance",
        "after a change of members hands out the offset before the last commit",
        None,
        wrap_core=_duplicate,
    ),
)
