"""What runs inside a client process: one consumer or producer with a stream of its own, until stdin ends.

Says ``{"ready": true}`` once connected, then now and then ``{"done": [messages…]}`` or ``{"acked": [messages…]}``; all
it did stands in its stream. Started by `launcher` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from mqcheck.clock import RealClock
from mqcheck.history.recorder import Recorder, StallWatch
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.consumer import Consumer
from mqcheck.rocketmq.models import Delivery, ListenerResult
from mqcheck.rocketmq.producer import Producer
from mqcheck.sabotage import seam_of
from mqcheck.workloads.client_plan import ClientOrder
from mqcheck.workloads.payloads import Payloads

TELL_MS: Final = 100
"""How often it says what was done. Ours."""


class ClientWork:
    """One consumer or producer, put together from an order."""

    def __init__(self, order: ClientOrder, recorder: Recorder, rng: random.Random) -> None:
        self.order = order
        self.client = Client(
            order.plan.name,
            order.nameservers,
            recorder,
            order.settings,
            recorder.clock,
            rng,
            nameserver_names=order.nameserver_names,
            seam=seam_of(order.sabotage),
        )
        self.rng = rng
        self._fresh: list[int] = []

    def fresh(self) -> list[int]:
        """Messages done (consumer) or acknowledged (producer) since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    async def start(self) -> None:
        """Connect, and begin to consume."""
        await self.client.start()
        plan = self.order.plan
        if plan.role == "consumer":
            consumer = Consumer(
                self.client,
                plan.group,
                plan.subscriptions,
                self.listen,
                mode=plan.mode,
                orderly=plan.orderly,
                from_where=plan.from_where,
                max_reconsume=plan.max_reconsume,
            )
            await consumer.start()

    async def listen(self, delivery: Delivery) -> ListenerResult:
        """The listener: works as long as it is told, fails as often as it is told."""
        plan = self.order.plan
        if plan.work_ms:
            await asyncio.sleep(plan.work_ms / 1000)
        failing = delivery.reconsume_times < plan.fail_deliveries
        if delivery.message is not None and (not failing or delivery.reconsume_times >= plan.max_reconsume):
            self._fresh.append(delivery.message)
        if not failing:
            return "success"
        return "suspend" if plan.orderly else "later"

    async def produce(self) -> None:
        """Send steadily, until cancelled; a consumer has nothing to send."""
        plan = self.order.plan
        if plan.role != "producer":
            return
        producer = Producer(self.client, plan.group)
        payloads = Payloads(plan.topic, self.rng, seed=self.order.seed)
        while True:
            outcome = await producer.send(payloads.next())
            if outcome.outcome == "ok":
                self._fresh.append(outcome.message)
            await asyncio.sleep(1 / plan.rate_per_s)


async def serve(order: ClientOrder, stdin: asyncio.StreamReader, say: Any) -> None:
    """Work until stdin ends, then close in good order."""
    recorder = Recorder(
        Path(order.events),
        run=order.run,
        process=order.plan.name,
        number=order.number,
        life=order.life,
        clock=RealClock(),
    )
    watch = StallWatch(recorder, asyncio.get_running_loop())
    watch.start()
    rng = random.Random(f"{order.seed}/{order.purpose}")  # noqa: S311 - plans, not secrets
    work = ClientWork(order, recorder, rng)
    await work.start()
    say({"ready": True})
    word = "done" if order.plan.role == "consumer" else "acked"
    background = [asyncio.create_task(work.produce()), asyncio.create_task(_tell(work, word, say))]
    while await stdin.read(4096):
        pass
    for task in background:
        task.cancel()
    for task in background:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await work.client.close()
    say({word: work.fresh()})
    watch.stop()
    recorder.close()


async def _tell(work: ClientWork, word: str, say: Any) -> None:
    while True:
        await asyncio.sleep(TELL_MS / 1000)
        if fresh := work.fresh():
            say({word: fresh})


async def run() -> None:
    """Read the order from stdin, then serve it."""
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    order = msgspec.json.decode(await reader.readline(), type=ClientOrder)

    def say(told: dict[str, Any]) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        sys.stdout.buffer.flush()

    await serve(order, reader, say)
