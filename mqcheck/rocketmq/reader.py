"""Reads a whole queue for a final reading: every record a row, nothing filtered, nothing skipped in silence.

When and which queues are read is the runner's; whether what was found is right, the judge's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mqcheck.errors import FrameError, RemotingError
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import P_KEYS, P_MQC, P_TAGS, P_UNIQ_KEY, RequestCode, ResponseCode
from mqcheck.rocketmq.digests import digest, props_digest
from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.message import StoredRecord, content, decode_record, split_records
from mqcheck.rocketmq.models import MessageQueue, Reading
from mqcheck.rocketmq.names import owned
from mqcheck.rocketmq.offsets import offset_request
from mqcheck.rocketmq.pulling import PullRequest, number
from mqcheck.rocketmq.sendheader import parse_mqc

READER_GROUP: Final = "mqcheck-reader"
"""The consumer group that readings pull with; it commits nothing."""

READ_BATCH: Final = 256
"""Records asked for at once; brokers cut it to their own limit."""

EMPTY_ANSWERS_MAX: Final = 8
"""Answers without progress after which a reading gives up as incomplete; ours."""

_GOES_ON: Final = frozenset(
    {ResponseCode.PULL_NOT_FOUND, ResponseCode.PULL_RETRY_IMMEDIATELY, ResponseCode.PULL_OFFSET_MOVED}
)


@dataclass(frozen=True, slots=True)
class ReadTarget:
    """Which queue is read where, and under which name."""

    node: str
    address: str
    queue: MessageQueue
    reading: str


class QueueReader:
    """Reads one queue from its minimum to its maximum offset."""

    def __init__(self, client: Client, target: ReadTarget) -> None:
        self._client = client
        self._target = target
        self.records = 0

    async def read(self, broker_id: int, master: bool) -> Reading:
        """Read and record; never raises for what the broker or link does."""
        target, recorder = self._target, self._client.recorder
        op = recorder.begin(
            "readings",
            reading=target.reading,
            node=target.node,
            broker=target.queue.broker,
            broker_id=broker_id,
            master=master,
            topic=target.queue.topic,
            queue=target.queue.queue,
        )
        first, end = await self._edge("min"), await self._edge("max")
        known = first is not None and end is not None
        complete = known and await self._walk(first or 0, end or 0)
        outcome = "ok" if known else "error"
        recorder.end("readings", op, outcome=outcome, min_offset=first, max_offset=end, complete=complete)
        return Reading("ok" if known else "error", complete, first, end, self.records)

    async def _edge(self, kind: str) -> int | None:
        target = self._target
        outcome, _, position = await offset_request(
            self._client, "min" if kind == "min" else "max", target.queue, target.node, target.address
        )
        return position if outcome == "ok" else None

    async def _walk(self, offset: int, end: int) -> bool:
        """True when every offset up to ``end`` was asked for and every answer could be read."""
        empty = 0
        whole = True
        while offset < end:
            try:
                answer = await self._ask(offset)
            except RemotingError:
                return False
            following = number(answer, "nextBeginOffset")
            if answer.code == ResponseCode.SUCCESS:
                pieces = split_records(answer.body)
                whole = self._note(pieces) and whole
                following = following if following is not None else offset + len(pieces)
            elif answer.code not in _GOES_ON:
                return False
            if following is None or following <= offset:
                empty += 1
                if empty >= EMPTY_ANSWERS_MAX:
                    return False
                continue
            offset = following
        return whole

    async def _ask(self, offset: int) -> Command:
        target, settings = self._target, self._client.settings
        request = PullRequest(
            queue=target.queue,
            group=owned(settings.prefix, READER_GROUP),
            member=self._client.client_id,
            session=0,
            position=offset,
            max_num=READ_BATCH,
            hold_ms=None,
            timeout_ms=settings.pull_timeout_ms,
            expression="*",
        )
        command = self._client.command(RequestCode.PULL_MESSAGE, request.fields())
        return await self._client.call(target.address, command, timeout_ms=settings.pull_timeout_ms)

    def _note(self, pieces: Sequence[bytes]) -> bool:
        """Write a row per record; False when one could not be read."""
        whole = True
        for piece in pieces:
            self.records += 1
            try:
                record = decode_record(piece)
                self._found(record, content(record), piece)
            except FrameError:
                whole = False
                self._damaged(piece)
        return whole

    def _found(self, record: StoredRecord, body: bytes, piece: bytes) -> None:
        target, recorder = self._target, self._client.recorder
        properties = record.properties
        message, attempt = parse_mqc(properties.get(P_MQC), recorder.run)
        tag, keys = properties.get(P_TAGS), properties.get(P_KEYS)
        recorder.point(
            "final_log",
            reading=target.reading,
            node=target.node,
            broker=target.queue.broker,
            topic=target.queue.topic,
            queue=target.queue.queue,
            queue_offset=record.queue_offset,
            physical_offset=record.physical_offset,
            message=message,
            attempt=attempt,
            unique_key=properties.get(P_UNIQ_KEY),
            parsed=True,
            crc_ok=record.crc_ok,
            body_digest=digest(body),
            props_digest=props_digest(properties, tag, keys, record.flag),
            record_digest=digest(piece),
            flag=record.flag,
            store_time=record.store_time_ms,
            born_time=record.born_time_ms,
            reconsume_times=record.reconsume_times,
            tag=tag,
            keys=keys,
            prepared_offset=str(record.prepared_offset),
        )

    def _damaged(self, piece: bytes) -> None:
        target = self._target
        self._client.recorder.point(
            "final_log",
            reading=target.reading,
            node=target.node,
            broker=target.queue.broker,
            topic=target.queue.topic,
            queue=target.queue.queue,
            parsed=False,
            crc_ok=False,
            record_digest=digest(piece),
        )
