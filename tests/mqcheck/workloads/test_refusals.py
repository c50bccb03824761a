"""Each request with one thing wrong is asked as often as it is wanted, in both encodings."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

from mqcheck.clock import RealClock
from mqcheck.scenarios.base import World
from mqcheck.workloads import refusals
from mqcheck.workloads.refusals import TOPIC_CHARS_MAX, pull_fields, refused_pulls, topics_at_limits


class Asked:
    """An admin that writes down what it is asked."""

    def __init__(self) -> None:
        self.raws: list[tuple[str, str, dict[str, str]]] = []
        self.made: list[tuple[str, Any]] = []
        self.codes = [1, 0]

    async def create_topic(self, topic: str, nodes: list[str], **options: Any) -> dict[str, int]:
        self.made.append((topic, options["perm"]))
        return dict.fromkeys(nodes, 0)

    async def create_group(self, group: str, nodes: list[str], **config: Any) -> dict[str, int]:
        self.made.append((group, config["consumeEnable"]))
        return dict.fromkeys(nodes, self.codes.pop(0))

    async def raw(self, node: str, code: int, fields: dict[str, str], body: bytes, **options: Any) -> None:
        self.raws.append((options["probe"], options["encoding"], fields))


def world_of(admin: Asked) -> World:
    async def an_admin() -> Asked:
        return admin

    async def until(condition: Any, deadline_ms: int, what: str) -> None:
        while not await condition():
            assert what

    async def idle_group(name: str, nodes: list[str]) -> str:
        return f"p_{name}"

    return cast(
        World,
        SimpleNamespace(
            admin=an_admin,
            idle_group=idle_group,
            cluster=SimpleNamespace(prefix="p_"),
            clock=RealClock(),
            profile=SimpleNamespace(ready_ms=1_000, client=SimpleNamespace(request_timeout_ms=50)),
            wait_until=until,
        ),
    )


def test_pulls_are_asked_once_what_they_need_is_made() -> None:
    admin = Asked()
    asyncio.run(refused_pulls(world_of(admin), "broker-a", "p_T", "p_desk", queues=3, rounds=2))
    assert admin.made == [("p_sealed", 2), ("p_barred", False)] * 2, "asked again after a refusal"
    probes = Counter((probe, encoding) for probe, encoding, _ in admin.raws)
    assert set(probes.values()) == {1}
    assert len(probes) == 14
    fields = {probe: fields for probe, _, fields in admin.raws}
    assert fields["pull-queue-above"]["queueId"] == "3"
    assert fields["pull-barred-group"]["consumerGroup"] == "p_barred"
    assert fields["pull-newer-subscription"]["sysFlag"] == "0"
    groups = {probe: header["consumerGroup"] for probe, header in fields.items()}
    assert groups["pull-newer-subscription"] == "p_desk", "the live one"
    assert {groups[probe] for probe in groups if "queue" in probe or "topic" in probe} == {"p_askers"}, (
        "the broker has it"
    )


def test_topics_at_both_sides_of_the_limit() -> None:
    admin = Asked()
    asyncio.run(topics_at_limits(world_of(admin), "broker-a", "broker-a", rounds=1))
    names = {probe: fields["b"] for probe, _, fields in admin.raws}
    assert len(names["topic-longest"]) == TOPIC_CHARS_MAX == len(names["topic-too-long"]) - 1
    assert all(name.startswith("p_") for name in names.values())


def test_messages_at_both_sides_of_the_limits(monkeypatch: Any) -> None:
    sent: list[tuple[int, int]] = []

    class Producer:
        def __init__(self, *_: object) -> None:
            return

        async def send(self, message: Any, **_: object) -> None:
            sent.append((len(message.body), len(message.properties.get("form", ""))))

    async def client(name: str) -> None:
        return

    monkeypatch.setattr(refusals, "Producer", Producer)
    nodes = {"broker-a": SimpleNamespace(settings={"maxMessageSize": "1000"})}
    world = SimpleNamespace(
        client=client,
        rng=lambda purpose: random.Random(1),
        seed=1,
        cluster=SimpleNamespace(nodes=nodes),
        profile=SimpleNamespace(ready_ms=1_000),
    )
    asyncio.run(refusals.messages_at_limits(cast(World, world), "T", "broker-a", rounds=1))
    assert [size for size, _ in sent[:2]] == [1_000, 1_001]
    assert sent[2][1] == refusals.PROPERTIES_BYTES_MAX


def test_fields_are_texts() -> None:
    assert pull_fields("G", "T", -1, sysFlag=0)["queueId"] == "-1"
