"""Messages asked for by their place in the log or by a key, with rows: ``lookups`` and ``found``.

What was to be found is the judge's. Sources: QueryMessageProcessor, RocketMQ's VIEW_MESSAGE_BY_ID and QUERY_MESSAGE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mqcheck.errors import FrameError, UnansweredError, UnsentError
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import P_KEYS, P_MQC, P_TAGS, P_UNIQ_KEY, RequestCode, ResponseCode
from mqcheck.rocketmq.message import StoredRecord, decode_record, physical_offset, split_records
from mqcheck.rocketmq.sendheader import parse_mqc

LookupKind = Literal["view", "key", "unique-key"]
"""By the id that the send's answer gave, by one of its keys, by its UNIQ_KEY."""

ALL_TIME_MS: Final = 2**62
"""An end that no message's time is beyond. Ours."""

UNIQUE_KEY_QUERY: Final = "_UNIQUE_KEY_QUERY"
"""The header field by which clients say that a key is a UNIQ_KEY (MixAll.UNIQUE_MSG_QUERY_FLAG)."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What to look for."""

    kind: LookupKind
    topic: str
    name: str
    """The message id or key."""
    max_num: int = 32
    """How many messages are wanted at most; a view gives one."""

    def request(self) -> tuple[RequestCode, Mapping[str, object]]:
        """Request code and header fields (ViewMessageRequestHeader, QueryMessageRequestHeader)."""
        if self.kind == "view":
            return RequestCode.VIEW_MESSAGE_BY_ID, {"topic": self.topic, "offset": physical_offset(self.name)}
        return RequestCode.QUERY_MESSAGE, {
            "topic": self.topic,
            "key": self.name,
            "maxNum": self.max_num,
            "beginTimestamp": 0,
            "endTimestamp": ALL_TIME_MS,
            UNIQUE_KEY_QUERY: str(self.kind == "unique-key").lower(),
        }


async def look_up(client: Client, lookup: Lookup, node: str, address: str) -> tuple[StoredRecord, ...] | None:
    """Ask once and record: the records, none where the broker says that there are none, None without an answer.

    Records that cannot be read make the outcome ``error``. Never raises for what the broker or link does.
    """
    recorder = client.recorder
    op = recorder.begin(
        "lookups", kind=lookup.kind, node=node, topic=lookup.topic, name=lookup.name, max_num=lookup.max_num
    )
    code, fields = lookup.request()
    outcome, answered, records = "ok", None, None
    try:
        answer = await client.call(address, client.command(code, fields), op=op)
        answered = answer.code
        pieces = split_records(answer.body) if answer.code == ResponseCode.SUCCESS else []
        records = tuple(decode_record(piece) for piece in pieces)
    except UnsentError:
        outcome = "unsent"
    except UnansweredError:
        outcome = "unknown"
    except FrameError:
        outcome = "error"
    for record in records or ():
        _note(recorder, op, node, record)
    recorder.end("lookups", op, outcome=outcome, code=answered, records=len(records or ()))
    return records


def _note(recorder: Recorder, parent: int, node: str, record: StoredRecord) -> None:
    message, attempt = parse_mqc(record.properties.get(P_MQC), recorder.run)
    recorder.point(
        "found",
        parent=parent,
        node=node,
        topic=record.topic,
        queue=record.queue_id,
        queue_offset=record.queue_offset,
        physical_offset=record.physical_offset,
        message=message,
        attempt=attempt,
        unique_key=record.properties.get(P_UNIQ_KEY),
        tag=record.properties.get(P_TAGS),
        keys=record.properties.get(P_KEYS),
        store_time=record.store_time_ms,
    )
