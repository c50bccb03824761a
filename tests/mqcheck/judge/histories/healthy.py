"""A healthy run with every kind of table, for tests to mutate."""

from __future__ import annotations

from functools import cache

from histories import flow, groups
from histories.changes import Changes
from histories.disks import FAILING, Disks
from histories.figures import CONFIG, COPIED_TOPIC, CUT_MS, CUT_READY_MS, DISK_FAULTS, PHASES, POWER_TOPIC
from histories.filtering import Filtering
from histories.halves import Halves
from histories.rows import Row
from histories.slaves import Slaves
from histories.waiting import Waiting
from histories.wire import Wire


def healthy() -> Healthy:
    """A healthy run of one's own to mutate; putting the first together takes ten times as long as copying it."""
    return _made().copy()


@cache
def _made() -> Healthy:
    return Healthy()


class Healthy(Halves, Waiting, Disks, Slaves, Wire, Filtering, Changes):
    """A healthy run in which every guarantee finds its evidence.

    broker-a is killed and restarted, broker-s and broker-p lose their power (only broker-p, ASYNC_FLUSH, loses
    messages), the link broker-b->nameserver-2 is a black hole for eight seconds, nameserver-2 is killed and restarted,
    member c5 of g3 falls silent; the slave of broker-m is cut off for three seconds, and later gone for two, as is the
    master of broker-n; four more brokers have trouble with their disks.
    """

    def __init__(self) -> None:
        super().__init__()
        for name, (began, ended) in PHASES.items():
            self.entry("phases", name=name, began=began, ended=ended)
        for node, settings in CONFIG.items():
            for key, setting in settings.items():
                self.point("config", 1, node=node, key=key, setting=str(setting))
        self.nodes_and_faults()
        self.groups()
        self.steady_load()
        self.power_load()
        self.disk_load()
        self.copied_load()
        self.slave_load()
        self.disk_troubles()
        self.failing_load()
        self.delayed_load()
        self.odd_levels()
        self.waiting_through_a_kill()
        self.transactions()
        self.odd_sends()
        self.shelf_load()
        self.by_hand()
        self.filtered_load()
        self.held_pulls()
        self.routing()
        self.locking()
        groups.contest(self)
        groups.membership(self)
        flow.backlog(self)
        flow.suspending(self)
        flow.overload(self)
        self.probing()
        self.asking()
        self.changing()
        self.final_reading()
        self.read_back()
        self.surveys()
        self.inventories()

    def surveys(self) -> None:
        """What the cuts left of the logs: what is read back at the end."""
        for node in ("broker-s", "broker-p", FAILING, *DISK_FAULTS):
            end = {"records": 0}
            survey = self.span("surveys", CUT_MS + 50, CUT_MS + 90, end, node=node, broker=node, life=0)
            for record in self.find("final_log", node=node):
                place = {name: record.get(name) for name in ("topic", "queue", "queue_offset", "message", "attempt")}
                self.point("surveyed", CUT_MS + 60, parent=survey.op, node=node, broker=node, **place)

    def inventories(self) -> None:
        """Of the two brokers that lose their power: a topic, a group and its offset that nobody uses."""
        for node in ("broker-s", "broker-p"):
            for at, reading in ((9_000, "before"), (CUT_READY_MS + 500, "after")):
                for kind in ("topic", "group", "offsets"):
                    end = {"listed": True}
                    place = {"reading": reading, "node": node, "broker": node, "kind": kind, "name": "archive"}
                    self.span("inventory", at, at + 5, end, **place)

    def final_reading(self) -> None:
        lost = {row.get("message") for row in self.find("attempts", topic=POWER_TOPIC, broker="broker-p")[-5:]}
        held: dict[tuple[str, str, int], int] = {}
        for row in self.find("attempts", lambda row: row.get("outcome") in ("ok", "kept")):
            message = row.get("message")
            if message in lost or message in self.halves:
                continue
            place = (row.get("topic"), row.get("broker"), row.get("queue"))
            held[place] = row.get("queue_offset") + 1
            self.record(message, place, row.get("queue_offset"), row.get("attempt"))
        held["%DLQ%gf", "broker-b", 0] = 6
        held |= self.copies
        self.slave_reading()
        for (topic, broker, queue), top in held.items():
            self.span(
                "readings",
                36_400,
                36_600,
                {"min_offset": 0, "max_offset": top, "complete": True},
                reading="final",
                node=broker,
                broker=broker,
                broker_id=0,
                master=True,
                topic=topic,
                queue=queue,
            )

    def slave_reading(self) -> None:
        """The slave holds what its master holds."""
        for record in self.find("final_log", broker="broker-m"):
            record.set(record_digest=record.get("message") * 13, physical_offset=record.get("queue_offset") * 200)
            self.point("final_log", 36_500, **{**record.columns, "node": "broker-m-slave"})
        place = {"broker": "broker-m", "broker_id": 1, "master": False, "topic": COPIED_TOPIC, "queue": 0}
        end = {"min_offset": 0, "max_offset": self.offsets[COPIED_TOPIC, "broker-m", 0], "complete": True}
        self.span("readings", 36_400, 36_600, end, reading="final", node="broker-m-slave", **place)

    def record(self, message: int, place: tuple[str, str, int], offset: int, attempt: int) -> Row:
        topic, broker, queue = place
        return self.point(
            "final_log",
            36_500,
            reading="final",
            node=broker,
            broker=broker,
            topic=topic,
            queue=queue,
            queue_offset=offset,
            message=message,
            attempt=attempt,
            unique_key=f"U{message}",
            body_digest=message * 7,
            props_digest=message * 11,
            flag=1,
        )
