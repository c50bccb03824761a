"""Transactions: half messages that are committed, rolled back, asked about, given up, and kept through a restart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mqcheck.faults.process import Kill
from mqcheck.profile import Profile
from mqcheck.rocketmq.checks import HalfCheck
from mqcheck.rocketmq.models import MessageQueue, Outgoing
from mqcheck.rocketmq.transactions import Decision, Half, TransactionalProducer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import Deployment
from mqcheck.workloads.pattern import hurt
from mqcheck.workloads.payloads import Payloads
from mqcheck.workloads.traffic import Traffic

NODE: Final = "broker-a"
EACH: Final = 8
"""Half messages of each kind."""

PLAIN_PER_S: Final = 80
"""Messages without a transaction in the same queues, beside them."""

SILENT: Final = 7
"""Half messages that nobody ever decides."""

CHECK_LATE_MS: Final = 2_000
"""How much longer than its time a check is waited for, more than `txn-check-asked` allows. Ours."""

QUICK_CHECKS: Final = {"transactionTimeOut": 800, "transactionCheckInterval": 400, "transactionCheckMax": 2}
FULL_CHECKS: Final = {"transactionTimeOut": 6_000, "transactionCheckInterval": 10_000, "transactionCheckMax": 2}
"""RocketMQ's own fifteen rounds, 30 or 60 s apart, take a quarter of an hour."""


@dataclass(slots=True)
class _Bank:
    """Producers that share one group, and what they are to say about each half message."""

    world: World
    traffic: Traffic
    topic: str
    payloads: Payloads
    says: dict[int, Decision] = field(default_factory=dict)
    """Message → what a check of it is answered; nothing at all where it is not here."""

    @classmethod
    async def make(cls, world: World, topic: str) -> _Bank:
        """A topic, a group that reads it, and nobody who sends yet."""
        traffic = Traffic(world)
        topic = await world.topic(topic, queues=2)
        await traffic.group("ledger", topic, members=1)
        return cls(world, traffic, topic, Payloads(topic, world.rng(topic), seed=world.seed))

    async def teller(self, name: str, group: str = "tellers") -> TransactionalProducer:
        """A producer whose group every broker knows."""
        producer = TransactionalProducer(await self.world.client(name), group, self.answer)
        await producer.start(self.topic)
        return producer

    def message(self) -> Outgoing:
        """The next one that has a body: RocketMQ 4.9.7 cannot ask about others."""
        return next(message for message in iter(self.payloads.next, None) if message.body)

    async def halves(self, producer: TransactionalProducer, count: int) -> list[Half]:
        """So many half messages, in the topic's queues by turns."""
        found = []
        for number in range(count):
            _, half = await producer.prepare(self.message(), queue=MessageQueue(self.topic, NODE, number % 2))
            if half is not None:
                found.append(half)
        return found

    def answer(self, check: HalfCheck) -> Decision | None:
        """What the group says to a check."""
        return None if check.message is None else self.says.get(check.message)

    def decide_when_asked(self, halves: Iterable[Half], decision: Decision) -> None:
        """A check of one of these will be answered; what will be committed is owed to the group that reads."""
        for half in halves:
            if half.message is not None:
                self.says[half.message] = decision
                if decision == "commit":
                    self.owe(half)

    async def end(self, producer: TransactionalProducer, halves: Iterable[Half], decision: Decision) -> None:
        """Decide each, and wait for the answer."""
        for half in halves:
            if await producer.end(half, decision, oneway=False) == 0 and decision == "commit":
                self.owe(half)

    def owe(self, half: Half) -> None:
        """The group that reads is to get it."""
        if half.message is not None:
            self.traffic.ledger.acked.setdefault(self.topic, {})[half.message] = NODE


async def _run(world: World) -> None:
    bank = await _Bank.make(world, "transfers")
    first, second = await bank.teller("teller-1"), await bank.teller("teller-2")
    await bank.teller("clerk-1", "clerks")
    plain = bank.traffic.load(bank.topic, producers=1, rate_per_s=PLAIN_PER_S)
    async with world.phase("load"), plain:
        lost = await bank.halves(first, EACH)
        bank.decide_when_asked(lost, "commit")
        await first.client.abandon()
        asked = await bank.halves(second, EACH)
        bank.decide_when_asked(asked[: EACH // 2], "commit")
        bank.decide_when_asked(asked[EACH // 2 :], "rollback")
        await bank.halves(second, SILENT)
        kept, dropped = await bank.halves(second, EACH), await bank.halves(second, EACH)
        for half in dropped:
            await second.end(half, "commit", oneway=False, group="clerks")
            await second.end(_elsewhere(half), "commit", oneway=False)
        await bank.end(second, kept, "commit")
        await bank.end(second, kept[:2], "commit")
        await bank.end(second, dropped, "rollback")
        for _ in range(EACH // 2):
            _, told = await second.send(bank.message(), "commit")
            if told is not None:
                bank.decide_when_asked([told], "commit")
        await world.watch_ms(_all_checks_ms(world))


def _elsewhere(half: Half) -> Half:
    """The same with a place in the queue of half messages that is not its own."""
    return Half(half.message, half.unique_key, half.node, half.half_offset + 1, half.physical_offset)


def _all_checks_ms(world: World) -> int:
    """From the last half message until it must have been asked about, and given up."""
    settings = world.cluster.nodes[NODE].settings
    timeout_ms, interval_ms = int(settings["transactionTimeOut"]), int(settings["transactionCheckInterval"])
    rounds = int(settings["transactionCheckMax"]) + 2
    return timeout_ms + max(interval_ms + CHECK_LATE_MS, rounds * interval_ms)


async def _restart(world: World) -> None:
    bank = await _Bank.make(world, "payments")
    teller = await bank.teller("teller-1")
    async with world.phase("load"):
        kept = await bank.halves(teller, EACH)
        await bank.end(teller, kept, "commit")
        asked, decided = await bank.halves(teller, EACH), await bank.halves(teller, EACH)
        bank.decide_when_asked(asked, "commit")
    await hurt(world, [Kill(NODE)], world.profile.load_ms / 8)
    async with world.phase("load"):
        await teller.client.heartbeat()
        await bank.end(teller, decided, "commit")
        await world.watch_ms(_all_checks_ms(world))


def _quick_checks(profile: Profile) -> Deployment:
    return Deployment(settings=QUICK_CHECKS if profile.name == "quick" else FULL_CHECKS)


SCENARIOS: Final = (
    Scenario(
        name="transactions",
        summary="Catches half messages that are seen, lost, changed, asked about too early, too often or elsewhere.",
        deployment=_quick_checks,
        aims=(
            "txn-half-invisible",
            "txn-commit-alo",
            "txn-commit-same",
            "txn-rollback-none",
            "txn-check-group",
            "txn-check-asked",
            "txn-check-takeover",
            "txn-check-not-early",
            "txn-check-limit",
            "txn-parked",
            "txn-no-check-done",
            "txn-group-guard",
            "txn-check-identity",
            "con-dup-cause",
        ),
        run=_run,
        seconds=7,
    ),
    Scenario(
        name="transactions-restart",
        summary="Catches brokers that forget, when they are killed, what was committed or is still to be decided.",
        deployment=_quick_checks,
        needs=frozenset({"kill"}),
        aims=("txn-survives-restart", "txn-commit-alo"),
        run=_restart,
        seconds=6,
    ),
)
