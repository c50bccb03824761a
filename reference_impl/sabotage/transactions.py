"""Planted bugs of transactions: half messages seen, lost, changed, and asked about wrongly.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from typing import Any, Final, cast

from msgspec.structs import replace

from reference_impl.commands import (
    PROPERTY_KEYS,
    PROPERTY_PGROUP,
    PROPERTY_REAL_QID,
    PROPERTY_REAL_TOPIC,
    PROPERTY_UNIQ_KEY,
    SYS_TRANSACTION_COMMIT,
    SYS_TRANSACTION_MASK,
    SYS_TRANSACTION_ROLLBACK,
    TRANS_CHECK_MAX_TIME_TOPIC,
    TRANS_HALF_TOPIC,
    RequestCode,
)
from reference_impl.effects import Effect, Push
from reference_impl.frame import Command
from reference_impl.message import Host, Message, decode_properties
from reference_impl.sabotage.base import Passing, PassingCore, Sabotage, around_core, around_store
from reference_impl.server import Core
from reference_impl.store import Appended, Store
from reference_impl.transactions import TransactionTable

EVERY: Final = 3
"""Every how many messages something goes wrong with one."""
CHECKS_MANY: Final = 1_000
"""More checks than anybody waits for."""


def _committed(message: Message) -> bool:
    return message.sys_flag & SYS_TRANSACTION_MASK == SYS_TRANSACTION_COMMIT


class ShowHalf(Passing):
    """Stores every half message in its real topic too; txn-half-invisible must catch it."""

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, perhaps twice."""
        if message.topic == TRANS_HALF_TOPIC:
            properties = dict(message.properties)
            topic, queue_id = properties.pop(PROPERTY_REAL_TOPIC), int(properties.pop(PROPERTY_REAL_QID))
            self.inner.append(
                replace(message, topic=topic, queue_id=queue_id, properties=properties), now_ms, store_host
            )
        return cast(Appended, self.inner.append(message, now_ms, store_host))


class LoseCommits(Passing):
    """Acknowledges every third commit and puts its message where nobody looks; txn-commit-alo must catch it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.count = 0

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, perhaps under another topic."""
        if _committed(message):
            self.count += 1
            if self.count % EVERY == 0:
                message = replace(message, topic=f"{message.topic}-astray")
        return cast(Appended, self.inner.append(message, now_ms, store_host))


class CommitTwice(Passing):
    """Stores two copies for each commit; con-dup-cause must catch it."""

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, perhaps twice."""
        if _committed(message):
            self.inner.append(message, now_ms, store_host)
        return cast(Appended, self.inner.append(message, now_ms, store_host))


class ChangeCommitted(Passing):
    """Stores committed messages without their keys; txn-commit-same must catch it."""

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, perhaps with less."""
        if _committed(message):
            kept = {name: value for name, value in message.properties.items() if name != PROPERTY_KEYS}
            message = replace(message, properties=kept)
        return cast(Appended, self.inner.append(message, now_ms, store_host))


class DropUndecided(Passing):
    """Keeps only every third half message that is given up; txn-parked must catch it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.count = 0

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, perhaps under another topic."""
        if message.topic == TRANS_CHECK_MAX_TIME_TOPIC:
            self.count += 1
            if self.count % EVERY:
                message = replace(message, topic=f"{message.topic}-astray")
        return cast(Appended, self.inner.append(message, now_ms, store_host))


class ForgetHalves(Passing):
    """Starts without the half messages that were open when it ended; txn-survives-restart must catch it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.start = inner.max_offset(TRANS_HALF_TOPIC, 0)

    def min_offset(self, topic: str, queue_id: int) -> int:
        """The queue of half messages begins where it ended at the start."""
        return self.start if topic == TRANS_HALF_TOPIC else cast(int, self.inner.min_offset(topic, queue_id))


class CommitRollbacks(PassingCore):
    """Takes a rollback for a commit; txn-rollback-none must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Ends of transactions commit."""
        fields = command.fields
        if (
            command.code == RequestCode.END_TRANSACTION
            and fields.get("commitOrRollback") == f"{SYS_TRANSACTION_ROLLBACK}"
        ):
            command = replace(command, fields={**fields, "commitOrRollback": f"{SYS_TRANSACTION_COMMIT}"})
        return super().request(now_ms, conn, peer, command)


class DecideForAnybody(PassingCore):
    """Takes a decision whatever group and place it names; txn-group-guard must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Ends of transactions name what is stored at their position."""
        if command.code == RequestCode.END_TRANSACTION:
            state: Any = self.inner.state  # type: ignore[attr-defined]
            record = state.store.record_at(int(command.fields["commitLogOffset"]))
            if record is not None:
                right = {
                    "producerGroup": record.properties.get(PROPERTY_PGROUP, ""),
                    "tranStateTableOffset": str(record.queue_offset),
                }
                command = replace(command, fields={**command.fields, **right})
        return super().request(now_ms, conn, peer, command)


class _Checks(PassingCore):
    """Something is wrong with the checks that it sends."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Look at each check."""
        found: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Push) and effect.command.code == RequestCode.CHECK_TRANSACTION_STATE:
                found += self.check(effect)
            else:
                found.append(effect)
        return found

    def check(self, push: Push) -> list[Effect]:
        """What goes out in a check's place."""
        raise NotImplementedError

    def producers(self) -> dict[str, list[int]]:
        """Group → connections of its producers."""
        state: Any = self.inner.state  # type: ignore[attr-defined]
        return {group: sorted(conns) for group, conns in state.members.producers.items()}


