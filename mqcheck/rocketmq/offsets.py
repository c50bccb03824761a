"""Offset requests with their rows: query, commit, minimum, maximum, search by time.

What an offset means and when to commit is the consumer's.
"""

from __future__ import annotations

from typing import Final, Literal

from mqcheck.errors import UnansweredError, UnsentError
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import RequestCode, ResponseCode
from mqcheck.rocketmq.models import MessageQueue
from mqcheck.rocketmq.pulling import number

OffsetKind = Literal["query", "commit", "min", "max", "search"]

_CODES: Final = {
    "query": RequestCode.QUERY_CONSUMER_OFFSET,
    "commit": RequestCode.UPDATE_CONSUMER_OFFSET,
    "min": RequestCode.GET_MIN_OFFSET,
    "max": RequestCode.GET_MAX_OFFSET,
    "search": RequestCode.SEARCH_OFFSET_BY_TIMESTAMP,
}


async def offset_request(
    client: Client,
    kind: OffsetKind,
    queue: MessageQueue,
    node: str,
    address: str | None,
    *,
    group: str | None = None,
    member: str | None = None,
    value: int | None = None,
    argument_ms: int | None = None,
    oneway: bool = False,
) -> tuple[str, int | None, int | None]:
    """Ask and record; gives outcome, response code, offset. Never raises for what the broker or link does."""
    recorder = client.recorder
    op = recorder.begin(
        "offsets",
        kind=kind,
        consumer_group=group,
        member=member,
        node=node,
        broker=queue.broker,
        topic=queue.topic,
        queue=queue.queue,
        value=value,
        argument_ms=argument_ms,
    )
    fields = {
        "consumerGroup": group,
        "topic": queue.topic,
        "queueId": queue.queue,
        "commitOffset": value,
        "timestamp": argument_ms,
        "bname": queue.broker,
    }
    command = client.command(_CODES[kind], fields)
    outcome: str
    code: int | None = None
    position: int | None = None
    try:
        if address is None:
            outcome = "unsent"
        elif oneway:
            (await client.connection(address)).oneway(command)
            outcome = "unknown"
        else:
            answer = await client.call(address, command, op=op)
            code, position = answer.code, number(answer, "offset")
            outcome = "ok" if code == ResponseCode.SUCCESS else "error"
    except UnsentError:
        outcome = "unsent"
    except UnansweredError:
        outcome = "unknown"
    recorder.end("offsets", op, outcome=outcome, code=code, position=position)
    return outcome, code, position
