"""Administration: topics, groups, settings and offsets by request, and what brokers and NameServers show of it; brokers
that only the kit has registered, and configurations that NameServers keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.conversation import Conversation, Question
from mqcheck.rocketmq.names import owned
from mqcheck.scenarios.base import Scenario, World
from mqcheck.targets.base import Deployment
from mqcheck.workloads.administration import (
    GHOSTS,
    bounds_of,
    brokers_of,
    ghost,
    groups_of,
    listed,
    make_group,
    make_topic,
    members_of,
    query_version,
    register,
    routes_of,
    settings_of,
    topics_of,
    values_of,
)
from mqcheck.workloads.changes import State, change, look
from mqcheck.workloads.traffic import Traffic

TIMES: Final = 4
"""How often everything is made, changed and deleted, each time under another name."""
MESSAGES: Final = 12
"""Messages of the topic whose statistics are asked for."""
SETTING: Final = "defaultQueryMaxNum"
"""A setting whose change harms nobody."""
LEAVE_MS: Final = 1_500
"""How long a NameServer may take to forget a broker that leaves; 5.x does it beside the answer."""


class _Broker:
    """What is done to one broker, and looked at there and at every NameServer."""

    def __init__(self, recorder: Recorder, broker: Conversation, nameservers: dict[str, Conversation]) -> None:
        self.recorder = recorder
        self.talk = broker
        self.nameservers = nameservers

    async def change(self, kind: str, states: Sequence[State], question: Question, *, refused: bool = False) -> None:
        """A change by this broker."""
        await change(self.recorder, kind, states, self.talk.ask(question), refused=refused)

    async def topics(self, name: str) -> None:
        """Look at a topic."""
        asked = self.talk.ask(Question("list topics", 21))
        await look(self.recorder, "topic", "broker-a", (name,), asked, topics_of)

    async def routes(self, name: str) -> None:
        """Look at a topic's routes."""
        for nameserver, talk in self.nameservers.items():
            asked = talk.ask(Question("route", 105, {"topic": name}))
            read = partial(routes_of, name, "broker-a")
            await look(self.recorder, "route", nameserver, (name,), asked, read, absent=(17,))

    async def topic(self, name: str) -> None:
        """Make, change and delete a topic."""
        for kind, read, write, perm in (("create", 3, 3, 6), ("update", 5, 4, 6), ("update", 5, 4, 4)):
            setting = f"r{read} w{write} p{perm}"
            states = [State("topic", "broker-a", name, setting)]
            states += [State("route", nameserver, name, setting) for nameserver in self.nameservers]
            await self.change(kind, states, make_topic(name, read, write, perm))
            await self.topics(name)
            await self.routes(name)
        await self.change("delete", [State("topic", "broker-a", name)], Question("delete", 215, {"topic": name}))
        await self.topics(name)
        for nameserver, talk in self.nameservers.items():
            forgotten = talk.ask(Question("delete", 216, {"topic": name}))
            await change(self.recorder, "delete", [State("route", nameserver, name)], forgotten)
        await self.routes(name)
        bad = f"{name} and more!"
        await self.change("refuse", [State("topic", "broker-a", bad)], make_topic(bad, 1, 1, 6), refused=True)
        await self.topics(bad)

    async def group(self, name: str) -> None:
        """Make, change and delete a group."""
        for kind, retries in (("create", 5), ("update", 7)):
            await self.change(kind, [State("group", "broker-a", name, str(retries))], make_group(name, retries))
            await self.groups(name)
        gone = Question("delete", 207, {"groupName": name})
        await self.change("delete", [State("group", "broker-a", name)], gone)
        await self.groups(name)

    async def groups(self, name: str) -> None:
        """Look at a group."""
        asked = self.talk.ask(Question("list groups", 201))
        await look(self.recorder, "group", "broker-a", (name,), asked, groups_of)

    async def setting(self, value: int) -> None:
        """Change the setting."""
        body = f"{SETTING}={value}\n".encode()
        await self.change("update", [State("config", "broker-a", SETTING, str(value))], Question("set", 25, body=body))
        asked = self.talk.ask(Question("settings", 26))
        await look(self.recorder, "config", "broker-a", (SETTING,), asked, settings_of)

    async def offset(self, topic: str, group: str, value: int) -> None:
        """Set an offset of a group without members."""
        place = {"consumerGroup": group, "topic": topic, "queueId": "0"}
        name = f"{group}/{topic}/0"
        committed = Question("set offset", 15, {**place, "commitOffset": str(value)})
        await self.change("update", [State("offset", "broker-a", name, str(value))], committed)
        asked = self.talk.ask(Question("offset", 14, place))
        await look(
            self.recorder,
            "offset",
            "broker-a",
            (name,),
            asked,
            lambda answer: {name: answer.fields["offset"]},
            absent=(22,),
        )

    async def statistics(self, topic: str, queue: int) -> None:
        """Compare the statistics of a topic to which nobody sends with its bounds."""
        place, name = {"topic": topic, "queueId": str(queue)}, f"{topic}/{queue}"
        low, high = await self.talk.ask_all((Question("bound", 31, place), Question("bound", 30, place)))
        if low.code == high.code == 0:
            told = State("bounds", "broker-a", name, f"{low.fields['offset']}-{high.fields['offset']}")
            await self.change("told", [told], Question("bound", 30, place))
            asked = self.talk.ask(Question("statistics", 202, {"topic": topic}))
            await look(self.recorder, "bounds", "broker-a", (name,), asked, partial(bounds_of, topic))

    async def members(self, group: str) -> None:
        """Compare the connections of a group with its members."""
        who = {"consumerGroup": group}
        first = await self.talk.ask(Question("members", 38, who))
        members = members_of(first) if first.code == 0 else {}
        told = [State("member", "broker-a", member, "live") for member in members]
        await self.change("told", told, Question("members", 38, who))
        asked = self.talk.ask(Question("connections", 203, who))
        await look(self.recorder, "member", "broker-a", tuple(members), asked, members_of)