class AskAnybody(_Checks):
    """Asks a producer of another group where there is one; txn-check-group must catch it."""

    def check(self, push: Push) -> list[Effect]:
        """To somebody else."""
        others = [conns for conns in self.producers().values() if conns and push.conn not in conns]
        return [replace(push, conn=others[0][0])] if others else [push]


class SkipChecks(_Checks):
    """Never asks about every third half message; txn-check-asked must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.numbers: dict[str, int] = {}

    def check(self, push: Push) -> list[Effect]:
        """Nothing at all, for some."""
        number = self.numbers.setdefault(push.command.fields["msgId"], len(self.numbers))
        return [push] if number % EVERY else []


class AskSenderOnly(_Checks):
    """Asks where the half message came from, and nobody when that is gone; txn-check-takeover must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.senders: dict[str, int] = {}

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Remember who sent what."""
        if command.code == RequestCode.SEND_MESSAGE_V2:
            properties = decode_properties(command.fields.get("i", "").encode())
            self.senders[properties.get(PROPERTY_UNIQ_KEY, "")] = conn
        return super().request(now_ms, conn, peer, command)

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Forget who is gone."""
        self.senders = {key: sender for key, sender in self.senders.items() if sender != conn}
        return super().closed(now_ms, conn)

    def check(self, push: Push) -> list[Effect]:
        """To nobody else."""
        sender = self.senders.get(push.command.fields["msgId"])
        return [] if sender is None else [replace(push, conn=sender)]


class MisplaceChecks(_Checks):
    """Asks with the place after the half message's own; txn-check-identity must catch it."""

    def check(self, push: Push) -> list[Effect]:
        """With another offset."""
        fields = push.command.fields
        wrong = str(int(fields["tranStateTableOffset"]) + 1)
        return [replace(push, command=replace(push.command, fields={**fields, "tranStateTableOffset": wrong}))]


class CheckAtOnce(PassingCore):
    """Asks about half messages of any age; txn-check-not-early must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        state: Any = inner.state  # type: ignore[attr-defined]
        state.settings = replace(state.settings, transactionTimeOut=0)


class CheckForEver(PassingCore):
    """Asks about an undecided half message without end; txn-check-limit must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        state: Any = inner.state  # type: ignore[attr-defined]
        state.settings = replace(state.settings, transactionCheckMax=CHECKS_MANY)


class _Forgetful(TransactionTable):
    """Half messages that no decision settles."""

    def op_stored(self, op_offset: int, origin: int) -> None:
        """The decision is written; the half message stays open."""
        self.op_end = op_offset + 1


class ForgetDecisions(PassingCore):
    """Keeps a decided half message open; txn-no-check-done must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        state: Any = inner.state  # type: ignore[attr-defined]
        state.transactions = _Forgetful()


SABOTAGES: Final = (
    Sabotage(
        "show-half",
        "stores every half message in its real topic too",
        "txn-half-invisible",
        wrap_store=around_store(ShowHalf),
    ),
    Sabotage(
        "lose-commits",
        "acknowledges every third commit and puts its message where nobody looks",
        "txn-commit-alo",
        wrap_store=around_store(LoseCommits),
    ),
    Sabotage(
        "commit-twice",
        "stores two copies for each commit",
        "con-dup-cause",
        wrap_store=around_store(CommitTwice),
    ),
    Sabotage(
        "change-committed",
        "stores committed messages without their keys",
        "txn-commit-same",
        wrap_store=around_store(ChangeCommitted),
    ),
    Sabotage(
        "commit-rollbacks", "takes a rollback for a commit", "txn-rollback-none", wrap_core=around_core(CommitRollbacks)
    ),
    Sabotage(
        "ask-anybody",
        "asks a producer of another group about a half message",
        "txn-check-group",
        wrap_core=around_core(AskAnybody),
    ),
    Sabotage(
        "skip-checks", "never asks about every third half message", "txn-check-asked", wrap_core=around_core(SkipChecks)
    ),
    Sabotage(
        "ask-sender-only",
        "asks nobody about a half message whose sender is gone",
        "txn-check-takeover",
        wrap_core=around_core(AskSenderOnly),
    ),
    Sabotage(
        "check-at-once",
        "asks about half messages of any age",
        "txn-check-not-early",
        wrap_core=around_core(CheckAtOnce),
    ),
    Sabotage(
        "check-for-ever",
        "asks about an undecided half message without end",
        "txn-check-limit",
        wrap_core=around_core(CheckForEver),
    ),
    Sabotage(
        "drop-undecided",
        "keeps only every third half message that is given up",
        "txn-parked",
        wrap_store=around_store(DropUndecided),
    ),
    Sabotage(
        "forget-decisions",
        "keeps a decided half message open",
        "txn-no-check-done",
        wrap_core=around_core(ForgetDecisions),
    ),
    Sabotage(
        "decide-for-anybody",
        "takes a decision whatever group and place it names",
        "txn-group-guard",
        wrap_core=around_core(DecideForAnybody),
    ),
    Sabotage(
        "misplace-checks",
        "asks with the place after the half message's own",
        "txn-check-identity",
        wrap_core=around_core(MisplaceChecks),
    ),
    Sabotage(
        "forget-halves",
        "starts without the half messages that were open when it ended",
        "txn-survives-restart",
        wrap_store=around_store(ForgetHalves),
    ),
)
