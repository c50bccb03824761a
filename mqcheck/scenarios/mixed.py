"""Everything at once: a random workload under a random timetable of overlapping faults, the same for the same seed."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from mqcheck.profile import Profile
from mqcheck.rocketmq.models import Delivery, ListenerResult, Mode
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment
from mqcheck.workloads.timetable import Entry, Field, act_out, drawn
from mqcheck.workloads.traffic import Traffic, succeed

NAME: Final = "mixed"
BROKERS: Final = ("broker-a", "broker-b")
NAMESERVERS: Final = ("nameserver-1", "nameserver-2")
VICTIM: Final = "billing-apart"
"""A member of `billing` in a process of its own."""

SPANS: Final = {"quick": 2, "full": 6}
"""How long faults go on, in the profile's load times."""
FAULTS: Final = {"quick": 7, "full": 24}
"""Faults of one timetable."""

FAILING_ONE_IN: Final = 7
"""A group that fails asks for one message in so many a second time."""


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A consumer group."""

    name: str
    topics: tuple[str, ...]
    members: int
    mode: Mode = "clustering"
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of the scenario does; decided before it begins."""

    topics: tuple[tuple[str, int], ...]
    """Names and queues on each broker."""
    producers: int
    """Of each topic."""
    workers: int
    rate_per_s: int
    """Of each topic."""
    groups: tuple[GroupPlan, ...]
    timetable: tuple[Entry, ...]

    def lines(self) -> list[str]:
        """For people; the same for the same seed, profile and capabilities."""
        return [
            *(f"topic {name}: {queues} queues on each broker" for name, queues in self.topics),
            f"each topic: {self.producers} producers with {self.workers} workers, {self.rate_per_s} messages a second",
            *(
                f"group {group.name}: {group.members} members, {group.mode}, of {', '.join(group.topics)}"
                + (f", asks for one in {FAILING_ONE_IN} again" if group.fails else "")
                for group in self.groups
            ),
            *map(str, self.timetable),
        ]


def plan_of(seed: int, profile: Profile, capabilities: frozenset[str]) -> Plan:
    """The plan of a seed. Called by the scenario, and by ``mqcheck plan``."""
    rng = random.Random(f"{seed}/{NAME}/plan")  # noqa: S311 - plans, not secrets
    topics = tuple((name, rng.randint(2, 4)) for name in ("orders", "parcels")[: rng.randint(1, 2)])
    names = tuple(name for name, _ in topics)
    groups = [GroupPlan("billing", names, 2), GroupPlan("search", names[:1], rng.randint(1, 2))]
    if rng.random() < 0.5:
        groups.append(GroupPlan("prices", names[-1:], 2, mode="broadcasting"))
    if rng.random() < 0.5:
        groups.append(GroupPlan("delivery", names[-1:], rng.randint(1, 2), fails=True))
    producers = rng.randint(1, 2)
    workers, rate_per_s = rng.randint(2, 4), rng.randint(60, 100) // len(topics)
    field = Field(
        capabilities,
        tuple(f"{name}-producer-{number + 1}" for name in names for number in range(producers)),
        tuple(f"{group.name}-{number + 1}" for group in groups for number in range(group.members)),
        (VICTIM,) if "pause" in capabilities else (),
        BROKERS,
        NAMESERVERS,
    )
    timetable = drawn(rng, field, SPANS[profile.name] * profile.load_ms, FAULTS[profile.name])
    return Plan(topics, producers, workers, rate_per_s, tuple(groups), timetable)


async def _sometimes(delivery: Delivery) -> ListenerResult:
    """Some messages are asked for a second time."""
    again = (delivery.message or 0) % FAILING_ONE_IN == 0 and delivery.reconsume_times == 0
    return "later" if again else "success"


async def _run(world: World) -> None:
    plan = plan_of(world.seed, world.profile, world.faults.capabilities)
    for number, line in enumerate(plan.lines()):
        world.recorder.point("config", node="kit", key=f"plan_{number:02}", setting=line)
    traffic, load_ms = Traffic(world), world.profile.load_ms
    topics = {name: await world.topic(name, queues=queues) for name, queues in plan.topics}
    for wanted in plan.groups:
        group = await traffic.group(
            wanted.name,
            [topics[name] for name in wanted.topics],
            members=wanted.members,
            mode=wanted.mode,
            listener=_sometimes if wanted.fails else succeed,
        )
        if wanted.name == "billing" and "pause" in world.faults.capabilities:
            await group.join_process(VICTIM)
    async with AsyncExitStack() as stack:
        for name, topic in topics.items():
            load = traffic.load(
                topic,
                name=f"{name}-producer",
                producers=plan.producers,
                workers=plan.workers,
                rate_per_s=plan.rate_per_s,
            )
            await stack.enter_async_context(load)
        async with world.phase("load"):
            await traffic.flow(load_ms / 2, acked=50)
        await act_out(world, plan.timetable)
        async with world.phase("load"):
            await traffic.flow(load_ms / 2, acked=50)


SCENARIOS: Final = (
    Scenario(
        name=NAME,
        summary="Catches what shows only when faults overlap: a random timetable of them over a random workload.",
        deployment=Deployment(nameservers=len(NAMESERVERS), brokers=tuple(BrokerSpec(name) for name in BROKERS)),
        needs=frozenset({"latency", "partition"}),
        frames=tuple(f"{client}-*->broker-*" for client in ("*-producer", "billing", "search", "prices", "delivery")),
        aims=("con-alo", "con-no-skip", "dur-body-intact", "prd-no-false-ok", "sto-offset-dense", "sto-offset-unique"),
        run=_run,
        seconds=11,
    ),
)
