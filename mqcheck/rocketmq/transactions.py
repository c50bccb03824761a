"""Transactional sends: half messages, END_TRANSACTION, and answers to checks, with every step recorded.

How a half message is sent is `producer`'s; what a check says, `checks`'. Source: DefaultMQProducerImpl
.sendMessageInTransaction, .endTransaction and .checkTransactionState (``rocketmq.md`` §9).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from mqcheck.errors import UnansweredError, UnsentError
from mqcheck.rocketmq.checks import HalfCheck
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import RequestCode, ResponseCode
from mqcheck.rocketmq.connection import Connection
from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.models import MessageQueue, Outgoing, SendOutcome
from mqcheck.rocketmq.producer import Producer
from mqcheck.rocketmq.routes import node_name

Decision = Literal["commit", "rollback", "none"]
"""``none``: the local transaction does not know yet (LocalTransactionState.UNKNOW)."""

Checker = Callable[[HalfCheck], Decision | None]
"""What a producer says to a check; None: nothing at all, as one that hangs."""

DECISIONS: Final[dict[Decision, int]] = {"commit": 8, "rollback": 12, "none": 0}
"""commitOrRollback (MessageSysFlag)."""


@dataclass(frozen=True, slots=True)
class Half:
    """A stored half message, as its producer knows it."""

    message: int | None
    """The history's id."""
    unique_key: str | None
    node: str
    """The master that has it."""
    half_offset: int
    physical_offset: int


class TransactionalProducer:
    """Sends half messages and decides them, as the official client does. Its client answers checks for the group."""

    def __init__(self, client: Client, group: str, checker: Checker) -> None:
        self.client = client
        self._producer = Producer(client, group)
        self.group = self._producer.group
        self._checker = checker
        client.answer_checks(self.group, self._checked)

    async def start(self, topic: str) -> None:
        """Make the group known to every broker of the topic, which is known for its route from then on."""
        await self._producer.queues(topic)
        await self.client.heartbeat()

    async def send(
        self, message: Outgoing, decision: Decision, *, queue: MessageQueue | None = None
    ) -> tuple[SendOutcome, Half | None]:
        """The whole call: half message, local transaction, one-way END_TRANSACTION.

        A half message that was stored with a warning (10, 11, 12) is rolled back, whatever the decision.
        """
        outcome, half = await self.prepare(message, queue=queue)
        if half is not None:
            await self.end(half, decision if outcome.outcome == "ok" else "rollback", oneway=True)
        return outcome, half

    async def prepare(self, message: Outgoing, *, queue: MessageQueue | None = None) -> tuple[SendOutcome, Half | None]:
        """The half message alone; no Half where it was not stored. A delay level is dropped, as the official client
        does."""
        outcome = await self._producer.send(replace(message, delay_level=0, half_of=self.group), queue=queue)
        place = outcome.offset_message_id
        if outcome.broker is None or outcome.queue_offset is None or place is None:
            return outcome, None
        node = node_name(outcome.broker, 0)
        return outcome, Half(outcome.message, outcome.unique_key, node, outcome.queue_offset, int(place[-16:], 16))

    async def end(self, half: Half, decision: Decision, *, oneway: bool, group: str | None = None) -> int | None:
        """END_TRANSACTION; the broker's answer, or None where none came or none was wanted.

        Raises ValueError for a decision ``none`` that waits for an answer: there never is one. ``group``: another than
        the producer's own, to be refused.
        """
        if decision == "none" and not oneway:
            raise ValueError("END_TRANSACTION with decision 'none' is never answered: send it one-way")
        return await self._decide(half, decision, oneway, group or self.group, None)

    def _checked(self, connection: Connection, check: HalfCheck, op: int) -> None:
        """A broker asks about one of the group's half messages."""
        decision = self._checker(check)
        if decision is not None:
            half = Half(check.message, check.unique_key, connection.peer.node, check.half_offset, check.physical_offset)
            # With an answer where there is one, so that it can be judged; the official client asks for none.
            oneway = decision == "none"
            self.client.spawn(self._decide(half, decision, oneway, self.group, connection, op))

    async def _decide(
        self,
        half: Half,
        decision: Decision,
        oneway: bool,
        group: str,
        link: Connection | None,
        check_op: int | None = None,
    ) -> int | None:
        """END_TRANSACTION, over the connection that a check came on or to where the half message is."""
        recorder = self.client.recorder
        op = self._begin(half, decision, oneway, group, from_check=check_op is not None, check_op=check_op)
        command = self._command(half, decision, group, from_check=check_op is not None)
        try:
            link = link or await self._link(half.node)
            if oneway:
                link.oneway(command)
                recorder.end("transactions", op, outcome="unknown")
                return None
            answer = await link.request(command, self.client.settings.request_timeout_ms / 1000, op)
        except (UnsentError, UnansweredError) as error:
            outcome = "unsent" if isinstance(error, UnsentError) else "unknown"
            recorder.end("transactions", op, outcome=outcome)
            return None
        outcome = "ok" if answer.code == ResponseCode.SUCCESS else "refused"
        recorder.end("transactions", op, outcome=outcome, code=answer.code, remark=answer.remark)
        return answer.code

    async def _link(self, node: str) -> Connection:
        """A connection to a master. Raises UnsentError."""
        address = self.client.nodes().get(node)
        if address is None:
            raise UnsentError(f"{node} is in no route")
        return await self.client.connection(address)

    def _begin(self, half: Half, decision: Decision, oneway: bool, group: str, **columns: Any) -> int:
        return self.client.recorder.begin(
            "transactions",
            message=half.message,
            producer=self.client.name,
            producer_group=group,
            kind="oneway" if oneway else "reply",
            decision=decision,
            node=half.node,
            half_offset=half.half_offset,
            physical_offset=half.physical_offset,
            **columns,
        )

    def _command(self, half: Half, decision: Decision, group: str, *, from_check: bool) -> Command:
        return self.client.command(
            RequestCode.END_TRANSACTION,
            {
                "producerGroup": group,
                "tranStateTableOffset": half.half_offset,
                "commitLogOffset": half.physical_offset,
                "commitOrRollback": DECISIONS[decision],
                "fromTransactionCheck": from_check,
                "msgId": half.unique_key,
                "transactionId": half.unique_key,
            },
        )
