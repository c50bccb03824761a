"""Legal oddities of answers: their order, what they hold beside what was asked for, how much, how soon, and refusals
that a client has to live with.

None may be flagged. Each class says why RocketMQ's promises allow it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from reference_impl.broker.flushing import stored_but
from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Close, Effect, Reply
from reference_impl.frame import Command
from reference_impl.sabotage.base import CoreSettings, PassingCore, Sabotage, around_core
from reference_impl.server import Core
from reference_impl.settings import BrokerSettings

KEPT_EVERY: Final = 3
"""Every how many answers to sends ``answers-out-of-order`` keeps one back."""
KEPT_MS: Final = 30
"""For how long; later answers overtake it."""
PULL_MAX: Final = 2
"""Messages that ``small-pulls`` gives at once."""
EMPTY_EVERY: Final = 4
"""Every how many found messages ``empty-pulls`` says that there are none just now."""
BUSY_EVERY: Final = 6
"""Every how many sends ``sometimes-busy`` refuses one."""
LATE_EVERY: Final = 5
"""Every how many flushed sends ``sometimes-late-flush`` calls one late."""
ANSWERS_MAX: Final = 30
"""Answers to one client after which ``closed-connections`` closes its connection."""
CLOSINGS_MAX: Final = 8
"""So often does ``closed-connections`` close one: groups that change all the time never settle."""
BUSY_REMARK: Final = (
    "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue: 201ms, size of queue: 0"
)
_SENDS: Final = (RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE)
_SAFE: Final = int(ResponseCode.SUCCESS)

Asked = tuple[int, int]
"""Connection and opaque of a request: its answer has both."""


class _Following(PassingCore):
    """Knows which answers are to requests of some codes."""

    codes: tuple[int, ...] = ()

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.asked: dict[Asked, Command] = {}
        self.answers = 0
        """To requests of those codes, so far."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Remember it, unless nobody waits for the answer."""
        if command.code in self.codes and not command.is_oneway:
            self.asked[conn, command.opaque] = command
        return super().request(now_ms, conn, peer, command)

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Nobody is left to be answered there."""
        self.asked = {key: command for key, command in self.asked.items() if key[0] != conn}
        return super().closed(now_ms, conn)

    def question(self, effect: Effect) -> Command | None:
        """What this answers, once; None for whatever else it is."""
        if not isinstance(effect, Reply):
            return None
        return self.asked.pop((effect.conn, effect.command.opaque), None)

    def turn(self, every: int) -> bool:
        """Counts an answer; whether it is one of those that are treated oddly."""
        self.answers += 1
        return self.answers % every == 0


class AnswersOutOfOrder(_Following):
    """Keeps every third answer to a send back for a while: an answer is matched by its opaque alone, and a broker's
    threads are done when they are done.
    """

    codes = _SENDS

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.kept: list[tuple[int, Effect]] = []
        """When each answer leaves, the first to leave first."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Keep some."""
        result = []
        for effect in effects:
            if self.question(effect) is not None and self.turn(KEPT_EVERY):
                self.kept.append((now_ms + KEPT_MS, effect))
            else:
                result.append(effect)
        return result

    def tick(self, now_ms: int) -> list[Effect]:
        """Let go what was kept long enough."""
        due = [effect for until_ms, effect in self.kept if until_ms <= now_ms]
        self.kept = self.kept[len(due) :]
        return [*due, *super().tick(now_ms)]

    def next_deadline_ms(self) -> int | None:
        """The earlier of both."""
        times = (*(until_ms for until_ms, _ in self.kept[:1]), super().next_deadline_ms())
        return min((time for time in times if time is not None), default=None)


class UnknownFields(PassingCore):
    """Gives every answer fields that nobody knows, before the known ones and those backwards, and a remark: later
    versions add fields, a map has no order, and a remark is for people.
    """

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Every answer."""
        del now_ms
        return [_with_unknown_fields(effect) for effect in effects]


def _with_unknown_fields(effect: Effect) -> Effect:
    if not isinstance(effect, Reply):
        return effect
    known = reversed(list(effect.command.fields.items()))
    fields = {"zone": "", "offset-": "-1", "queueid": "none", "msgRegion": "nowhere", **dict(known)}
    return replace(effect, command=replace(effect.command, fields=fields, remark=effect.command.remark or "as asked"))


class SmallPulls(PassingCore):
    """Gives two messages at most: maxMsgNums is a limit, and brokers have lower ones."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Pulls ask for less."""
        asked = command.fields.get("maxMsgNums", "")
        if command.code == RequestCode.PULL_MESSAGE and asked.isdigit():
            fields = {**command.fields, "maxMsgNums": str(min(int(asked), PULL_MAX))}
            command = replace(command, fields=fields)
        return super().request(now_ms, conn, peer, command)


