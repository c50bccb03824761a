"""Half messages: committed, rolled back, asked about, given up, and open while their broker is killed."""

from __future__ import annotations

from typing import Any

from histories.figures import HALF_TOPIC, KILLED_MS, READY_MS
from histories.messages import Messages
from histories.rows import Row

GIVEN_UP = "TRANS_CHECK_MAX_TIME_TOPIC"
READER = ("gx", "cx@30")
SENDER_GONE_MS = 1_700
CONNECTIONS = {
    40: ("teller", "tellers", "broker-b", 350, SENDER_GONE_MS),
    41: ("teller2", "tellers", "broker-b", 350, None),
    42: ("clerk", "clerks", "broker-b", 350, None),
    43: ("teller2", "tellers", "broker-a", 350, KILLED_MS + 20),
    44: ("teller2", "tellers", "broker-a", READY_MS + 50, None),
}
"""Connection → client, its producer group, where, from when, and until when."""


class Halves(Messages):
    """What producers of transactions send, decide, and are asked."""

    def __init__(self) -> None:
        super().__init__()
        self.halves: set[int] = set()
        self.copies: dict[tuple[str, str, int], int] = {}
        """Place → number of messages that lie there at the end."""

    def transactions(self) -> None:
        """Everything about half messages."""
        self.producers()
        for i in range(8):
            half = self.half(1_000 + 10 * i, 40)
            self.decide(1_020 + 10 * i, half, "commit")
            self.come(1_040 + 10 * i, half)
        for i in range(8):
            half = self.half(1_200 + 10 * i, 40)
            refused = {"outcome": "refused", "code": 1}
            self.decide(1_208 + 10 * i, half, "commit", producer_group="clerks").end.update(refused)
            self.decide(1_212 + 10 * i, half, "commit", half_offset=9_999).end.update(refused)
            self.decide(1_220 + 10 * i, half, "rollback")
        for i in range(13):
            half = self.half(1_400 + 10 * i, 41 if i < 8 else 40)
            self.asked_and_committed(2_750 + 10 * i, half)
        for i in range(5):
            half = self.half(1_800 + 10 * i, 41)
            for at in (3_100, 3_600):
                self.check(at + 10 * i, half)
            place = (GIVEN_UP, "broker-b", 0)
            self.keep(half, place)
        for i in range(8):
            half = self.half(KILLED_MS - 400 + 10 * i, 43)
            if i < 4:
                self.decide(READY_MS + 300 + 10 * i, half, "commit")
                self.come(READY_MS + 320 + 10 * i, half)
            else:
                self.asked_and_committed(READY_MS + 1_200 + 10 * i, half)

    def producers(self) -> None:
        """Clients that brokers know as producers, and the group that reads what they commit."""
        self.subscribe("gx", HALF_TOPIC)
        for broker in ("broker-a", "broker-b"):
            self.assign(*READER, (HALF_TOPIC, broker, 0), 300)
        for conn, (client, group, node, opened, closed) in CONNECTIONS.items():
            self.entry("connections", conn=conn, link=f"{client}->{node}", opened=opened, closed=closed)
            for at in range(opened + 50, int(closed or 36_000), 1_000):
                self.point(
                    "members", at, kind="produces", producer_group=group, member=f"{client}@2", node=node, conn=conn
                )

    def half(self, at: float, conn: int) -> dict[str, Any]:
        """One half message, stored: its message, where it lies, and whose it is."""
        client, group, node, _, _ = CONNECTIONS[conn]
        columns = {"transactional": True, "producer": client, "producer_group": group, "flag": 0}
        message, _ = self.send(at, (HALF_TOPIC, node, 0), **columns)
        del self.offsets[HALF_TOPIC, node, 0]
        self.halves.add(message)
        offset = len(self.halves)
        for table in ("attempts", "sends"):
            self.find(table, message=message)[0].end.update(queue_offset=offset)
        self.find("attempts", message=message)[0].set(conn=conn)
        names = {"message": message, "node": node, "producer_group": group}
        return {**names, "half_offset": offset, "physical_offset": offset * 100}

    def decide(self, at: float, half: dict[str, Any], decision: str, **columns: Any) -> Row:
        """END_TRANSACTION, answered with success."""
        more = {"producer": "teller2", "kind": "reply", "decision": decision, **columns}
        return self.span("transactions", at, at + 6, {"code": 0}, **{**half, **more})

    def check(self, at: float, half: dict[str, Any]) -> Row:
        """The broker asks the producer that is left."""
        message = half["message"]
        names = {"unique_key": f"U{message}", "body_digest": message * 7, "producer": "teller2", "member": "teller2@2"}
        return self.point("checks", at, **{**half, **names, "check_times": 1})

    def asked_and_committed(self, at: float, half: dict[str, Any]) -> None:
        asked = self.check(at, half)
        self.decide(at + 2, half, "commit", from_check=True, check_op=asked.op)
        self.come(at + 20, half)

    def come(self, at: float, half: dict[str, Any]) -> None:
        """It is delivered, and lies in its topic at the end."""
        place = (HALF_TOPIC, half["node"], 0)
        self.deliver(at, *READER, half["message"], place, self.keep(half, place), flag=0)

    def keep(self, half: dict[str, Any], place: tuple[str, str, int]) -> int:
        """It lies there at the end; at which offset."""
        topic, broker, queue = place
        message, offset = half["message"], self.copies.get(place, 0)
        self.copies[place] = offset + 1
        self.point(
            "final_log",
            36_500,
            reading="final",
            node=broker,
            broker=broker,
            topic=topic,
            queue=queue,
            queue_offset=offset,
            message=message,
            attempt=0,
            unique_key=f"U{message}",
            body_digest=message * 7,
            props_digest=message * 11,
            flag=0,
            prepared_offset=str(half["physical_offset"] if topic == HALF_TOPIC else 0),
        )
        return offset
