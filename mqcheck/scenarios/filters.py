"""Filters: tags that collide, SQL92 with properties that are missing, a restart, and a group that changes its mind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mqcheck.faults.process import Kill
from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.codes import RequestCode
from mqcheck.rocketmq.models import Encoding, Outgoing
from mqcheck.rocketmq.producer import Producer
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import BrokerSpec, Deployment
from mqcheck.workloads.pattern import hurt
from mqcheck.workloads.payloads import Payloads
from mqcheck.workloads.traffic import Group, Ledger, succeed

NODE: Final = "broker-a"

TAGS: Final = ("Aa", "BB", "red", None)
"""The first two have the same hash code: a broker cannot tell them apart."""

COLOURS: Final = ("grey", "blue", None)
PRICE_MAX: Final = 99
DEAR: Final = 50
"""What the filters compare prices with."""

DEAR_OR_RED: Final = f"price > {DEAR} AND colour <> 'grey' OR TAGS IN ('red')"
CHEAP: Final = f"price BETWEEN 1 AND {DEAR} AND colour IS NOT NULL"

PAUSE_MS: Final = 12
"""Between two messages."""

PART: Final = 60
"""Messages before the restart, and after it."""

NOBODY: Final = "nobody"
"""A tag that no message has."""

BROKEN: Final = ("price >", "price = = 3", "price IN (1, 2)", "a == 5", "AND", "'x")
"""No SQL92 filters."""


@dataclass(slots=True)
class Wares:
    """What is sent, and who is to get it."""

    world: World
    topic: str
    groups: list[tuple[Callable[[Outgoing], bool], Ledger]]

    async def group(
        self, name: str, expression: str, wanted: Callable[[Outgoing], bool], *, sql92: bool = False
    ) -> Group:
        """A group with one member; `recover` waits for what it wants."""
        ledger = Ledger()
        options = {"max_reconsume": self.world.profile.max_reconsume, "sql92": (self.topic,) if sql92 else ()}
        group = Group(self.world, ledger, name, {self.topic: expression}, succeed, options)
        await group.join(f"{name}-1")
        self.groups.append((wanted, ledger))
        self.world.expect(group)
        return group

    async def send(self, producer: Producer, payloads: Payloads, first: int) -> None:
        """Messages of every kind."""
        for number in range(first, first + PART):
            tag, colour = TAGS[number % len(TAGS)], COLOURS[number % len(COLOURS)]
            properties = {"price": str(number * 7 % PRICE_MAX)} if number % 5 else {}
            properties |= {"colour": colour} if colour else {}
            message = replace(payloads.next(), tag=tag, properties=properties)
            outcome = await producer.send(message)
            for wanted, ledger in self.groups:
                if wanted(message):
                    ledger.note(message, outcome)
            await self.world.sleep_ms(PAUSE_MS)


def _price(message: Outgoing) -> int:
    return int(message.properties.get("price", "0"))


def _dear_or_red(message: Outgoing) -> bool:
    colour = message.properties.get("colour")
    return (_price(message) > DEAR and colour not in (None, "grey")) or message.tag == "red"


def _cheap(message: Outgoing) -> bool:
    return 1 <= _price(message) <= DEAR and "colour" in message.properties


async def _broken(admin: Admin, topic: str) -> None:
    """Ask whether a broker takes expressions that are none."""

    async def ask(number: int, expression: str) -> None:
        data = {"topic": topic, "subString": expression, "expressionType": "SQL92", "subVersion": 1, "tagsSet": []}
        asked = {"clientId": admin.client.client_id, "group": "readers", "subscriptionData": {**data, "codeSet": []}}
        body = json.dumps(asked).encode()
        wait_ms = admin.client.settings.request_timeout_ms
        encoding: Encoding = "binary" if number % 2 else "json"
        code = RequestCode.CHECK_CLIENT_CONFIG
        await admin.raw(NODE, code, {}, body, probe="sql92-broken", encoding=encoding, deadline_ms=wait_ms)

    async with asyncio.TaskGroup() as together:
        for number, expression in enumerate(BROKEN):
            together.create_task(ask(number, expression))


async def _nothing_matches(admin: Admin, topic: str) -> None:
    """Pulls that look at everything and find nothing."""
    for queue in range(2):
        for position in range(0, PART // 4, 3):
            await admin.pull_once(NODE, topic, queue, position, group="readers", expression=NOBODY)


async def _run(world: World) -> None:
    wares = Wares(world, await world.topic("wares", queues=2), [])
    topic, admin = wares.topic, await world.admin()
    await wares.group("tagged", "Aa || red", lambda message: message.tag in ("Aa", "red"))
    await wares.group("dear", DEAR_OR_RED, _dear_or_red, sql92=True)
    await wares.group("cheap", CHEAP, _cheap, sql92=True)
    fickle = await wares.group("fickle", "red || Aa", lambda message: message.tag == "red")
    producer = Producer(await world.client("producer-1"), "wares-producers")
    payloads = Payloads(topic, world.rng("wares"), seed=world.seed)
    async with world.phase("load"), asyncio.TaskGroup() as together:
        together.create_task(wares.send(producer, payloads, 0))
        together.create_task(_broken(admin, topic))
    await hurt(world, [Kill(NODE)], world.profile.load_ms / 8)
    async with world.phase("load"):
        await fickle.leave("fickle-1")
        fickle.subscriptions = {topic: "red || BB"}
        await fickle.join("fickle-2")
        await wares.send(producer, payloads, PART)
        await _nothing_matches(admin, topic)


SCENARIOS: Final = (
    Scenario(
        name="filters",
        summary="Catches filters that let through, keep back, forget themselves in a restart, or stand still.",
        deployment=Deployment(brokers=(BrokerSpec(NODE),), settings={"enablePropertyFilter": True}),
        needs=frozenset({"kill"}),
        aims=("flt-tag-exact", "flt-tag-complete", "flt-sql", "flt-sql-restart", "flt-sql-bad", "flt-progress"),
        run=_run,
        seconds=7,
    ),
)
