"""Planted bugs of pulls by hand: what an answer says of the queue, and pulls that are served although they must not be.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from reference_impl.commands import PULL_SUBSCRIPTION, RequestCode, ResponseCode
from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command
from reference_impl.sabotage.base import PassingCore, Sabotage, around_core
from reference_impl.server import Core

WRONG_EVERY: Final = 3
"""Every how many answers with several records these bugs make one wrong."""
MORE: Final = 5
"""How many messages ``give-more-than-asked`` adds to those asked for."""
TOO_FAR: Final = 1_000
"""How far behind the queue's end ``moved-too-far`` sends a pull."""
WRONG_ONCE_AT: Final = 5
"""Which question for a queue's end ``max-goes-back`` answers with one less; ``min-goes-back`` each so many."""
PLACE: Final = slice(28, 36)
"""A record's own place in the log."""
STORED: Final = slice(56, 64)
"""When it was stored, where the producer's address is IPv4."""
NEXT: Final = "nextBeginOffset"
"""The header field that only answers to pulls have."""


def changed(command: Command, **fields: object) -> Command:
    """The same with other header fields."""
    return replace(command, fields={**command.fields, **{name: str(value) for name, value in fields.items()}})


def records_of(body: bytes) -> list[bytes]:
    """A pull's records, one by one."""
    pieces, at = [], 0
    while at < len(body):
        size = int.from_bytes(body[at : at + 4], "big")
        pieces.append(body[at : at + size])
        at += size
    return pieces


class AskedOtherwise(PassingCore):
    """Changes pulls before the broker sees them; no bug itself."""

    def asked(self, command: Command) -> Command:
        """What is asked instead."""
        raise NotImplementedError

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Ask something else."""
        pull = command.code in (RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE)
        return super().request(now_ms, conn, peer, self.asked(command) if pull else command)


class AnsweredOtherwise(PassingCore):
    """Changes answers to pulls, held or not; no bug itself."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.several = 0
        """Answers with two or more records so far."""

    def answered(self, command: Command, records: list[bytes]) -> Command:
        """What is answered instead."""
        raise NotImplementedError

    def is_turn(self, records: list[bytes]) -> bool:
        """Whether this answer has several records and is one to make wrong."""
        self.several += len(records) > 1
        return len(records) > 1 and self.several % WRONG_EVERY == 0

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Answer something else."""
        del now_ms
        return [
            replace(effect, command=self.answered(effect.command, records_of(effect.command.body)))
            if isinstance(effect, Reply) and NEXT in effect.command.fields
            else effect
            for effect in effects
        ]


class GiveMoreThanAsked(AskedOtherwise):
    """Gives up to five messages more than a pull asks for; con-pull-batch must catch it."""

    def asked(self, command: Command) -> Command:
        """For more."""
        most = command.fields.get("maxMsgNums", "")
        return changed(command, maxMsgNums=int(most) + MORE) if most.isdigit() else command


class AnswerBackwards(AnsweredOtherwise):
    """Gives the records of every third answer that has several in the opposite order; con-pull-order must catch it."""

    def answered(self, command: Command, records: list[bytes]) -> Command:
        """From the last to the first."""
        return replace(command, body=b"".join(reversed(records))) if self.is_turn(records) else command


class NextOneShort(AnsweredOtherwise):
    """Says of every third answer with several records that its last one comes next; con-pull-next must catch it."""

    def answered(self, command: Command, records: list[bytes]) -> Command:
        """One less."""
        short = self.is_turn(records) and command.code == ResponseCode.SUCCESS
        return changed(command, **{NEXT: int(command.fields[NEXT]) - 1}) if short else command


class BoundsBehind(AnsweredOtherwise):
    """Says with records that the queue ends one message before it does; con-pull-bounds must catch it."""

    def answered(self, command: Command, records: list[bytes]) -> Command:
        """One less."""
        return changed(command, maxOffset=int(command.fields["maxOffset"]) - 1) if records else command


class MovedTooFar(AnsweredOtherwise):
    """Sends a pull outside of the queue to where no queue is; con-offset-moved must catch it."""

    def answered(self, command: Command, records: list[bytes]) -> Command:
        """Far behind the end."""
        del records
        if command.code != ResponseCode.PULL_OFFSET_MOVED:
            return command
        return changed(command, **{NEXT: int(command.fields["maxOffset"]) + TOO_FAR})


class HideTheEarlier(AnsweredOtherwise):
    """Leaves out records stored at an earlier time than one before them; where clocks go back con-alo must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.latest = (0, 0)
        """The latest time at which a given record was stored, and that record's place in the log."""

    def answered(self, command: Command, records: list[bytes]) -> Command:
        """With those in order of time alone."""
        given = []
        for record in records:
            stored, place = int.from_bytes(record[STORED], "big"), int.from_bytes(record[PLACE], "big")
            if stored < self.latest[0] and place > self.latest[1]:
                continue
            self.latest = max(self.latest, (stored, place))
            given.append(record)
        if records and not given:
            return replace(command, code=int(ResponseCode.PULL_RETRY_IMMEDIATELY), body=b"")
        return replace(command, body=b"".join(given))


class IgnoreVersions(AskedOtherwise):
    """Serves a pull with the subscription it knows, however old; con-sub-latest must catch it."""

    def asked(self, command: Command) -> Command:
        """With the oldest of versions."""
        return changed(command, subVersion=0)


class ServeStrangers(AskedOtherwise):
    """Gives everything to a group without members; con-pull-group-unknown must catch it."""

    def asked(self, command: Command) -> Command:
        """With a subscription to everything."""
        known = self.inner.state.members.consumers  # type: ignore[attr-defined]
        flags = int(command.fields.get("sysFlag", "0"))
        if flags & PULL_SUBSCRIPTION or command.fields.get("consumerGroup") in known:
            return command
        return changed(command, sysFlag=flags | PULL_SUBSCRIPTION, subscription="*")


