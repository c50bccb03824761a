"""A seeded timetable of overlapping faults: which, on what, when, for how long; drawn, printed and acted out.

Only faults whose capabilities a target has are drawn, and never two that would undo each other: of nodes of one role at
most one is out of order at a time, and no two faults of a kind hold on one link. What a run does with the same seed,
profile and capabilities is the same. Disks, power and clocks have scenarios of their own: what a power cut may take
would have to be forgiven by everybody who waits for messages.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from mqcheck.faults.base import Fault
from mqcheck.faults.frame import DelayFrame, DropFrame, DuplicateFrame, FrameFault, HoldFrame
from mqcheck.faults.link import Bandwidth, Blackhole, Down, Drop, Latency, LimitData, Reset, Slice, SlowClose
from mqcheck.faults.process import Kill, Pause, Stop
from mqcheck.links.base import Direction
from mqcheck.rocketmq.codes import RequestCode
from mqcheck.scenarios.base import World

DRAWS_MAX: Final = 1_000
"""Faults drawn for one timetable, most of them in vain where it is crowded; ours."""

SHARE_MIN: Final = 0.1
SHARE_MAX: Final = 0.35
"""How much of the whole time one fault holds; ours: about two hold at any moment."""

WAYS: Final[tuple[Direction, ...]] = ("both", "up", "down")

SEND: Final = (RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2)
PULL: Final = (RequestCode.PULL_MESSAGE,)
ROUTE: Final = (RequestCode.GET_ROUTEINFO_BY_TOPIC,)
HEARTBEAT: Final = (RequestCode.HEART_BEAT,)
OFFSET: Final = (RequestCode.QUERY_CONSUMER_OFFSET,)


@dataclass(frozen=True, slots=True)
class Field:
    """What faults may be drawn on."""

    capabilities: frozenset[str]
    """The target's."""
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    """Names of clients in the kit's process."""
    victims: tuple[str, ...]
    """Consumers in processes of their own: paused, never started again."""
    brokers: tuple[str, ...]
    nameservers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One fault of a timetable."""

    at_ms: int
    """After the beginning of the fault phase."""
    lasts_ms: int
    fault: Fault

    @property
    def ends_ms(self) -> int:
        """When it is healed."""
        return self.at_ms + self.lasts_ms

    def __str__(self) -> str:
        fault = self.fault
        way = f" {fault.direction}" if fault.direction else ""
        numbers = "".join(f" {key}={value}" for key, value in fault.parameters().items() if value is not None)
        return f"{self.at_ms:>6} to {self.ends_ms:>6} ms: {fault}{way}{numbers}"


def drawn(rng: random.Random, field: Field, span_ms: int, count: int) -> tuple[Entry, ...]:
    """A timetable of at most `count` faults within `span_ms`, by their beginnings."""
    found: list[Entry] = []
    for _ in range(DRAWS_MAX):
        if len(found) == count:
            break
        make = rng.choice(_MAKERS)
        lasts_ms = round(rng.uniform(SHARE_MIN, SHARE_MAX) * span_ms)
        entry = Entry(rng.randrange(span_ms - lasts_ms), lasts_ms, make(rng, field))
        if _possible(entry.fault, field) and not any(_clash(entry, other, field) for other in found):
            found.append(entry)
    return tuple(sorted(found, key=lambda entry: (entry.at_ms, entry.ends_ms)))


async def act_out(world: World, timetable: Sequence[Entry]) -> None:
    """A `fault` phase in which all of them are injected and healed at their times, or soon after on a slow machine."""
    loop = asyncio.get_running_loop()
    steps = [(entry.at_ms, 1, entry.fault) for entry in timetable]
    steps += [(entry.ends_ms, 0, entry.fault) for entry in timetable]
    async with world.phase("fault"):
        began = loop.time()
        try:
            for at_ms, begins, fault in sorted(steps, key=lambda step: step[:2]):
                await world.sleep_ms(max(0.0, at_ms - (loop.time() - began) * 1000))
                await (world.faults.inject(fault) if begins else world.faults.heal(fault))
        finally:
            await world.faults.heal_all()


def _possible(fault: Fault, field: Field) -> bool:
    server_link = fault.link is not None and fault.link.startswith(field.brokers)
    return fault.needs in field.capabilities and (not server_link or "server-links" in field.capabilities)


def _clash(one: Entry, other: Entry, field: Field) -> bool:
    """Whether two faults of a timetable cannot be together."""
    if one.at_ms >= other.ends_ms or other.at_ms >= one.ends_ms:
        return False
    mine, theirs = one.fault, other.fault
    if mine.node is not None and theirs.node is not None:
        return _role(mine.node, field) == _role(theirs.node, field)
    if isinstance(mine, FrameFault) and isinstance(theirs, FrameFault):
        return mine.link == theirs.link
    return mine.link is not None and mine.link == theirs.link and mine.kind == theirs.kind


def _role(node: str, field: Field) -> Collection[str]:
    return next(names for names in (field.brokers, field.nameservers, field.victims) if node in names)


def _to_broker(rng: random.Random, field: Field, clients: Sequence[str]) -> str:
    return f"{rng.choice(clients)}->{rng.choice(field.brokers)}"


def _any_link(rng: random.Random, field: Field) -> str:
    """Mostly a client and a broker; sometimes whoever asks a NameServer."""
    if rng.random() < 0.75:
        return _to_broker(rng, field, (*field.producers, *field.consumers))
    asking = (*field.producers, *field.consumers, *field.brokers)
    return f"{rng.choice(asking)}->{rng.choice(field.nameservers)}"


def _link(make: Callable[[str, random.Random], Fault]) -> Callable[[random.Random, Field], Fault]:
    return lambda rng, field: make(_any_link(rng, field), rng)


def _lost_answer(rng: random.Random, field: Field) -> Fault:
    codes, clients = rng.choice(((SEND, field.producers), (PULL, field.consumers), (OFFSET, field.consumers)))
    return DropFrame(_to_broker(rng, field, clients), codes, every=rng.randint(2, 5), times=rng.randint(1, 4))


def _lost_request(rng: random.Random, field: Field) -> Fault:
    codes, clients = rng.choice(((SEND, field.producers), (PULL, field.consumers), (HEARTBEAT, field.consumers)))
    return DropFrame(_to_broker(rng, field, clients), codes, "request", every=rng.randint(1, 3), times=2)


def _lost_route(rng: random.Random, field: Field) -> Fault:
    asking = (*field.producers, *field.consumers)
    return DropFrame(f"{rng.choice(asking)}->{rng.choice(field.nameservers)}", ROUTE, times=2)


def _late_answer(rng: random.Random, field: Field) -> Fault:
    codes, clients = rng.choice(((SEND, field.producers), (PULL, field.consumers)))
    every, delay_ms = rng.randint(2, 5), rng.randint(50, 900)
    return DelayFrame(_to_broker(rng, field, clients), codes, every=every, delay_ms=delay_ms)


def _held_answer(rng: random.Random, field: Field) -> Fault:
    codes, clients = rng.choice(((SEND, field.producers), (PULL, field.consumers)))
    return HoldFrame(_to_broker(rng, field, clients), codes, every=rng.randint(1, 3), times=rng.randint(1, 2))


def _twice(rng: random.Random, field: Field) -> Fault:
    if rng.random() < 0.5:
        return DuplicateFrame(_to_broker(rng, field, field.producers), SEND, "request", every=rng.randint(3, 8))
    return DuplicateFrame(_to_broker(rng, field, field.consumers), PULL, every=rng.randint(1, 3))


def _killed(rng: random.Random, field: Field) -> Fault:
    return Kill(rng.choice((*field.brokers, *field.nameservers)))


def _stopped(rng: random.Random, field: Field) -> Fault:
    return Stop(rng.choice((*field.brokers, *field.nameservers)))


def _paused(rng: random.Random, field: Field) -> Fault:
    return Pause(rng.choice((*field.brokers, *field.nameservers, *field.victims)))


_MAKERS: Final[tuple[Callable[[random.Random, Field], Fault], ...]] = (
    _link(lambda link, rng: Latency(link, rng.choice(WAYS), ms=rng.randint(10, 250), jitter_ms=10)),
    _link(lambda link, rng: Bandwidth(link, rng.choice(WAYS), kb_per_s=rng.randint(16, 256))),
    _link(lambda link, rng: Blackhole(link, rng.choice(WAYS))),
    _link(lambda link, rng: Drop(link, rng.choice(WAYS), after_ms=rng.choice((0, 200)))),
    _link(lambda link, rng: Reset(link, rng.choice(WAYS), after_ms=rng.choice((0, 100)))),
    _link(lambda link, rng: SlowClose(link, rng.choice(WAYS), ms=rng.randint(100, 1_000))),
    _link(lambda link, rng: Slice(link, rng.choice(WAYS), delay_us=rng.choice((0, 50)))),
    _link(lambda link, rng: LimitData(link, rng.choice(WAYS), limit_bytes=rng.randint(500, 20_000))),
    _link(lambda link, rng: Down(link)),
    _lost_answer,
    _lost_request,
    _lost_route,
    _late_answer,
    _held_answer,
    _twice,
    _killed,
    _stopped,
    _paused,
)
