"""Producers under steady load and consumer groups, with the ledger that says what is still owed to whom.

The ledger is for pacing alone: `recover` waits until every group has got what was acknowledged and, where a sender was
not told, what the brokers have besides. Verdicts come from the history. Everything runs through the world's clients,
so it runs in the simulation too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.consumer import Consumer, Listener
from mqcheck.rocketmq.models import Delivery, ListenerResult, MessageQueue, Mode, Outgoing, SendOutcome
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import POLL_MS, World
from mqcheck.targets.base import Victim
from mqcheck.workloads.client_plan import ClientPlan
from mqcheck.workloads.payloads import Payloads, pool

ASK_MS: Final = 100
"""How often a broker is asked for an offset that is awaited. Ours."""

JITTER: Final = 0.5
"""A pause between two sends varies by so much of itself, so that producers do not march in step."""


@dataclass(slots=True)
class Ledger:
    """Messages that a broker has acknowledged, by topic, and where they are."""

    acked: dict[str, dict[int, str]] = field(default_factory=dict)
    """Topic → message → broker that acknowledged it."""
    sent: int = 0
    """Send calls that have ended, whatever their outcome."""
    acknowledged: int = 0
    """Send calls that ended with SEND_OK, also those forgiven since."""

    def note(self, message: Outgoing, outcome: SendOutcome) -> None:
        """A send call has ended."""
        self.sent += 1
        if outcome.outcome == "ok":
            self.acknowledged += 1
            self.acked.setdefault(message.topic, {})[outcome.message] = outcome.broker or ""

    def forgive(self, broker: str) -> None:
        """What this broker has acknowledged so far may be gone, and what nobody knows where: nobody waits for it."""
        for messages in self.acked.values():
            for message in [message for message, where in messages.items() if where in ("", broker)]:
                del messages[message]

    def count(self) -> int:
        """Messages acknowledged and not forgiven."""
        return sum(len(messages) for messages in self.acked.values())


async def succeed(delivery: Delivery) -> ListenerResult:
    """The plain listener: every message is done at once."""
    return "success"


@dataclass(slots=True)
class Group:
    """One consumer group: its members, in this process or their own, and what it has got so far."""

    world: World
    ledger: Ledger
    name: str
    subscriptions: Mapping[str, str]
    listener: Listener = succeed
    options: Mapping[str, Any] = field(default_factory=dict)
    """`Consumer`'s: mode, orderly, from_where, max_reconsume."""
    consumers: dict[str, Consumer] = field(default_factory=dict)
    """Members that run in this process, by client name."""
    done: dict[str, set[int]] = field(default_factory=dict)
    """Messages done, or given up after the last delivery, by client name."""

    async def join(self, name: str, **client_overrides: Any) -> Consumer:
        """A new member with a client of its own."""
        client = await self.world.client(name, **client_overrides)
        done = self.done.setdefault(name, set())

        async def listen(delivery: Delivery) -> ListenerResult:
            result = await self.listener(delivery)
            if delivery.message is not None and (result == "success" or delivery.reconsume_times >= self._last):
                done.add(delivery.message)
            return result

        consumer = Consumer(client, self.name, self.subscriptions, listen, **self.options)
        self.consumers[name] = consumer
        await consumer.start()
        return consumer

    async def join_process(self, name: str, **changes: Any) -> Victim:
        """A new member in a process of its own, which faults can kill and pause; `changes` of `ClientPlan`."""
        done = self.done.setdefault(name, set())
        plan = ClientPlan(
            name=name,
            role="consumer",
            group=self.name,
            subscriptions=dict(self.subscriptions),
            **self.options,
            **changes,
        )
        return await self.world.process(plan, lambda line: done.update(line.get("done", ())))

    async def leave(self, name: str) -> None:
        """A member of this process goes in good order: commits, gives back its queues, unregisters."""
        await self.consumers.pop(name).close()

    async def crash(self, name: str) -> None:
        """A member of this process goes as if it had been killed: connections closed, nothing committed or said."""
        await self.consumers.pop(name).client.abandon()

    async def silence(self, name: str) -> None:
        """A member of this process stays connected and says nothing any more: no heartbeat, no pull."""
        await self.consumers.pop(name).client.silence()

    def missing(self) -> int:
        """Acknowledged messages that the group (each member of a broadcasting one) has not done yet."""
        owed = set().union(*(self.ledger.acked.get(topic, {}) for topic in self.subscriptions))
        if self.options.get("mode") == "broadcasting":
            return sum(len(owed - done) for done in self.done.values())
        return len(owed.difference(*self.done.values()))

    def progress(self) -> int:
        """Messages done."""
        return sum(len(done) for done in self.done.values())

    async def behind(self) -> int:
        """Queues whose committed offset is not at their end, as the running masters say; one that does not answer
        counts as one queue.

        Only where some send was not acknowledged: it may be stored all the same, and the ledger does not have it.
        0 for a broadcasting group, whose offsets no broker knows.
        """
        if self.options.get("mode") == "broadcasting" or self.ledger.sent == self.ledger.acknowledged:
            return 0
        admin = await self.world.admin()
        masters = [node.name for node in self.world.cluster.brokers() if node.running and node.broker_id == 0]
        return sum([await self._behind_on(admin, node) for node in masters])

    async def _behind_on(self, admin: Admin, node: str) -> int:
        topics = await admin.topics(node)
        if topics is None:
            return 1
        count = 0
        for topic in self.subscriptions.keys() & topics.keys():
            for queue in range(int(topics[topic]["readQueueNums"])):
                end = await admin.max_offset(node, topic, queue)
                if end is None or (end and (await admin.query_offset(node, self.name, topic, queue) or 0) < end):
                    count += 1
        return count

    @property
    def _last(self) -> int:
        return int(self.options.get("max_reconsume", self.world.profile.max_reconsume))


