"""The producer: retries, broker avoidance and budgets of the official one, with every call and request recorded.

Which bytes are written is ``sendheader``'s; which connection, the client's. Source: DefaultMQProducerImpl
(``rocketmq.md`` §6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mqcheck.errors import FrameError, UnansweredError, UnsentError
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import (
    DEFAULT_TOPIC,
    DEFAULT_TOPIC_QUEUES,
    KEPT_CODES,
    PROPERTIES_BYTES_MAX,
    RETRY_CODES,
    SYSFLAG_PREPARED,
    RequestCode,
    ResponseCode,
)
from mqcheck.rocketmq.connection import Connection
from mqcheck.rocketmq.digests import digest, noted, props_digest, user_properties
from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.message import BatchMember, encode_batch, java_hash, physical_offset
from mqcheck.rocketmq.models import MessageQueue, Outgoing, SendOutcome
from mqcheck.rocketmq.names import owned
from mqcheck.rocketmq.routes import node_name
from mqcheck.rocketmq.sendheader import packed, send_fields, wire_properties, with_attempt
from mqcheck.rocketmq.unique import UniqueKeys

SendMode = Literal["sync", "async", "oneway"]


@dataclass(frozen=True, slots=True)
class _Sent:
    """One message of a call."""

    message: Outgoing
    id: int
    unique_key: str
    op: int
    """Its row in ``sends``."""


@dataclass(frozen=True, slots=True)
class _Result:
    """How one attempt ended."""

    outcome: Literal["ok", "kept", "refused", "unsent", "unknown"]
    queue: MessageQueue | None = None
    code: int | None = None
    queue_offset: int | None = None
    message_ids: tuple[str, ...] = ()
    transaction_id: str | None = None
    remark: str | None = None

    @property
    def again(self) -> bool:
        """True when the official client tries once more."""
        return self.outcome in ("unsent", "unknown") or (self.outcome == "refused" and self.code in RETRY_CODES)


class _Call:
    """One send call: its messages, budget and batch id."""

    def __init__(self, sent: Sequence[_Sent], mode: SendMode, batch: int | None, deadline: float) -> None:
        self.sent = sent
        self.mode = mode
        self.batch = batch
        self.deadline = deadline
        self.attempts = 0

    @property
    def topic(self) -> str:
        return self.sent[0].message.topic

    def remaining_s(self) -> float:
        return self.deadline - asyncio.get_running_loop().time()


class Producer:
    """Sends messages as the official client does: retries, broker avoidance, one UNIQ_KEY for all attempts."""

    def __init__(self, client: Client, group: str) -> None:
        self.client = client
        self.group = group = owned(client.settings.prefix, group)
        self._keys = UniqueKeys(client.recorder.number, client.rng)
        self._turns: dict[tuple[str, str], int] = {}
        self._slots = asyncio.Semaphore(client.settings.async_outstanding)
        self._running: set[asyncio.Task[SendOutcome]] = set()
        client.add_producer(group)

    async def send(
        self,
        message: Outgoing,
        *,
        queue: MessageQueue | None = None,
        worker: str = "w0",
        timeout_ms: int | None = None,
        retries: int | None = None,
    ) -> SendOutcome:
        """Send and wait; never raises for what a broker or a link does. A given ``queue`` means one attempt."""
        return (await self._send([message], "sync", queue, worker, timeout_ms, retries))[0]

    async def send_sharded(self, message: Outgoing, *, worker: str = "w0") -> SendOutcome:
        """Send to the queue that the message's sharding key stands for, and wait; one attempt, as with any given queue.

        Source: SelectMessageQueueByHash.
        """
        queues = await self.queues(message.topic)
        if not queues:
            return await self.send(message, worker=worker, retries=0)
        chosen = queues[abs(java_hash(message.sharding_key or "")) % len(queues)]
        return await self.send(message, queue=self.client.seam.shard(chosen, queues), worker=worker)

    async def send_async(
        self, message: Outgoing, *, queue: MessageQueue | None = None, worker: str = "w0"
    ) -> asyncio.Task[SendOutcome]:
        """Start a send; waits only while ``settings.async_outstanding`` are under way."""
        await self._slots.acquire()

        async def run() -> SendOutcome:
            try:
                return (await self._send([message], "async", queue, worker, None, None))[0]
            finally:
                self._slots.release()

        task = self.client.spawn(run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def send_oneway(
        self, message: Outgoing, *, queue: MessageQueue | None = None, worker: str = "w0"
    ) -> SendOutcome:
        """Write and forget: outcome "unknown" (or "error" when nothing left)."""
        return (await self._send([message], "oneway", queue, worker, None, 0))[0]

    async def send_batch(
        self,
        messages: Sequence[Outgoing],
        *,
        queue: MessageQueue | None = None,
        worker: str = "w0",
        timeout_ms: int | None = None,
        retries: int | None = None,
    ) -> list[SendOutcome]:
        """SEND_BATCH_MESSAGE: one topic, one wait_store, no delay levels (ValueError otherwise)."""
        if (
            not messages
            or len({(m.topic, m.wait_store) for m in messages}) != 1
            or any(m.delay_level for m in messages)
        ):
            raise ValueError("a batch is one or more messages of one topic and one wait_store, without delay level")
        return await self._send(messages, "sync", queue, worker, timeout_ms, retries, batch=True)

    async def drain(self) -> None:
        """Wait until no asynchronous send is under way."""
        while self._running:
            await asyncio.wait(self._running)

    async def queues(self, topic: str) -> tuple[MessageQueue, ...]:
        """The writable queues of a topic by the client's route; of the default topic's when it has none."""
        self.client.watch(topic)
        route = await self.client.route(topic)
        if route is None:
            default = await self.client.route(DEFAULT_TOPIC)
            if default is None:
                return ()
            return tuple(
                MessageQueue(topic, queue.broker, queue.queue)
                for queue in default.capped(DEFAULT_TOPIC_QUEUES).write_queues()
            )
        return route.write_queues()

    # --- one call ---------------------------------------------------------------------------------------------------

    async def _send(
        self,
        messages: Sequence[Outgoing],
        mode: SendMode,
        queue: MessageQueue | None,
        worker: str,
        timeout_ms: int | None,
        retries: int | None,
        *,
        batch: bool = False,
    ) -> list[SendOutcome]:
        settings = self.client.settings
        budget_ms = settings.send_timeout_ms if timeout_ms is None else timeout_ms
        tries = 1 if queue is not None else 1 + (settings.send_retries if retries is None else retries)
        batch_id = self.client.recorder.new_id() if batch else None
        deadline = asyncio.get_running_loop().time() + budget_ms / 1000
        sent = [self._began(m, mode, worker, batch_id, i) for i, m in enumerate(messages)]
        call = _Call(sent, mode, batch_id, deadline)
        result = await self._attempts(call, queue, worker, tries)
        return [self._ended(call, index, result) for index in range(len(sent))]

    def _began(self, message: Outgoing, mode: SendMode, worker: str, batch: int | None, index: int) -> _Sent:
        recorder = self.client.recorder
        number = recorder.new_id()
        key = self._keys.make(self.client.clock.wall_ms())
        keys = " ".join(message.keys) or None
        op = recorder.begin(
            "sends",
            message=number,
            topic=message.topic,
            mode=mode,
            producer=self.client.name,
            producer_group=self.group,
            worker=worker,
            unique_key=key,
            tag=message.tag,
            keys=keys,
            sharding_key=message.sharding_key,
            delay_level=message.delay_level,
            delay_ms=self.client.settings.delay_ms(message.delay_level),
            transactional=message.half_of is not None,
            wait_store=message.wait_store,
            batch=batch,
            batch_index=None if batch is None else index,
            size=len(message.body),
            flag=message.flag,
            body_digest=digest(message.body),
            props_digest=props_digest(message.properties, message.tag, keys, message.flag),
            properties=noted(user_properties(message.properties)),
        )
        return _Sent(message, number, key, op)

    def _ended(self, call: _Call, index: int, result: _Result) -> SendOutcome:
        sent = call.sent[index]
        told: Literal["ok", "kept", "error", "unknown"] = "error"
        if result.outcome in ("ok", "kept"):
            told = "ok" if result.outcome == "ok" else "kept"
        elif call.mode == "oneway" and result.outcome == "unknown":
            told = "unknown"
        told, queue = self.client.seam.told(told), result.queue
        outcome = SendOutcome(
            outcome=told,
            message=sent.id,
            unique_key=sent.unique_key,
            attempts=call.attempts,
            code=result.code,
            broker=queue.broker if queue else None,
            queue=queue.queue if queue else None,
            queue_offset=None if result.queue_offset is None else result.queue_offset + index,
            offset_message_id=result.message_ids[index] if index < len(result.message_ids) else None,
            reason=result.remark,
        )
        self.client.recorder.end(
            "sends",
            sent.op,
            outcome=told,
            code=outcome.code,
            broker=outcome.broker,
            queue=outcome.queue,
            queue_offset=outcome.queue_offset,
        )
        return outcome

    async def _attempts(self, call: _Call, queue: MessageQueue | None, worker: str, tries: int) -> _Result:
        result = _Result("unsent", queue, remark=f"no route to topic {call.topic}")
        last: str | None = None
        for _ in range(tries):
            remaining_s = call.remaining_s()
            if remaining_s <= 0:
                break
            chosen = queue or await self._choose(call.topic, worker, last, remaining_s)
            if chosen is None:
                break
            result = await self._attempt(call, chosen)
            if not result.again:
                break
            last = self.client.seam.failed_broker(chosen.broker)
        return result

    async def _choose(self, topic: str, worker: str, last: str | None, remaining_s: float) -> MessageQueue | None:
        """The worker's next queue, not of the broker that just failed while there is another."""
        try:
            async with asyncio.timeout(remaining_s):
                queues = await self.queues(topic)
        except TimeoutError:
            return None
        if not queues:
            return None
        turn = self._turns.get((worker, topic))
        if turn is None:
            turn = self.client.rng.randrange(len(queues))
        order = [queues[(turn + step) % len(queues)] for step in range(len(queues))]
        chosen = next((queue for queue in order if queue.broker != last), order[0])
        self._turns[worker, topic] = turn + order.index(chosen) + 1
        return chosen

    # --- one request ------------------------------------------------------------------------------------------------

    async def _attempt(self, call: _Call, queue: MessageQueue) -> _Result:
        client, recorder = self.client, self.client.recorder
        number, call.attempts = call.attempts, call.attempts + 1
        if client.address_of(queue.broker) is None:
            await self.queues(queue.topic)
        address = client.address_of(queue.broker)
        connection = None if address is None else client.connected(address)
        common: dict[str, Any] = {
            "attempt": number,
            "topic": queue.topic,
            "conn": None if connection is None else connection.conn,
            "node": node_name(queue.broker, 0),
            "broker": queue.broker,
            "queue": queue.queue,
            "batch": call.batch,
            "batch_size": None if call.batch is None else len(call.sent),
        }
        ops = [recorder.begin("attempts", parent=sent.op, message=sent.id, **common) for sent in call.sent]
        conn: int | None = None
        texts, body_size = self._texts(call, number), None
        try:
            command = self._command(call, queue, texts)
            body_size = None if call.batch is not None else len(command.body)
            link = connection or await self._connect(queue.broker, address, call.remaining_s())
            conn = link.conn
            if call.mode == "oneway":
                link.oneway(command)
                result = _Result("unknown", queue, remark="one-way")
            else:
                answer = await link.request(command, max(call.remaining_s(), 0.0), ops[0])
                result = _read_answer(answer, queue)
        except (UnsentError, FrameError) as error:
            result = _Result("unsent", queue, remark=str(error))
        except UnansweredError as error:
            result = _Result("unknown", queue, remark=str(error))
        for index, op in enumerate(ops):
            self._attempt_ended(op, index, result, conn=conn, body_size=body_size, props_size=len(texts[index]))
        return result

    async def _connect(self, broker: str, address: str | None, remaining_s: float) -> Connection:
        if address is None:
            raise UnsentError(f"broker {broker} is in no route")
        return await self.client.connection(address, max(remaining_s, 0.0) * 1000)

    def _attempt_ended(self, op: int, index: int, result: _Result, **sizes: int | None) -> None:
        """End a message's row; ``sizes``: further columns that the request gave."""
        offset = result.queue_offset
        message_id = result.message_ids[index] if index < len(result.message_ids) else None
        self.client.recorder.end(
            "attempts",
            op,
            outcome=result.outcome,
            code=result.code,
            queue_offset=None if offset is None else offset + index,
            offset_msg_id=message_id,
            physical_offset=physical_offset(message_id),
            transaction_id=result.transaction_id,
            remark=result.remark,
            **sizes,
        )

    def _texts(self, call: _Call, attempt: int) -> list[bytes]:
        """The property text of each message in this request."""
        run = self.client.recorder.run
        return [
            with_attempt(wire_properties(sent.message, sent.unique_key), run, sent.id, attempt) for sent in call.sent
        ]

    def _command(self, call: _Call, queue: MessageQueue, texts: Sequence[bytes]) -> Command:
        """The request. Raises FrameError when the properties of a batch are longer than a record can hold."""
        if max(map(len, texts)) > PROPERTIES_BYTES_MAX and call.batch is not None:
            raise FrameError(f"properties of {max(map(len, texts))} bytes do not fit a batch: {PROPERTIES_BYTES_MAX}")
        born = self.client.clock.wall_ms()
        first = call.sent[0].message
        if call.batch is None:
            body, sys_flag = packed(first.body, self.client.settings.compress_from_bytes)
            if first.half_of is not None:
                sys_flag |= SYSFLAG_PREPARED
            fields = send_fields(self.group, queue, texts[0], born_time_ms=born, sys_flag=sys_flag, flag=first.flag)
            return self.client.command(RequestCode.SEND_MESSAGE_V2, fields, body)
        members = (BatchMember(s.message.body, text, s.message.flag) for s, text in zip(call.sent, texts, strict=True))
        wait = b"WAIT\x01true" if first.wait_store else b"WAIT\x01false"
        fields = send_fields(self.group, queue, wait, born_time_ms=born, batch=True)
        return self.client.command(RequestCode.SEND_BATCH_MESSAGE, fields, encode_batch(members))


def _read_answer(answer: Command, queue: MessageQueue) -> _Result:
    offset = answer.fields.get("queueOffset", "")
    chosen = answer.fields.get("queueId", "")
    stored = answer.code == ResponseCode.SUCCESS or answer.code in KEPT_CODES
    outcome: Literal["ok", "kept", "refused"] = "refused"
    if stored:
        outcome = "ok" if answer.code == ResponseCode.SUCCESS else "kept"
    return _Result(
        outcome,
        MessageQueue(queue.topic, queue.broker, int(chosen)) if chosen.isdecimal() else queue,
        answer.code,
        int(offset) if offset.isdecimal() else None,
        tuple(filter(None, answer.fields.get("msgId", "").split(","))),
        answer.fields.get("transactionId"),
        answer.remark,
    )
