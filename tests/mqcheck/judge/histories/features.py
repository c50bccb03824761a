"""A run of its own for what no target of the kit has: messages popped, timers, a master that a controller chose."""

from __future__ import annotations

from histories.figures import KILLED_MS, PHASES, READY_MS
from histories.messages import Messages
from histories.rows import Row
from mqcheck.specs import FEATURES

POPPED = ("Q", "broker-b", 0)
IN_ORDER = ("O", "broker-b", 0)
TIMED = ("W", "broker-b", 0)
LED = ("K", "broker-k", 0)
FIRST, NEXT = "broker-k", "broker-k-2"
INVISIBLE_MS = 3_000
LATE_MS = 14_000
DELAY_MAX_S = 10


def featured() -> Featured:
    """A run in which every promise about a feature finds its evidence; the others are put to `healthy` ones."""
    return Featured()


class Featured(Messages):
    """Popping, cancelling, electing, on a target that has it all."""

    def __init__(self) -> None:
        super().__init__()
        self.capabilities += FEATURES
        for name, (began, ended) in PHASES.items():
            self.entry("phases", name=name, began=began, ended=ended)
        life = {"role": "broker", "broker_id": 0, "life": 0, "version": "5.4.0", "spawned": 1, "ready": 200}
        self.entry("nodes", node="broker-b", broker="broker-b", **life)
        self.popping()
        self.popping_in_order()
        self.timing()
        self.electing()
        self.final_reading()

    def pop(self, at: float, group: str, place: tuple[str, str, int], records: int) -> Row:
        """One pop of up to 32 messages."""
        topic, broker, queue = place
        asked = {"kind": "pop", "consumer_group": group, "member": "pop@40", "session": 300, "max_num": 32}
        where = {"node": broker, "broker": broker, "topic": topic, "queue": queue}
        end = {"code": 0, "records": records}
        return self.span("pulls", at, at + 4, end, invisible_ms=INVISIBLE_MS, suspend_ms=0, **asked, **where)

    def popped(self, pop: Row, group: str, messages: list[tuple[int, int]], place: tuple[str, str, int]) -> list[Row]:
        """What it brought."""
        topic, broker, queue = place
        return [
            self.point(
                "deliveries",
                pop.at + 5,
                pull=pop.op,
                consumer_group=group,
                member="pop@40",
                session=300,
                message=message,
                topic=topic,
                origin_topic=topic,
                broker=broker,
                node=broker,
                queue=queue,
                queue_offset=offset,
                flag=1,
                body_digest=message * 7,
                props_digest=message * 11,
                received=pop.at + 5,
            )
            for message, offset in messages
        ]

    def acknowledge(self, at: float, group: str, delivery: Row) -> Row:
        said = {"consumer_group": group, "member": "pop@40", "kind": "pop-ack"}
        return self.span("results", at, at + 2, {"code": 0}, delivery=delivery.op, **said)

    def popping(self) -> None:
        """Twelve are popped, six are acknowledged, the others come back; a look in between, and one at the end."""
        messages = [self.send(1_000 + 10 * i, POPPED) for i in range(12)]
        for i, delivery in enumerate(self.popped(self.pop(2_000, "gp", POPPED, 12), "gp", messages, POPPED)):
            if i < 6:
                self.acknowledge(2_100 + i, "gp", delivery)
        self.pop(2_500, "gp", POPPED, 0)
        again = self.pop(2_000 + INVISIBLE_MS + 300, "gp", POPPED, 6)
        for delivery in self.popped(again, "gp", messages[6:], POPPED):
            self.acknowledge(again.at + 100, "gp", delivery)
        self.pop(2_000 + INVISIBLE_MS + LATE_MS, "gp", POPPED, 0)

    def popping_in_order(self) -> None:
        """The next ones are popped when the first are acknowledged, and not before."""
        messages = [self.send(1_500 + 10 * i, IN_ORDER) for i in range(10)]
        self.subscribe("gpo", IN_ORDER[0], orderly=True)
        first = self.popped(self.pop(2_000, "gpo", IN_ORDER, 5), "gpo", messages[:5], IN_ORDER)
        self.pop(2_200, "gpo", IN_ORDER, 0)
        for delivery in first:
            self.acknowledge(2_300, "gpo", delivery)
        second = self.popped(self.pop(2_400, "gpo", IN_ORDER, 5), "gpo", messages[5:], IN_ORDER)
        for delivery in second:
            self.acknowledge(2_500, "gpo", delivery)

    def timing(self) -> None:
        """Four that are too long, and four that are cancelled."""
        self.point("config", 1, node="broker-b", key="timerMaxDelaySec", setting=str(DELAY_MAX_S))
        for i in range(4):
            self.limit_of_timer(1_000 + 10 * i)
        for i in range(4):
            self.cancelled_timer(1_100 + 10 * i)

    def limit_of_timer(self, at: float) -> None:
        """One that is refused because it would take too long."""
        topic, broker, queue = TIMED
        self.next_message += 1
        common = {"message": self.next_message, "topic": topic}
        refused = {"outcome": "error", "code": 13}
        asked = {"mode": "sync", "producer": "p@0", "worker": "w0", "delay_ms": 1_000 * DELAY_MAX_S + 1_000}
        send = self.span("sends", at, at + 6, refused, **asked, **common)
        where = {"node": broker, "broker": broker, "queue": queue}
        end = {"outcome": "refused", "code": 13}
        self.span("attempts", at + 1, at + 5, end, parent=send.op, attempt=0, **where, **common)

    def cancelled_timer(self, at: float) -> None:
        """One of eight seconds, and another message that ends it."""
        timed, _ = self.send(at, TIMED, delay_ms=8_000)
        for table in ("attempts", "sends"):
            self.find(table, message=timed)[0].set(queue_offset=None)
        self.offsets[TIMED] -= 1  # the timer is in no queue of the topic
        self.send(at + 100, TIMED, properties=f'{{"TIMER_DEL_UNIQKEY":"U{timed}"}}')

    def electing(self) -> None:
        """The first master is killed for good; the next has everything."""
        for node in (FIRST, NEXT):
            for key in ("enableControllerMode", "allAckInSyncStateSet"):
                self.point("config", 1, node=node, key=key, setting="true")
        life = {"role": "broker", "broker": FIRST, "life": 0, "version": "5.4.0", "spawned": 1, "ready": 200}
        self.entry("nodes", node=FIRST, broker_id=0, ending=KILLED_MS, ended=KILLED_MS + 20, how="kill", **life)
        self.entry("nodes", node=NEXT, broker_id=1, **life)
        self.fault("kill", KILLED_MS, READY_MS, node=FIRST)
        for i in range(11):
            self.send(3_000 + 10 * i, LED)

    def final_reading(self) -> None:
        """Everything is in its queue, and what the first master acknowledged on the next one."""
        for row in self.find("attempts", lambda row: row.get("queue_offset") is not None):
            node = NEXT if row.get("node") == FIRST else row.get("node")
            place = {name: row.get(name) for name in ("broker", "topic", "queue", "queue_offset", "message", "attempt")}
            self.point("final_log", 36_500, reading="final", node=node, unique_key=f"U{row.get('message')}", **place)
        for (topic, broker, queue), top in self.offsets.items():
            node = NEXT if broker == FIRST else broker
            place = {"broker": broker, "broker_id": int(node == NEXT), "topic": topic, "queue": queue}
            end = {"min_offset": 0, "max_offset": top, "complete": True}
            self.span("readings", 36_400, 36_600, end, reading="final", node=node, master=True, **place)
