"""Calls a listener and writes what it saw and said: ``deliveries`` and ``results``.

The order of ``history.md`` §1 is kept here: the delivery is in the history before the listener is called, the result
before the message leaves the unfinished ones. What follows from a result is the services'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from mqcheck.errors import FrameError, UnansweredError, UnsentError
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import P_KEYS, P_MQC, P_RETRY_TOPIC, P_TAGS, P_UNIQ_KEY, RequestCode, ResponseCode
from mqcheck.rocketmq.consumer.share import Held, Share
from mqcheck.rocketmq.digests import digest, props_digest
from mqcheck.rocketmq.message import StoredRecord, content
from mqcheck.rocketmq.models import Delivery, ListenerResult, Misbehaviour
from mqcheck.rocketmq.routes import node_name
from mqcheck.rocketmq.sendheader import parse_mqc

Listener = Callable[[Delivery], Awaitable[ListenerResult]]
"""What an application does with a message; raising means ``exception``."""

RESULTS = frozenset(get_args(ListenerResult))


class Listening:
    """The listener of one consumer with its rows."""

    def __init__(
        self, client: Client, group: str, retry_topic: str, listener: Listener, misbehave: Misbehaviour
    ) -> None:
        self._client = client
        self._recorder = client.recorder
        self._group = group
        self._retry_topic = retry_topic
        self._listener = listener
        self._misbehave = misbehave
        self._leaving: asyncio.Task[None] | None = None
        self.deliveries = 0

    async def deliver(self, share: Share, item: Held) -> tuple[int, ListenerResult | None]:
        """Record the delivery, call the listener, record its verdict; None: it is never told (misbehaviour)."""
        delivery = self._delivered(share, item)
        if self._misbehave.stop_mid_message == self.deliveries:
            await self._stop_here()
        result = await self._ask(delivery)
        if self._misbehave.never_acknowledge:
            return delivery.delivery, None
        op = self._recorder.begin("results", kind="listener", result=result, **self._result_columns(delivery.delivery))
        self._recorder.end("results", op, outcome="ok")
        return delivery.delivery, result

    async def send_back(self, share: Share, item: Held, delivery: int, max_reconsume: int) -> bool:
        """CONSUMER_SEND_MSG_BACK with delay level 0 (the broker's ladder); True: the broker has it."""
        record = item.record
        op = self._recorder.begin(
            "results", kind="send-back", result="later", delay_level=0, **self._result_columns(delivery)
        )
        fields = {
            "offset": record.physical_offset,
            "group": self._group,
            "delayLevel": 0,
            "originMsgId": record.properties.get(P_UNIQ_KEY),
            "originTopic": self._origin(record),
            "unitMode": False,
            "maxReconsumeTimes": max_reconsume,
            "bname": share.queue.broker,
        }
        outcome, code = "unsent", None
        address = self._client.address_of(share.queue.broker)
        if address is not None:
            command = self._client.command(RequestCode.CONSUMER_SEND_MSG_BACK, fields)
            try:
                answer = await self._client.call(address, command, op=op)
            except UnsentError:
                outcome = "unsent"
            except UnansweredError:
                outcome = "unknown"
            else:
                code = answer.code
                outcome = "ok" if code == ResponseCode.SUCCESS else "error"
        self._recorder.end("results", op, outcome=outcome, code=code)
        return outcome == "ok"

    def dropped(self, delivery: int, result: ListenerResult) -> None:
        """Note that a result came too late to count: the queue is no longer this member's."""
        op = self._recorder.begin("results", kind="dropped", result=result, **self._result_columns(delivery))
        self._recorder.end("results", op, outcome="ok")

    async def _ask(self, delivery: Delivery) -> ListenerResult:
        try:
            result = await self._listener(delivery)
        except Exception:
            return "exception"
        if result not in RESULTS:
            raise ValueError(f"listener of {self._group} returned {result!r}: return one of {sorted(RESULTS)}")
        return result

    async def _stop_here(self) -> None:
        """Crash the whole client; this task ends with it."""
        self._leaving = asyncio.get_running_loop().create_task(self._client.abandon())
        await asyncio.Event().wait()

    def _delivered(self, share: Share, item: Held) -> Delivery:
        record, queue = item.record, share.queue
        properties = record.properties
        message, attempt = parse_mqc(properties.get(P_MQC), self._recorder.run)
        tag, keys = properties.get(P_TAGS), properties.get(P_KEYS)
        body = _body(record)
        times = record.reconsume_times + item.retries
        self.deliveries += 1
        number = self._recorder.point(
            "deliveries",
            pull=item.pull,
            consumer_group=self._group,
            member=self._client.client_id,
            session=share.session,
            message=message,
            attempt=attempt,
            unique_key=properties.get(P_UNIQ_KEY),
            topic=queue.topic,
            origin_topic=self._origin(record),
            broker=queue.broker,
            node=node_name(queue.broker, share.broker_id),
            queue=queue.queue,
            queue_offset=record.queue_offset,
            tag=tag,
            reconsume_times=times,
            flag=record.flag,
            crc_ok=record.crc_ok,
            body_digest=digest(body),
            props_digest=props_digest(properties, tag, keys, record.flag),
            store_time=record.store_time_ms,
            born_time=record.born_time_ms,
            received=item.received_ns,
        )
        return Delivery(
            delivery=number,
            message=message,
            attempt=attempt,
            body=body,
            tag=tag,
            keys=tuple(keys.split(" ")) if keys else (),
            properties=properties,
            topic=queue.topic,
            origin_topic=self._origin(record),
            broker=queue.broker,
            queue=queue.queue,
            queue_offset=record.queue_offset,
            physical_offset=record.physical_offset,
            reconsume_times=times,
            flag=record.flag,
            unique_key=properties.get(P_UNIQ_KEY),
            store_time_ms=record.store_time_ms,
            born_time_ms=record.born_time_ms,
        )

    def _origin(self, record: StoredRecord) -> str:
        """The topic the listener sees: a redelivery's own, not the retry topic."""
        if record.topic == self._retry_topic:
            return record.properties.get(P_RETRY_TOPIC, record.topic)
        return record.topic

    def _result_columns(self, delivery: int) -> dict[str, Any]:
        return {"delivery": delivery, "consumer_group": self._group, "member": self._client.client_id}


def _body(record: StoredRecord) -> bytes:
    """The body as sent; as stored where it does not unfold (its digest then differs, as it must)."""
    try:
        return content(record)
    except FrameError:
        return record.body