class Traffic:
    """The usual workload of a scenario: topics, steady producers, groups that must get everything."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ledger = Ledger()

    async def group(
        self,
        name: str,
        topics: str | Sequence[str],
        *,
        members: int = 1,
        listener: Listener = succeed,
        mode: Mode = "clustering",
        **options: Any,
    ) -> Group:
        """A consumer group that subscribes to whole topics; its members are called ``<name>-1``, ``<name>-2``, …"""
        subscriptions = dict.fromkeys((topics,) if isinstance(topics, str) else topics, "*")
        options = {"max_reconsume": self.world.profile.max_reconsume, "mode": mode, **options}
        group = Group(self.world, self.ledger, name, subscriptions, listener, options)
        for number in range(members):
            await group.join(f"{name}-{number + 1}")
        self.world.expect(group)
        return group

    @asynccontextmanager
    async def load(
        self,
        topic: str,
        *,
        name: str = "producer",
        producers: int = 2,
        rate_per_s: float = 40.0,
        workers: int = 2,
        largest: bool = False,
        **overrides: Any,
    ) -> AsyncIterator[Ledger]:
        """Producers that send steadily inside the block; at its end the sends under way are waited for.

        Their clients are called ``<name>-1``, ``<name>-2``, …; `rate_per_s` is all producers' together, `workers` one
        producer's sends under way at once, `largest` one message with the largest body a broker takes, `overrides`
        are `ClientSettings`'.
        """
        # In another thread: making the pool takes long enough to be a stall.
        await asyncio.get_running_loop().run_in_executor(None, pool, self.world.seed)
        stop = asyncio.Event()
        pause_s = producers * workers / rate_per_s
        tasks: list[asyncio.Task[None]] = []
        for number in range(producers):
            client = f"{name}-{number + 1}"
            producer = Producer(await self.world.client(client, **overrides), f"{topic}-producers")
            rng = self.world.rng(f"{topic} {client}")
            payloads = Payloads(
                topic, rng, seed=self.world.seed, largest_at=rng.randrange(10, 30) if largest and number == 0 else None
            )
            for worker in range(workers):
                work = self._produce(producer, payloads, f"w{worker}", pause_s, stop)
                tasks.append(self.world.spawn(work, f"{client} w{worker}"))
        try:
            yield self.ledger
        finally:
            stop.set()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.world.check_background()

    async def flow(self, ms: float, *, acked: int) -> None:
        """Let traffic go on while one watches for so long, and on a slow machine until `acked` more messages were
        acknowledged.

        Gives up silently after the profile's `ready_ms`: then too little has happened, and the judge says so.
        """
        loop = asyncio.get_running_loop()
        began, wanted = loop.time(), self.ledger.acknowledged + acked
        await self.world.watch_ms(ms)
        while self.ledger.acknowledged < wanted and loop.time() < began + self.world.profile.ready_ms / 1000:
            await self.world.sleep_ms(POLL_MS)

    async def settled(self, group: Group) -> None:
        """Until the group has done what was acknowledged, failures up to the last included; gives up as `flow` does."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.world.profile.ready_ms / 1000
        while group.missing() and loop.time() < deadline:
            await self.world.sleep_ms(POLL_MS)

    async def committed(self, group: str, queues: Sequence[tuple[str, MessageQueue]]) -> None:
        """Until the group has committed an offset above 0 for each of these (node, queue); gives up as `flow` does.

        What is counted from the first commit, such as a flush interval, must not begin before it.
        """
        loop, admin = asyncio.get_running_loop(), await self.world.admin()
        deadline = loop.time() + self.world.profile.ready_ms / 1000
        for node, queue in queues:
            while not await admin.query_offset(node, group, queue.topic, queue.queue) and loop.time() < deadline:
                await self.world.sleep_ms(ASK_MS)

    async def attempt(self, ms: float, *, calls: int) -> None:
        """Let traffic go on for so long, and on a slow machine until `calls` more send calls have ended, however they
        did; gives up as `flow` does.
        """
        loop = asyncio.get_running_loop()
        began, wanted = loop.time(), self.ledger.sent + calls
        await self.world.sleep_ms(ms)
        while self.ledger.sent < wanted and loop.time() < began + self.world.profile.ready_ms / 1000:
            await self.world.sleep_ms(POLL_MS)

    async def _produce(
        self, producer: Producer, payloads: Payloads, worker: str, pause_s: float, stop: asyncio.Event
    ) -> None:
        rng = self.world.rng(f"pauses {producer.group} {worker}")
        while not stop.is_set():
            message = payloads.next()
            self.ledger.note(message, await producer.send(message, worker=worker))
            try:
                await asyncio.wait_for(stop.wait(), pause_s * rng.uniform(1 - JITTER, 1 + JITTER))
            except TimeoutError:
                pass  # not told to stop: send the next one