async def _administration(world: World) -> None:
    traffic = Traffic(world)
    topic = await world.topic("administered", queues=2)
    desk = await traffic.group("desk", topic, members=2)
    admin = await world.admin()
    offsets = await world.idle_group("adm-offsets", ["broker-a"])
    prefix = world.cluster.prefix
    names = [node.name for node in world.cluster.nameservers()]
    async with (
        world.phase("load"),
        admin.conversation("broker-a") as broker,
        admin.conversation(names[0]) as first,
        admin.conversation(names[1]) as second,
    ):
        async with traffic.load(topic, producers=1, rate_per_s=40, workers=1):
            await traffic.flow(200, acked=MESSAGES)
        shop = _Broker(world.recorder, broker, {names[0]: first, names[1]: second})
        for number in range(TIMES):
            await shop.topic(owned(prefix, f"adm-topic-{number}"))
            await shop.group(owned(prefix, f"adm-group-{number}"))
            await shop.setting(33 + number)
            await shop.offset(topic, offsets, 5 - number)
            await shop.statistics(topic, number % 2)
            await shop.members(owned(prefix, desk.name))
        await shop.setting(32)


class _Ghosts:
    """What brokers that are none do to one NameServer."""

    def __init__(self, recorder: Recorder, talk: Conversation) -> None:
        self.recorder = recorder
        self.talk = talk

    async def change(self, kind: str, states: Sequence[State], question: Question, *, refused: bool = False) -> None:
        """A change by this NameServer."""
        await change(self.recorder, kind, states, self.talk.ask(question), refused=refused)

    async def all_of(self, broker: str, topic: str) -> None:
        """Look at everything that is known of a ghost."""
        await self.route(broker, topic)
        asked = self.talk.ask(Question("cluster", 106))
        await look(self.recorder, "cluster", "nameserver-1", (broker,), asked, brokers_of)
        asked = self.talk.ask(Question("list topics", 206))
        await look(self.recorder, "topic-list", "nameserver-1", (topic,), asked, listed)

    async def route(self, broker: str, topic: str) -> None:
        """Look at a ghost's route."""
        asked = self.talk.ask(Question("route", 105, {"topic": topic}))
        read = partial(routes_of, topic, broker)
        await look(self.recorder, "route", "nameserver-1", (topic,), asked, read, absent=(17,))

    async def live(self, slave: Conversation, broker: str) -> None:
        """A ghost registers, has a slave, is closed and opened for sends, and leaves."""
        topics = {f"{broker}-x": 4, f"{broker}-y": 2}
        topic, master = f"{broker}-x", ghost(broker)
        known = [
            State("route", "nameserver-1", topic, "r4 w4 p6"),
            State("cluster", "nameserver-1", broker, GHOSTS),
            State("topic-list", "nameserver-1", topic, "listed"),
        ]
        await self.change("register", known, register("register: ghost", master, topics, 1))
        await self.all_of(broker, topic)
        await self.talk.ask(query_version("version query: same", master, 1))
        await self.talk.ask(query_version("version query: other", master, 2))
        copy = ghost(broker, 1)
        await slave.ask(register("register: slave", copy, topics, 1))
        await slave.ask(Question("unregister: slave", 104, copy))
        named = {"brokerName": broker}
        for kind, code, perm in (("wipe", 205, 4), ("restore", 327, 6)):
            state = State("route", "nameserver-1", topic, f"r4 w4 p{perm}")
            await self.change(kind, [state], Question(kind, code, named))
            await self.route(broker, topic)
        unread = register(
            "register: damaged", {**ghost(f"{broker}-bad"), "bodyCrc32": "1"}, {f"{broker}-z": 4, topic: 9}, 9
        )
        await self.change("refuse", [State("route", "nameserver-1", f"{broker}-z")], unread, refused=True)
        await self.route(f"{broker}-bad", f"{broker}-z")
        await self.change(
            "unregister", [replace(state, setting=None) for state in known], Question("leave", 104, master)
        )

    async def configurations(self, key: str) -> None:
        """Put, get and delete a value."""
        space = "mqcheck"
        fields = {"namespace": space, "key": key}
        for kind, code, value in (("put", 100, "first"), ("put", 100, "second"), ("drop", 102, None)):
            states = [State(about, "nameserver-1", f"{space}/{key}", value) for about in ("kv", "kv-list")]
            more = {} if value is None else {"value": value}
            await self.change(kind, states, Question(kind, code, {**fields, **more}))
            asked = self.talk.ask(Question("get", 101, fields))
            await look(
                self.recorder,
                "kv",
                "nameserver-1",
                (f"{space}/{key}",),
                asked,
                lambda answer: {f"{space}/{key}": answer.fields["value"]},
                absent=(22,),
            )
            asked = self.talk.ask(Question("list", 219, {"namespace": space}))
            await look(
                self.recorder,
                "kv-list",
                "nameserver-1",
                (f"{space}/{key}",),
                asked,
                partial(values_of, space),
                absent=(22,),
            )


