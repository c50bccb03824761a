"""Links between clients and brokers: slow, one-way, cut, reset in the middle of a send."""

from __future__ import annotations

from typing import Final

from mqcheck.faults.frame import DelayFrame, DropFrame, DuplicateFrame, HoldFrame
from mqcheck.faults.link import Blackhole, Down, Latency, LimitData, Reset
from mqcheck.rocketmq.codes import RequestCode
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment
from mqcheck.workloads.pattern import hurt, traffic_under
from mqcheck.workloads.traffic import Traffic

TWO_GROUPS: Final = Deployment(brokers=(BrokerSpec("broker-a"), BrokerSpec("broker-b")))
"""Two broker groups: a client that loses one has another to go to."""

CUT_LINKS: Final = ("producer-1->broker-a", "billing-1->broker-a")
"""One producer and one consumer lose one broker; the others are witnesses."""

DELIVERED: Final = ("con-alo", "con-dup-cause", "sto-offset-dense", "sto-offset-unique")
"""What must hold however the links are."""

SEND: Final = (RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2)
"""How a message may come to a broker."""


async def _latency(world: World) -> None:
    await traffic_under(world, [Latency("*->broker-a", ms=60, jitter_ms=30)])


async def _partition(world: World) -> None:
    await traffic_under(world, [Blackhole(link) for link in CUT_LINKS])


async def _to_broker(world: World) -> None:
    await traffic_under(world, [Blackhole(link, "up") for link in CUT_LINKS])


async def _from_broker(world: World) -> None:
    await traffic_under(world, [Blackhole(link, "down") for link in CUT_LINKS])


async def _reset(world: World) -> None:
    torn = LimitData("producer-1->broker-a", "up", limit_bytes=3_000)
    await traffic_under(world, [Reset("producer-*->broker-a", "down")], [torn], fault_ms=world.profile.load_ms / 2)


async def _retry(world: World) -> None:
    refused, reset = Down("producer-*->broker-a"), Reset("producer-*->broker-a", "up")
    # A producer that reaches nobody uses up its retries, and then has to say so.
    lonely = [Down("producer-1->broker-a"), Down("producer-1->broker-b")]
    await traffic_under(world, [refused], [reset], lonely, fault_ms=world.profile.load_ms / 2)


async def _lost_answers(world: World) -> None:
    traffic, ms = Traffic(world), world.profile.load_ms
    topic = await world.topic("orders", queues=4)
    await traffic.group("billing", topic, members=2)
    await traffic.group("search", topic, members=1)
    # Over both rounds: longer than its client waits for it, in the quick profile.
    kept = HoldFrame("search-1->broker-a", (RequestCode.PULL_MESSAGE,), times=1)
    lost = [
        DropFrame("producer-1->broker-*", SEND, every=3),
        DropFrame("billing-1->broker-a", (RequestCode.HEART_BEAT,), "request", times=1),
        DropFrame("billing-2->broker-b", (RequestCode.PULL_MESSAGE,), times=1),
    ]
    again = [
        DuplicateFrame("producer-2->broker-*", SEND, "request", every=3),
        DuplicateFrame("billing-1->broker-*", (RequestCode.PULL_MESSAGE,), every=2),
        DelayFrame("producer-1->broker-*", SEND, every=5, delay_ms=300),
    ]
    async with traffic.load(topic, producers=2, rate_per_s=80.0, workers=4):
        async with world.phase("load"):
            await traffic.flow(ms / 2, acked=60)
        async with world.faults.during(kept):
            await hurt(world, lost, ms)
            await hurt(world, again, ms)
        async with world.phase("load"):
            await traffic.flow(ms / 2, acked=60)


SCENARIOS: Final = (
    Scenario(
        name="client-latency",
        summary="Catches brokers and clients that lose, reorder or repeat when answers take their time.",
        deployment=TWO_GROUPS,
        needs=frozenset({"latency"}),
        aims=(*DELIVERED, "sto-fifo-queue", "con-no-skip"),
        run=_latency,
        seconds=7,
    ),
    Scenario(
        name="client-partition",
        summary="Catches lost and invented messages when a client and a broker hear nothing of each other for a while.",
        deployment=TWO_GROUPS,
        needs=frozenset({"partition"}),
        aims=(*DELIVERED, "con-no-skip"),
        run=_partition,
        seconds=8,
    ),
    Scenario(
        name="oneway-to-broker",
        summary="Catches time-outs taken for failures: requests arrive late, after their sender has given up.",
        deployment=TWO_GROUPS,
        needs=frozenset({"partition"}),
        aims=DELIVERED,
        run=_to_broker,
        seconds=8,
    ),
    Scenario(
        name="oneway-from-broker",
        summary="Catches answers that are lost though the work is done: silent stores, repeats without a cause.",
        deployment=TWO_GROUPS,
        needs=frozenset({"partition"}),
        aims=DELIVERED,
        run=_from_broker,
        seconds=8,
    ),
    Scenario(
        name="reset-mid-send",
        summary="Catches half-stored messages and torn frames taken for whole ones.",
        deployment=TWO_GROUPS,
        needs=frozenset({"partition"}),
        aims=(*DELIVERED, "dur-body-intact"),
        run=_reset,
        seconds=7,
    ),
    Scenario(
        name="producer-retry",
        summary="Catches producers that give up, insist on a dead broker, or try more often than they say.",
        deployment=TWO_GROUPS,
        needs=frozenset({"partition"}),
        aims=("prd-retry", "prd-avoid", "prd-no-false-ok", "con-alo"),
        run=_retry,
        seconds=7,
    ),
    Scenario(
        name="lost-answers",
        summary="Catches work that is lost, done twice or reported wrongly when single requests and answers go astray.",
        deployment=TWO_GROUPS,
        needs=frozenset({"partition", "latency"}),
        frames=("producer-*->broker-*", "billing-*->broker-*", "search-*->broker-*"),
        aims=(*DELIVERED, "prd-no-false-ok", "con-no-skip"),
        run=_lost_answers,
        seconds=9,
    ),
)
