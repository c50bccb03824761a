"""Disks: broker-w fails writes and loses its power; broker-t ends in a damaged record, broker-q loses its queues,
broker-r is nearly full for a while, broker-z throws messages away.
"""

from __future__ import annotations

from histories.figures import CUT_MS, CUT_READY_MS, DISK_FAULT_MS, FULL_MS, SPOILT_MS
from histories.requests import Requests

FAILING, SPOILT, LOST, FULL = "broker-w", "broker-t", "broker-q", "broker-r"
FORGETTING = "broker-z"
TOPIC = "W"


class Disks(Requests):
    """Four brokers, a topic on each."""

    def disk_troubles(self) -> None:
        """Lives, faults, sends, pulls."""
        for node in (FAILING, SPOILT, LOST, FULL, FORGETTING):
            life = {"role": "broker", "broker": node, "broker_id": 0, "life": 0, "version": "4.9.7"}
            self.entry("nodes", node=node, spawned=1, ready=200, **life)
        for node in (FAILING, SPOILT, LOST):
            for number in range(30):
                self.send(1_000 + 20 * number, (TOPIC, node, 0))
        self.failing_writes()
        spoilt, back = SPOILT_MS
        self.restart(SPOILT, "power-cut", spoilt, back)
        self.fault("bad-tail", spoilt, back, node=SPOILT)
        self.restart(LOST, "stop", spoilt, back)
        self.fault("lost-queues", spoilt, back, node=LOST)
        self.nearly_full()
        self.forgetting()

    def failing_writes(self) -> None:
        self.fault("write-error", DISK_FAULT_MS, CUT_READY_MS, node=FAILING)
        for number in range(15):
            message, _ = self.send(DISK_FAULT_MS + 20 + 20 * number, (TOPIC, FAILING, 0))
            if number:
                for table in ("attempts", "sends"):
                    self.find(table, message=message)[-1].end.update(outcome="kept", code=10)
        self.restart(FAILING, "power-cut", CUT_MS, CUT_READY_MS)

    def nearly_full(self) -> None:
        began, healed = FULL_MS
        place = {"node": FULL, "broker": FULL, "topic": TOPIC, "queue": 0}
        for number in range(20):
            self.send(1_000 + 20 * number, (TOPIC, FULL, 0), size=1000)
        for number in range(8):
            self.span("offsets", 2_000 + number, 2_001 + number, {"code": 0, "position": 0}, kind="min", **place)
        self.fault("disk-nearly-full", began, healed, node=FULL)
        for number in range(10):
            message, _ = self.send(began + 1_000 + 20 * number, (TOPIC, FULL, 0))
            self.offsets[TOPIC, FULL, 0] -= 1
            for table in ("attempts", "sends"):
                end = self.find(table, message=message)[-1].end
                end.update(outcome="refused" if table == "attempts" else "error", code=14)
                end.pop("queue_offset")
            asked = {"kind": "pull", "consumer_group": "probe", "position": 0, "expression": "*", "max_num": 8}
            found = {"code": 0, "records": 8, "min_offset": 0, "max_offset": 20}
            self.span("pulls", began + 1_000 + 20 * number, began + 1_005 + 20 * number, found, **asked, **place)

    def forgetting(self) -> None:
        """A queue whose beginning moves on, by answers of both kinds."""
        self.point("config", 1, node=FORGETTING, key="fileReservedTime", setting="0")
        place = {"node": FORGETTING, "broker": FORGETTING, "topic": TOPIC, "queue": 0}
        for number in range(8):
            at = 2_000 + 10 * number
            self.span("offsets", at, at + 2, {"code": 0, "position": 3 * number}, kind="min", **place)
            asked = {"kind": "pull", "consumer_group": "probe", "position": 3 * number, "expression": "*", "max_num": 8}
            found = {"code": 19, "records": 0, "min_offset": 3 * number, "max_offset": 40, "next_offset": 3 * number}
            self.span("pulls", at + 5, at + 7, found, **asked, **place)
