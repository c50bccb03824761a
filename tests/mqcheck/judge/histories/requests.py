"""Routes and registrations, locks, and probes of the protocol."""

from __future__ import annotations

from histories.figures import (
    CUT_MS,
    CUT_READY_MS,
    HOLE_HEALED_MS,
    HOLE_MS,
    KILLED_MS,
    NAMESERVER_KILLED_MS,
    NAMESERVER_READY_MS,
    READY_MS,
    TOPIC,
)
from histories.messages import Messages
from histories.rows import Row


class Requests(Messages):
    """What is asked of the nodes beside messages."""

    def listed(self, nameserver: str, broker: str, at: float) -> bool | None:
        """Whether a healthy NameServer lists a broker; None while it is down."""
        if nameserver == "nameserver-2":
            if NAMESERVER_KILLED_MS <= at <= NAMESERVER_READY_MS:
                return None
            if NAMESERVER_READY_MS <= at < NAMESERVER_READY_MS + 254:
                return False
            if broker == "broker-b" and HOLE_MS + 4_100 <= at <= HOLE_HEALED_MS:
                return False
        gaps = {
            "broker-a": (KILLED_MS, READY_MS),
            "broker-s": (CUT_MS, CUT_READY_MS),
            "broker-p": (CUT_MS, CUT_READY_MS),
        }
        off, ready = gaps.get(broker, (0, 0))
        return at < off or at > ready + 253

    def routing(self) -> None:
        self.link_connections()
        for nameserver in ("nameserver-1", "nameserver-2"):
            for at in range(250, 36_000, 1000):
                for broker in ("broker-a", "broker-b"):
                    reaches = self.listed(nameserver, broker, at)
                    hole = (nameserver, broker) == ("nameserver-2", "broker-b") and HOLE_MS - 10 <= at <= HOLE_HEALED_MS
                    down = broker == "broker-a" and KILLED_MS <= at <= READY_MS
                    if reaches is None or hole or down:
                        continue
                    self.span(
                        "registrations",
                        at,
                        at + 3,
                        {"code": 0},
                        kind="register",
                        nameserver=nameserver,
                        node=broker,
                        broker=broker,
                        broker_id=0,
                    )
            for at in range(300, 36_000, 250):
                self.poll(nameserver, at)
            for i in range(3):
                self.span(
                    "routes",
                    30_000 + i,
                    30_002 + i,
                    {"outcome": "ok", "code": 17},
                    nameserver=nameserver,
                    topic=f"no-{i}",
                )

    def poll(self, nameserver: str, at: float) -> None:
        states = {broker: self.listed(nameserver, broker, at) for broker in ("broker-a", "broker-b")}
        if None in states.values():
            self.span("routes", at, None, nameserver=nameserver, topic=TOPIC)
            return
        there = [broker for broker, listed in states.items() if listed]
        for broker in there:
            self.span(
                "routes",
                at,
                at + 2,
                {"code": 0, "listed": True, "broker": broker, "broker_id": 0, "strict": True},
                nameserver=nameserver,
                topic=TOPIC,
            )
        if not there:
            self.span("routes", at, at + 2, {"code": 17}, nameserver=nameserver, topic=TOPIC)

    def link_connections(self) -> None:
        self.entry("connections", conn=1, link="broker-a->nameserver-1", opened=210, closed=KILLED_MS + 25)
        self.entry("connections", conn=2, link="broker-a->nameserver-1", opened=READY_MS)
        self.entry("connections", conn=3, link="broker-b->nameserver-1", opened=210)
        self.entry("connections", conn=4, link="broker-a->nameserver-2", opened=210, closed=KILLED_MS + 25)
        self.entry(
            "connections", conn=5, link="broker-a->nameserver-2", opened=READY_MS, closed=NAMESERVER_KILLED_MS + 20
        )
        self.entry("connections", conn=6, link="broker-b->nameserver-2", opened=210, closed=NAMESERVER_KILLED_MS + 20)
        self.entry("connections", conn=7, link="broker-a->nameserver-2", opened=NAMESERVER_READY_MS + 200)
        self.entry("connections", conn=8, link="broker-b->nameserver-2", opened=NAMESERVER_READY_MS + 200)

    def lock(self, at: float, member: str, granted: bool, kind: str = "lock", queue: int = 0) -> Row:
        return self.span(
            "locks",
            at,
            at + 3,
            {"granted": granted},
            kind=kind,
            consumer_group="go",
            member=member,
            node="broker-b",
            broker="broker-b",
            topic=TOPIC,
            queue=queue,
        )

    def locking(self) -> None:
        for at in range(1_000, 8_000, 1_000):
            self.lock(at, "co@5", True)
            self.lock(at + 500, "cx@10", False)
        self.lock(9_000, "co@5", True, kind="unlock")
        self.lock(9_100, "cx@10", True)
        self.lock(16_000, "co@5", True)

    def probing(self) -> None:
        for i in range(24):
            unknown = i < 5
            self.span(
                "replies",
                29_000 + 10 * i,
                29_003 + 10 * i,
                {"answers": 1, "code": 3 if unknown else 0, "response_flag": "1"},
                probe="unknown-code" if unknown else "known",
                node="broker-b",
                request_code=9999 if unknown else 105,
                encoding="json",
            )
        for i in range(4):
            self.span(
                "replies",
                29_500 + i,
                29_900 + i,
                {"outcome": "none", "answers": 0},
                probe="oneway",
                node="broker-b",
                request_code=10,
                encoding="json",
                oneway=True,
            )
