"""Nodes, faults, and the groups that consume."""

from __future__ import annotations

from typing import Any

from histories.figures import (
    CUT_MS,
    CUT_READY_MS,
    DELAY_TOPIC,
    DISK_FAULT_MS,
    DISK_FAULTS,
    FAIL_TOPIC,
    GROUPS,
    HOLE_HEALED_MS,
    HOLE_MS,
    KILLED_MS,
    NAMESERVER_KILLED_MS,
    NAMESERVER_READY_MS,
    READY_MS,
    SILENT_MS,
    SLAVE_CUT_MS,
    SLAVE_HEALED_MS,
    TOPIC,
)
from histories.rows import Builder, Row


class Cluster(Builder):
    """Brokers and NameServers with what befalls them; members with their queues."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets: dict[tuple[str, str, int], int] = {}
        self.next_message = 0

    def nodes_and_faults(self) -> None:
        for node in ("nameserver-1", "nameserver-2"):
            self.entry("nodes", node=node, role="nameserver", life=0, spawned=1, ready=100, version="4.9.7")
        for node in ("broker-a", "broker-b", "broker-s", "broker-p", *DISK_FAULTS, "broker-m", "broker-m-slave"):
            self.entry(
                "nodes",
                node=node,
                role="broker",
                broker=node.removesuffix("-slave"),
                broker_id=int(node.endswith("-slave")),
                life=0,
                spawned=1,
                ready=200,
                version="4.9.7",
            )
        self.restart("broker-a", "kill", KILLED_MS, READY_MS)
        self.restart("nameserver-2", "kill", NAMESERVER_KILLED_MS, NAMESERVER_READY_MS)
        for node in ("broker-s", "broker-p", *DISK_FAULTS):
            self.restart(node, "power-cut", CUT_MS, CUT_READY_MS)
        for node, kind in DISK_FAULTS.items():
            self.fault(kind, DISK_FAULT_MS, CUT_READY_MS, node=node)
        self.fault("blackhole", HOLE_MS, HOLE_HEALED_MS, link="broker-b->nameserver-2", direction="both")
        self.fault("slow-fsync", 9_000, 9_500, node="broker-b")
        self.fault("blackhole", SLAVE_CUT_MS, SLAVE_HEALED_MS, link="broker-m-slave->broker-m", direction="both")

    def fault(self, kind: str, began: float, healed: float, **columns: Any) -> Row:
        return self.entry(
            "faults",
            kind=kind,
            began=began,
            active=began + 10,
            healing=healed - 10,
            healed=healed,
            confirmed=True,
            effect="{}",
            **columns,
        )

    def restart(self, node: str, how: str, off: float, ready: float) -> None:
        """A life ends and the next begins; the fault says so too."""
        (life,) = self.find("nodes", node=node, life=0)
        life.set(ending=off, ended=off + 20, how=how)
        again = dict(life.columns, life=1, spawned=ready - 300, ready=ready)
        for name in ("ending", "ended", "how"):
            again.pop(name)
        self.entry("nodes", **again)
        self.fault(how, off, ready, node=node).set(active=off + 20, healing=ready - 300, healed=ready)

    def groups(self) -> None:
        places = [(TOPIC, b, q) for b in ("broker-a", "broker-b") for q in (0, 1)]
        for group in GROUPS:
            self.subscribe(group, TOPIC, orderly=group == "go")
        self.subscribe("gb", TOPIC, mode="broadcasting")
        self.subscribe("gf", FAIL_TOPIC)
        self.subscribe("gd", DELAY_TOPIC)
        for place in places:
            for group, member in (("g1", "c1@1"), ("g2", "c2@2"), ("go", "co@5"), ("gb", "cb1@6"), ("gb", "cb2@7")):
                self.assign(group, member, place, 300)
            self.assign("g3", "c4@3" if place[1] == "broker-a" else "c5@4", place, 300)
        for place in ((FAIL_TOPIC, "broker-b", 0), ("%RETRY%gf", "broker-b", 0)):
            self.assign("gf", "cf@8", place, 300)
        self.assign("gd", "cd@9", (DELAY_TOPIC, "broker-b", 0), 300)
        for at in range(400, 36_000, 1000):
            self.point("members", at, kind="heartbeat", consumer_group="g3", member="c4@3", node="broker-b")
            if at <= SILENT_MS:
                self.point("members", at, kind="heartbeat", consumer_group="g3", member="c5@4", node="broker-b")
            members = "c4@3,c5@4" if at < SILENT_MS + 4_000 else "c4@3"
            self.point(
                "members", at + 5, kind="listed", consumer_group="g3", member="c4@3", node="broker-b", members=members
            )
        for queue in (0, 1):
            self.assign("g3", "c4@3", (TOPIC, "broker-b", queue), SILENT_MS + 5_000)
            self.assign("g2", "c2@2", (TOPIC, "broker-b", queue), 9_000)

    def subscribe(self, group: str, topic: str, **columns: Any) -> None:
        self.point(
            "subscriptions",
            250,
            **{
                "consumer_group": group,
                "topic": topic,
                "expression_type": "TAG",
                "expression": "*",
                "mode": "clustering",
                "from_where": "first",
                "max_reconsume": 2,
                "orderly": False,
                "node": "broker-b",
                **columns,
            },
        )

    def assign(self, group: str, member: str, place: tuple[str, str, int], at: float) -> None:
        topic, broker, queue = place
        self.point(
            "members", at, kind="assigned", consumer_group=group, member=member, topic=topic, broker=broker, queue=queue
        )
        resumes = at > 1000
        position = 0 if not resumes else self.offsets.get(place, 0)
        self.span(
            "pulls",
            at + 10,
            at + 15,
            {"code": 19, "next_offset": position},
            kind="pull",
            consumer_group=group,
            member=member,
            session=int(at),
            node=broker,
            broker=broker,
            topic=topic,
            queue=queue,
            position=position,
        )
        for late in (20_000, 35_000):
            if member != "c5@4":
                self.span(
                    "pulls",
                    late,
                    late + 5,
                    {"code": 19, "next_offset": 5},
                    kind="pull",
                    consumer_group=group,
                    member=member,
                    session=int(at),
                    node=broker,
                    broker=broker,
                    topic=topic,
                    queue=queue,
                    position=5,
                )