class EmptyPulls(_Following):
    """Answers every fourth pull that finds something with PULL_RETRY_IMMEDIATELY and the offset it asked for: so does
    RocketMQ where a message is just being removed (MESSAGE_WAS_REMOVING), and a client asks again.
    """

    codes = (RequestCode.PULL_MESSAGE,)

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Take some away."""
        del now_ms
        return [self._perhaps_empty(effect) for effect in effects]

    def _perhaps_empty(self, effect: Effect) -> Effect:
        question = self.question(effect)
        if question is None or not isinstance(effect, Reply) or effect.command.code != _SAFE:
            return effect
        if not self.turn(EMPTY_EVERY):
            return effect
        fields = {**effect.command.fields, "nextBeginOffset": question.fields["queueOffset"]}
        code = int(ResponseCode.PULL_RETRY_IMMEDIATELY)
        return Reply(
            effect.conn, replace(effect.command, code=code, fields=fields, body=b"", remark="MESSAGE_WAS_REMOVING")
        )


class ShortHolds(PassingCore):
    """Holds pulls half as long as they ask for: the time in a pull is how long it may be held, and
    ``shortPollingTimeMills`` is another.
    """

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Pulls ask for less."""
        asked = command.fields.get("suspendTimeoutMillis", "")
        if command.code == RequestCode.PULL_MESSAGE and asked.isdigit():
            fields = {**command.fields, "suspendTimeoutMillis": str(int(asked) // 2)}
            command = replace(command, fields=fields)
        return super().request(now_ms, conn, peer, command)


class SometimesBusy(PassingCore):
    """Refuses every sixth send with SYSTEM_BUSY and stores nothing: flow control needs no reason that a client could
    see.
    """

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.sends = 0

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Refuse some."""
        if command.code not in _SENDS or command.is_oneway:
            return super().request(now_ms, conn, peer, command)
        self.sends += 1
        if self.sends % BUSY_EVERY:
            return super().request(now_ms, conn, peer, command)
        return [Reply(conn, command.reply(ResponseCode.SYSTEM_BUSY, remark=BUSY_REMARK))]


class SometimesLateFlush(_Following):
    """Answers every fifth send under SYNC_FLUSH with FLUSH_DISK_TIMEOUT though it is on the disk: the code says that
    it is stored, and nothing of the disk.
    """

    codes = _SENDS

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Know less of some."""
        del now_ms
        return [self._perhaps_late(effect) for effect in effects]

    def _perhaps_late(self, effect: Effect) -> Effect:
        if self.question(effect) is None or not isinstance(effect, Reply) or effect.command.code != _SAFE:
            return effect
        if not self.turn(LATE_EVERY):
            return effect
        return Reply(effect.conn, stored_but(effect.command, ResponseCode.FLUSH_DISK_TIMEOUT))


def _late_flush(core: Core, settings: CoreSettings) -> Core:
    """Only under SYNC_FLUSH is there a time-out."""
    return SometimesLateFlush(core) if isinstance(settings, BrokerSettings) and settings.sync_flush else core


class ClosedConnections(PassingCore):
    """Closes the connection of a client that is in a group after thirty more answers, eight times in all: none is
    promised to last, and clients connect again.
    """

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.answers: dict[int, int] = {}
        """To each client, since its first heartbeat."""
        self.left = CLOSINGS_MAX

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Know the clients."""
        if command.code == RequestCode.HEART_BEAT:
            self.answers.setdefault(conn, 0)
        return super().request(now_ms, conn, peer, command)

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Count, and close after the answer."""
        del now_ms
        result = []
        for effect in effects:
            result.append(effect)
            if isinstance(effect, Reply) and effect.conn in self.answers:
                self.answers[effect.conn] += 1
                if self.answers[effect.conn] == ANSWERS_MAX and self.left > 0:
                    self.left -= 1
                    result.append(Close(effect.conn))
        return result

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Numbers of connections are not used again."""
        self.answers.pop(conn, None)
        return super().closed(now_ms, conn)


ODDITIES: Final = (
    Sabotage(
        "answers-out-of-order",
        "keeps every third answer to a send back for 30 ms, so that later ones overtake it",
        None,
        wrap_core=around_core(AnswersOutOfOrder),
    ),
    Sabotage(
        "unknown-fields",
        "gives every answer unknown fields, the known ones backwards, and a remark",
        None,
        wrap_core=around_core(UnknownFields),
    ),
    Sabotage(
        "small-pulls",
        "answers a pull with two messages at most",
        None,
        wrap_core=around_core(SmallPulls),
    ),
    Sabotage(
        "empty-pulls",
        "answers every fourth pull that finds something with PULL_RETRY_IMMEDIATELY",
        None,
        wrap_core=around_core(EmptyPulls),
    ),
    Sabotage(
        "short-holds",
        "holds pulls half as long as they ask for",
        None,
        wrap_core=around_core(ShortHolds),
    ),
    Sabotage(
        "sometimes-busy",
        "refuses every sixth send with SYSTEM_BUSY",
        None,
        wrap_core=around_core(SometimesBusy),
    ),
    Sabotage(
        "sometimes-late-flush",
        "answers every fifth send under SYNC_FLUSH with FLUSH_DISK_TIMEOUT, though it is on the disk",
        None,
        wrap_core=_late_flush,
    ),
    Sabotage(
        "closed-connections",
        "closes a client's connection after thirty answers, eight times in all",
        None,
        wrap_core=around_core(ClosedConnections),
    ),
)
