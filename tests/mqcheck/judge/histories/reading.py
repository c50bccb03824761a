"""Pulls by hand, lookups, batches and limits."""

from __future__ import annotations

from typing import Any

from histories.requests import Requests
from histories.rows import Row

SHELF = ("L", "broker-b", 0)
SHELF_END = 40
PILE = ("B", "broker-b", 0)
BODY_MAX = 4_194_304
REFUSED = {
    "pull-barred-group": 16,
    "pull-unreadable-topic": 16,
    "pull-newer-subscription": 25,
    "pull-unknown-topic": 17,
    "pull-unknown-group": 24,
    "pull-queue-above": 1,
    "pull-queue-below": 1,
    "topic-too-long": 1,
    "topic-bad-characters": 1,
    "topic-longest": 0,
}


def store_time(offset: int) -> int:
    """Of the message at an offset."""
    return 1_000_000 + 10 * offset


class Reading(Requests):
    """A queue whose every message is known."""

    def shelf_load(self) -> None:
        for i in range(SHELF_END):
            self.send(2_000 + 10 * i, SHELF, keys=f"k{i}")
            self.rows["attempts"][-1].set(offset_msg_id=f"ID{i}", physical_offset=1_000 * i, body_size=100)
        self.rows["attempts"][-1].set(body_size=BODY_MAX)
        for i in range(6 * 5):
            self.send(3_000 + 10 * i, PILE, batch=900 + i // 5, batch_index=i % 5)
            self.rows["attempts"][-1].set(batch=900 + i // 5, batch_size=5)
        for i in range(4):
            self.limit(4_000 + 10 * i, body_size=BODY_MAX + 1, props_size=200)
            self.limit(4_100 + 10 * i, body_size=100, props_size=32_768)

    def limit(self, at: float, **sizes: int) -> None:
        """A send that is refused for its size."""
        self.next_message += 1
        common = {"message": self.next_message, "topic": "B"}
        end = {"outcome": "error", "code": 13}
        send = self.span("sends", at, at + 6, end, mode="sync", producer="p@0", worker="w0", **common)
        end = {"outcome": "refused", "code": 13, **sizes}
        where = {"node": "broker-b", "broker": "broker-b", "queue": 0}
        self.span("attempts", at + 1, at + 5, end, parent=send.op, attempt=0, **where, **common)

    def by_hand(self) -> None:
        """Pulls, searches and lookups once everything is stored."""
        for i in range(24):
            self.pull(30_000 + 10 * i, i, 0, next_offset=i + 4, records=4, first_offset=i, last_offset=i + 3)
            self.edge(30_005 + 10 * i, "max", SHELF_END)
            self.edge(30_006 + 10 * i, "min", 0)
        for i, position in enumerate((-1, -1, -1, SHELF_END + 1, SHELF_END + 9, SHELF_END + 9)):
            self.pull(30_300 + 10 * i, position, 21, next_offset=0 if position < 0 else SHELF_END)
        self.pull(30_400, SHELF_END, 19, next_offset=SHELF_END)
        for i in range(12):
            self.edge(30_500 + 5 * i, "search", i).set(argument_ms=store_time(i))
            for kind, name in (("view", f"ID{i}"), ("key", f"k{i}"), ("unique-key", None)):
                self.look_up(30_600 + 5 * i, kind, name, i)
        for i, (probe, code) in enumerate(REFUSED.items()):
            for turn in range(4):
                at = 31_000 + 10 * i + turn
                end = {"answers": 1, "code": code, "response_flag": "1"}
                where = {"node": "broker-b", "request_code": 11, "encoding": "json"}
                self.span("replies", at, at + 3, end, probe=probe, **where)

    def pull(self, at: float, position: int, code: int, **end: Any) -> Row:
        """One that asks for four messages of everything."""
        topic, broker, queue = SHELF
        place = {"node": broker, "broker": broker, "topic": topic, "queue": queue, "position": position}
        found = {"ascending": True} if end.get("records") else {"records": 0}
        bounds = {"min_offset": 0, "max_offset": SHELF_END}
        asked = {"kind": "pull", "consumer_group": "readers", "max_num": 4, "suspend_ms": 0, "expression": "*"}
        return self.span("pulls", at, at + 2, {"code": code, **bounds, **found, **end}, **asked, **place)

    def edge(self, at: float, kind: str, position: int) -> Row:
        topic, broker, queue = SHELF
        place = {"node": broker, "broker": broker, "topic": topic, "queue": queue}
        return self.span("offsets", at, at + 2, {"code": 0, "position": position}, kind=kind, **place)

    def look_up(self, at: float, kind: str, name: str | None, offset: int) -> None:
        topic, broker, queue = SHELF
        message = next(row.get("message") for row in self.rows["attempts"] if row.get("offset_msg_id") == f"ID{offset}")
        asked = {"kind": kind, "node": broker, "topic": topic, "name": name or f"U{message}", "max_num": 32}
        lookup = self.span("lookups", at, at + 3, {"code": 0, "records": 1}, **asked)
        place = {"node": broker, "topic": topic, "queue": queue, "queue_offset": offset}
        self.point("found", at + 2, parent=lookup.op, message=message, **place)

    def read_back(self) -> None:
        """What the final reading says besides: when each message was stored, and where in the log."""
        for row in self.rows["final_log"]:
            if row.get("topic") in ("L", "T"):
                row.set(store_time=store_time(row.get("queue_offset")))
            if row.get("topic") == "L":
                row.set(physical_offset=1_000 * row.get("queue_offset"))
