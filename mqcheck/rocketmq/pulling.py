"""One PULL_MESSAGE: its header, its row in the history, its answer as a value.

Who pulls when and from where is the consumer's and the admin's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mqcheck.errors import FrameError, UnansweredError, UnsentError
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import PULL_SUBSCRIPTION, PULL_SUSPEND, RequestCode, ResponseCode
from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.message import StoredRecord, decode_record, split_records
from mqcheck.rocketmq.models import MessageQueue, PullAnswer


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What to ask for."""

    queue: MessageQueue
    group: str
    member: str
    session: int
    position: int
    max_num: int
    hold_ms: int | None
    """How long the broker may hold it; None: it must answer at once."""
    timeout_ms: float
    sub_version: int = 0
    expression: str | None = None
    """An expression carried in the header; None: the broker uses the heartbeat's."""
    expression_type: str = "TAG"
    """What the expression is: TAG or SQL92."""

    def fields(self) -> dict[str, object]:
        """Header fields (PullMessageRequestHeader)."""
        suspend = PULL_SUSPEND if self.hold_ms is not None else 0
        return {
            "consumerGroup": self.group,
            "topic": self.queue.topic,
            "queueId": self.queue.queue,
            "queueOffset": self.position,
            "maxMsgNums": self.max_num,
            "sysFlag": suspend | (PULL_SUBSCRIPTION if self.expression is not None else 0),
            "commitOffset": 0,
            "suspendTimeoutMillis": self.hold_ms or 0,
            "subVersion": self.sub_version,
            "subscription": self.expression,
            "expressionType": self.expression_type,
            "bname": self.queue.broker,
        }


async def pull(client: Client, request: PullRequest, node: str, address: str) -> PullAnswer:
    """Pull once and record it; never raises for what the broker or link does."""
    recorder = client.recorder
    connection = client.connected(address)
    op = recorder.begin(
        "pulls",
        kind="pull",
        consumer_group=request.group,
        member=request.member,
        session=request.session,
        conn=None if connection is None else connection.conn,
        node=node,
        broker=request.queue.broker,
        topic=request.queue.topic,
        queue=request.queue.queue,
        position=request.position,
        max_num=request.max_num,
        suspend_ms=request.hold_ms or 0,
        sub_version=str(request.sub_version),
        expression=request.expression,
        expression_type=request.expression_type if request.expression is not None else None,
    )
    command = client.command(RequestCode.PULL_MESSAGE, request.fields())
    conn: int | None = None
    try:
        connection = connection or await client.connection(address)
        conn = connection.conn
        answer = read_pull_answer(await connection.request(command, request.timeout_ms / 1000, op), op)
    except UnsentError as error:
        answer = PullAnswer("unsent", op=op, remark=str(error))
    except UnansweredError as error:
        answer = PullAnswer("unknown", op=op, remark=str(error))
    recorder.end(
        "pulls",
        op,
        conn=conn,
        outcome=answer.outcome,
        code=answer.code,
        **_span_of(answer.records),
        next_offset=answer.next_offset,
        min_offset=answer.min_offset,
        max_offset=answer.max_offset,
        suggested_broker_id=answer.suggested_broker_id,
    )
    return answer


def _span_of(records: Sequence[StoredRecord]) -> dict[str, int | bool | None]:
    """How many records an answer holds, from where to where, and whether each is above the one before."""
    if not records:
        return {"records": 0}
    offsets = [record.queue_offset for record in records]
    ascending = all(one < two for one, two in pairwise(offsets))
    return {"records": len(offsets), "first_offset": offsets[0], "last_offset": offsets[-1], "ascending": ascending}


def read_pull_answer(answer: Command, op: int | None = None) -> PullAnswer:
    """The answer as a value; records that cannot be read make the outcome ``error``."""
    known = (
        ResponseCode.SUCCESS,
        ResponseCode.PULL_NOT_FOUND,
        ResponseCode.PULL_RETRY_IMMEDIATELY,
        ResponseCode.PULL_OFFSET_MOVED,
    )
    records: tuple[StoredRecord, ...] = ()
    remark = answer.remark
    damaged = False
    if answer.code == ResponseCode.SUCCESS:
        try:
            records = tuple(decode_record(piece) for piece in split_records(answer.body))
        except FrameError as error:
            damaged, remark = True, str(error)
    return PullAnswer(
        "ok" if answer.code in known and not damaged else "error",
        answer.code,
        records,
        number(answer, "nextBeginOffset"),
        number(answer, "minOffset"),
        number(answer, "maxOffset"),
        number(answer, "suggestWhichBrokerId"),
        remark,
        op,
    )


def number(answer: Command, name: str) -> int | None:
    """A header field as an integer; None when it is missing or none."""
    try:
        return int(answer.fields[name])
    except (KeyError, ValueError):
        return None