class ServeAnyQueue(AskedOtherwise):
    """Serves a queue that is not there as the first one; con-pull-queue-range must catch it."""

    def asked(self, command: Command) -> Command:
        """Of the first queue."""
        topic = self.inner.state.topics.get(command.fields.get("topic", ""))  # type: ignore[attr-defined]
        queue = int(command.fields.get("queueId", "0"))
        return changed(command, queueId=0) if topic and not 0 <= queue < topic.read_queues else command


class RefusalHidden(PassingCore):
    """Answers a pull with another code than the refusal that it earned; no bug itself."""

    code: ResponseCode
    instead: ResponseCode

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Serve, and hide."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.PULL_MESSAGE:
            return effects
        return [
            replace(effect, command=replace(effect.command, code=int(self.instead), remark=None))
            if isinstance(effect, Reply) and effect.command.code == self.code
            else effect
            for effect in effects
        ]


class ServeTheBarred(RefusalHidden):
    """Answers pulls without permission as those of an empty queue; con-perm must catch it."""

    code = ResponseCode.NO_PERMISSION
    instead = ResponseCode.PULL_NOT_FOUND


class UnknownTopicIsEmpty(RefusalHidden):
    """Answers pulls of a topic that it does not have as those of an empty one; con-pull-topic-unknown must catch it."""

    code = ResponseCode.TOPIC_NOT_EXIST
    instead = ResponseCode.PULL_NOT_FOUND


class EdgeGoesBack(PassingCore):
    """Answers some questions for an edge of a queue that is not empty with one less; no bug itself."""

    question: RequestCode

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.asked: dict[tuple[str, str], int] = {}

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Count, and sometimes answer less."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != self.question:
            return effects
        return [self.answered(command, effect) if isinstance(effect, Reply) else effect for effect in effects]

    def answered(self, command: Command, reply: Reply) -> Reply:
        """One less, where it is to be wrong."""
        edge = int(reply.command.fields.get("offset", "0"))
        if edge <= 0:
            return reply
        place = command.fields.get("topic", ""), command.fields.get("queueId", "")
        self.asked[place] = self.asked.get(place, 0) + 1
        wrong = self.wrong(self.asked[place])
        return replace(reply, command=changed(reply.command, offset=edge - 1)) if wrong else reply

    def wrong(self, number: int) -> bool:
        """Whether the answer to the question of this number, of those for one queue, is to be wrong."""
        return number == WRONG_ONCE_AT


class MaxGoesBack(EdgeGoesBack):
    """Answers the fifth question for a queue's end with one less; sto-max-offset must catch it."""

    question = RequestCode.GET_MAX_OFFSET


class MinGoesBack(EdgeGoesBack):
    """Answers every fifth question for a queue's beginning, once it has moved, with one less; sto-min-offset must catch
    it.
    """

    question = RequestCode.GET_MIN_OFFSET

    def wrong(self, number: int) -> bool:
        """Every fifth: one that comes just when the beginning moves looks right."""
        return number % WRONG_ONCE_AT == 0


SABOTAGES: Final = (
    Sabotage(
        "give-more-than-asked",
        "gives up to five messages more than a pull asks for",
        "con-pull-batch",
        wrap_core=around_core(GiveMoreThanAsked),
    ),
    Sabotage(
        "answer-backwards",
        "gives the records of every third answer that has several in the opposite order",
        "con-pull-order",
        wrap_core=around_core(AnswerBackwards),
    ),
    Sabotage(
        "next-one-short",
        "says of every third answer with several records that its last one comes next",
        "con-pull-next",
        wrap_core=around_core(NextOneShort),
    ),
    Sabotage(
        "bounds-behind",
        "says with records that the queue ends one message before it does",
        "con-pull-bounds",
        wrap_core=around_core(BoundsBehind),
    ),
    Sabotage(
        "moved-too-far",
        "sends a pull outside of the queue to where no queue is",
        "con-offset-moved",
        wrap_core=around_core(MovedTooFar),
    ),
    Sabotage(
        "hide-the-earlier",
        "gives no record that was stored at an earlier time than one before it",
        "con-alo",
        wrap_core=around_core(HideTheEarlier),
    ),
    Sabotage(
        "serve-the-barred",
        "answers pulls without permission as those of an empty queue",
        "con-perm",
        wrap_core=around_core(ServeTheBarred),
    ),
    Sabotage(
        "ignore-versions",
        "serves a pull with the subscription it knows, however old",
        "con-sub-latest",
        wrap_core=around_core(IgnoreVersions),
    ),
    Sabotage(
        "unknown-topic-is-empty",
        "answers pulls of a topic that it does not have as those of an empty one",
        "con-pull-topic-unknown",
        wrap_core=around_core(UnknownTopicIsEmpty),
    ),
    Sabotage(
        "serve-strangers",
        "gives everything to a group without members",
        "con-pull-group-unknown",
        wrap_core=around_core(ServeStrangers),
    ),
    Sabotage(
        "serve-any-queue",
        "serves a queue that is not there as the first one",
        "con-pull-queue-range",
        wrap_core=around_core(ServeAnyQueue),
    ),
    Sabotage(
        "max-goes-back",
        "answers the fifth question for a queue's end with one less",
        "sto-max-offset",
        wrap_core=around_core(MaxGoesBack),
    ),
    Sabotage(
        "min-goes-back",
        "answers every fifth question for a queue's beginning, once it has moved, with one less",
        "sto-min-offset",
        wrap_core=around_core(MinGoesBack),
    ),
)