async def _nameserver(world: World) -> None:
    topic = await world.topic("wire", queues=2)
    admin = await world.admin()
    async with (
        world.phase("load"),
        admin.conversation("nameserver-1") as talk,
        admin.conversation("nameserver-1") as slave,
    ):
        ghosts = _Ghosts(world.recorder, talk)
        brokers = [owned(world.cluster.prefix, f"ghost-{number}") for number in range(TIMES)]
        for broker in brokers:
            await ghosts.live(slave, broker)
            await ghosts.configurations(f"key-{broker}")
            await admin.route("nameserver-1", topic)
        await world.watch_ms(LEAVE_MS)
        for broker in brokers:
            await ghosts.all_of(broker, f"{broker}-x")


SCENARIOS: Final = (
    Scenario(
        name="administration",
        summary="Catches changes of topics, groups, settings and offsets that are acknowledged and not made.",
        deployment=Deployment(nameservers=2),
        needs=frozenset({"destructive"}),
        aims=(
            "adm-topic-created",
            "adm-topic-updated",
            "adm-topic-deleted",
            "adm-topic-refused",
            "adm-topic-route",
            "adm-group-created",
            "adm-group-updated",
            "adm-group-deleted",
            "adm-config-updated",
            "adm-offset-set",
            "adm-topic-stats",
            "adm-connections",
            "ns-topic-changed",
            "ns-topic-deleted",
        ),
        run=_administration,
        seconds=4,
    ),
    Scenario(
        name="nameserver-requests",
        summary="Catches NameServers that keep brokers, topics, permissions and values which they were told to change.",
        needs=frozenset({"destructive"}),
        aims=(
            "ns-wipe",
            "ns-add-write",
            "ns-unregister-last",
            "ns-cluster-info",
            "ns-topic-list",
            "ns-crc",
            "ns-kv-put",
            "ns-kv-delete",
            "ns-kv-list",
            "ns-data-version",
            "ns-slave-haaddr",
            "ns-json",
        ),
        run=_nameserver,
        seconds=4,
    ),
)
