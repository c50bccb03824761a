"""Messages: sent, delivered, committed, failed, delayed, held for."""

from __future__ import annotations

from typing import Any

from histories.cluster import Cluster
from histories.figures import (
    COPIED_TOPIC,
    DELAY_TOPIC,
    DISK_FAULT_MS,
    DISK_FAULTS,
    DISK_TOPIC,
    FAIL_TOPIC,
    POWER_TOPIC,
    SILENT_MS,
    SLAVE_CUT_MS,
    SLAVE_HEALED_MS,
    TOPIC,
)
from histories.rows import Row


class Messages(Cluster):
    """Every kind of load."""

    def send(self, at: float, place: tuple[str, str, int], **columns: Any) -> tuple[int, int]:
        """One acknowledged message; returns its id and offset."""
        topic, broker, queue = place
        self.next_message += 1
        message = self.next_message
        offset = self.offsets.get(place, 0)
        self.offsets[place] = offset + 1
        common = {"message": message, "topic": topic}
        end = {"code": 0, "queue_offset": offset}
        send = self.span(
            "sends",
            at,
            at + 6,
            {**end, "broker": broker, "queue": queue},
            **{
                **common,
                "mode": "sync",
                "producer": "p@0",
                "worker": "w0",
                "unique_key": f"U{message}",
                "body_digest": message * 7,
                "props_digest": message * 11,
                "flag": 1,
                **columns,
            },
        )
        self.span(
            "attempts",
            at + 1,
            at + 5,
            end,
            parent=send.op,
            attempt=0,
            node=broker,
            broker=broker,
            queue=queue,
            **common,
        )
        return message, offset

    def deliver(
        self, at: float, group: str, member: str, message: int, place: tuple[str, str, int], offset: int, **more: Any
    ) -> Row:
        """One delivery and the listener's success."""
        topic, broker, queue = place
        result = more.pop("result", "success")
        row = self.point(
            "deliveries",
            at,
            **{
                "consumer_group": group,
                "member": member,
                "session": 300,
                "message": message,
                "attempt": 0,
                "unique_key": f"U{message}",
                "topic": topic,
                "origin_topic": topic,
                "broker": broker,
                "node": broker,
                "queue": queue,
                "queue_offset": offset,
                "flag": 1,
                "body_digest": message * 7,
                "props_digest": message * 11,
                "received": at,
                **more,
            },
        )
        self.span(
            "results",
            at + 2,
            at + 2,
            {"result": result},
            delivery=row.op,
            consumer_group=group,
            member=member,
            kind="listener",
        )
        return row

    def commit(self, at: float, group: str, member: str, place: tuple[str, str, int], value: int) -> Row:
        topic, broker, queue = place
        return self.span(
            "offsets",
            at,
            at + 2,
            kind="commit",
            consumer_group=group,
            member=member,
            node=broker,
            broker=broker,
            topic=topic,
            queue=queue,
            value=value,
        )

    def steady_load(self) -> None:
        places = [(TOPIC, b, q) for q in (0, 1) for b in ("broker-a", "broker-b")]
        times = [500 + 30 * i for i in range(240)]
        for i, at in enumerate(times):
            self.message_for_all(at, places[i % 4])
        for i in range(20):
            self.message_for_all(24_500 + 30 * i, places[i % 4])
        for place in places:
            for group, member in (("g1", "c1@1"), ("g2", "c2@2"), ("go", "co@5")):
                self.ask(15_500, group, member, place, 60)
            # A group that comes late has committed nothing where the others have.
            self.ask(15_600, "gl", "cl@11", place, 0)

    def ask(self, at: float, group: str, member: str, place: tuple[str, str, int], answer: int) -> Row:
        """A question for a group's offset, and what the broker says."""
        topic, broker, queue = place
        return self.span(
            "offsets",
            at,
            at + 2,
            {"code": 0, "position": answer},
            kind="query",
            consumer_group=group,
            member=member,
            node=broker,
            broker=broker,
            topic=topic,
            queue=queue,
        )

    def message_for_all(self, at: float, place: tuple[str, str, int]) -> None:
        position = self.offsets.get(place, 0)
        self.span(
            "pulls",
            at - 20,
            at + 5,
            {"code": 0, "next_offset": position + 1, "records": 1},
            kind="pull",
            consumer_group="g1",
            member="c1@1",
            session=300,
            node=place[1],
            broker=place[1],
            topic=place[0],
            queue=place[2],
            position=position,
            suspend_ms=1500,
        )
        message, offset = self.send(at, place)
        owner = "c4@3" if place[1] == "broker-a" or at > SILENT_MS else "c5@4"
        members = (("g1", "c1@1"), ("g2", "c2@2"), ("g3", owner), ("go", "co@5"), ("gb", "cb1@6"), ("gb", "cb2@7"))
        for group, member in members:
            self.deliver(at + 8, group, member, message, place, offset)
            if group != "gb" and offset % 5 == 4:
                self.commit(at + 12, group, member, place, offset + 1)

    def power_load(self) -> None:
        for i in range(120):
            broker = ("broker-s", "broker-p")[i % 2]
            self.send(600 + 40 * i, (POWER_TOPIC, broker, 0))

    def disk_load(self) -> None:
        """One acknowledged message; then a disk fails, and no answer says more than that the message is kept."""
        for broker in DISK_FAULTS:
            self.send(9_000, (DISK_TOPIC, broker, 0))
            for i in range(15):
                message, _ = self.send(DISK_FAULT_MS + 50 + 30 * i, (DISK_TOPIC, broker, 0))
                for table in ("attempts", "sends"):
                    self.find(table, message=message)[0].end.update(outcome="kept", code=10)

    def copied_load(self) -> None:
        """Sixty messages, twelve of them while the slave is cut off: stored, and answered so."""
        for i in range(60):
            cut = 20 <= i < 32
            at = SLAVE_CUT_MS + 200 * (i - 19) if cut else 1_000 + 50 * i if i < 20 else SLAVE_HEALED_MS + 50 * i
            message, _ = self.send(at, (COPIED_TOPIC, "broker-m", 0), wait_store=True)
            if cut:
                for table in ("attempts", "sends"):
                    self.find(table, message=message)[-1].end.update(outcome="kept", code=12)

    def failing_load(self) -> None:
        """Six messages fail three times and end in the dead letter topic, six succeed at their first retry."""
        place, retry = (FAIL_TOPIC, "broker-b", 0), ("%RETRY%gf", "broker-b", 0)
        for i in range(12):
            at = 1000 + 50 * i
            message, offset = self.send(at, place)
            last = 2 if i < 6 else 1
            for times in range(last + 1):
                where = place if times == 0 else retry
                at += 0 if times == 0 else (1000, 1500)[times - 1] + 60
                if times:
                    offset = self.offsets.get(retry, 0)
                    self.offsets[retry] = offset + 1
                fails = i < 6 or times == 0
                row = self.deliver(
                    at + 10,
                    "gf",
                    "cf@8",
                    message,
                    where,
                    offset,
                    origin_topic=FAIL_TOPIC,
                    reconsume_times=times,
                    result="later" if fails else "success",
                )
                if fails:
                    self.span(
                        "results",
                        at + 13,
                        at + 18,
                        {"code": 0},
                        delivery=row.op,
                        consumer_group="gf",
                        member="cf@8",
                        kind="send-back",
                    )
            if i < 6:
                self.point(
                    "final_log",
                    36_500,
                    reading="final",
                    node="broker-b",
                    broker="broker-b",
                    topic="%DLQ%gf",
                    queue=0,
                    queue_offset=i,
                    message=message,
                    attempt=0,
                    unique_key=f"U{message}",
                    body_digest=message * 7,
                    props_digest=message * 11,
                    flag=1,
                    reconsume_times=3,
                )
        self.offsets["%DLQ%gf", "broker-b", 0] = 6

    def delayed_load(self) -> None:
        for i in range(8):
            at = 1500 + 20 * i
            message, offset = self.send(at, (DELAY_TOPIC, "broker-b", 0), delay_level=1, delay_ms=1000)
            self.deliver(at + 1_080, "gd", "cd@9", message, (DELAY_TOPIC, "broker-b", 0), offset)

    def odd_sends(self) -> None:
        """Flush time-outs, refusals, and calls whose first attempt was cut off."""
        for i in range(6):
            self.send(9_100 + 10 * i, ("K", "broker-b", 0))
            attempt = self.find("attempts", topic="K")[-1]
            attempt.end.update(outcome="kept", code=10)
            self.find("sends", topic="K")[-1].end.update(outcome="kept", code=10)
        for i in range(6):
            message, _ = self.send(9_300 + 10 * i, ("R", "broker-b", 0))
            (attempt,) = self.find("attempts", message=message)
            attempt.set(attempt=1, at=attempt.at + 2)
            self.span(
                "attempts",
                attempt.at - 2,
                attempt.at - 1,
                {"outcome": "unsent"},
                parent=attempt.get("parent"),
                message=message,
                topic="R",
                attempt=0,
                node="broker-a",
                broker="broker-a",
                queue=0,
            )
        for broker in ("broker-a", "broker-b"):
            self.span(
                "routes", 300, 304, {"code": 0, "listed": True, "broker": broker}, nameserver="nameserver-1", topic="R"
            )
        self.fault("reset", 9_290, 9_400, link="p->broker-a")
        for i in range(3):
            self.next_message += 1
            send = self.span(
                "sends",
                9_600 + i,
                9_605 + i,
                {"outcome": "error", "code": 13},
                message=self.next_message,
                topic="K",
                mode="sync",
                producer="p@0",
                worker="w0",
            )
            self.span(
                "attempts",
                9_601 + i,
                9_604 + i,
                {"outcome": "refused", "code": 13},
                parent=send.op,
                message=self.next_message,
                topic="K",
                attempt=0,
                broker="broker-b",
                node="broker-b",
                queue=0,
            )

    def held_pulls(self) -> None:
        for i in range(5):
            at = 28_000 + 100 * i
            self.span(
                "pulls",
                at,
                at + 1_800,
                {"code": 19, "next_offset": 9},
                kind="pull",
                consumer_group="probe",
                node="broker-b",
                broker="broker-b",
                topic="EMPTY",
                queue=0,
                position=9,
                suspend_ms=1500,
            )
