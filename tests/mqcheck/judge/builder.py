"""Synthetic histories in the recorder's line format: a healthy run with every kind of table, for tests to mutate."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ORIGIN_MS = 5_000_000
MS = 1_000_000
STAMPS = {"began", "active", "healing", "healed", "ended", "spawned", "ready", "ending", "opened", "closed", "received"}


def ns(ms: float) -> int:
    """Nanoseconds of a run's millisecond."""
    return int((ORIGIN_MS + ms) * MS)


@dataclass(slots=True)
class Row:
    """One operation, point or harness entry; times in ms of the run."""

    table: str
    op: int
    at: float
    until: float | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    process: str = "kit"

    def set(self, **columns: Any) -> Row:
        """Change columns in place, wherever they stand; ``at`` and ``until`` too."""
        for name, value in columns.items():
            if name in ("at", "until"):
                setattr(self, name, value)
            elif name in self.end:
                self.end[name] = value
            else:
                self.columns[name] = value
        return self

    def get(self, name: str) -> Any:
        return self.end.get(name, self.columns.get(name))


class Builder:
    """Collects rows and writes them as streams."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.next_op = 0
        self.aims: list[str] = []
        self.capabilities = ["latency", "partition", "kill", "stop", "pause", "power-cut", "slow-fsync", "fsync-error"]
        self.harness_error: str | None = None

    def op(self) -> int:
        self.next_op += 1
        return self.next_op

    def point(self, table: str, at: float, **columns: Any) -> Row:
        row = Row(table, self.op(), at, None, columns)
        self.rows.append(row)
        return row

    def span(
        self, table: str, at: float, until: float | None, end: dict[str, Any] | None = None, **columns: Any
    ) -> Row:
        row = Row(table, self.op(), at, until, columns, {"outcome": "ok", **(end or {})} if until is not None else {})
        self.rows.append(row)
        return row

    def entry(self, table: str, **columns: Any) -> Row:
        """A harness entry: explicit stamps, given in ms."""
        at = min(value for name, value in columns.items() if name in STAMPS and value is not None)
        return self.point(table, at, **columns)

    def find(self, table: str, where: Callable[[Row], bool] | None = None, **columns: Any) -> list[Row]:
        return [
            row
            for row in self.rows
            if row.table == table
            and all(row.get(name) == value for name, value in columns.items())
            and (where is None or where(row))
        ]

    def remove(self, table: str, where: Callable[[Row], bool] | None = None, **columns: Any) -> int:
        gone = {id(row) for row in self.find(table, where, **columns)}
        self.rows = [row for row in self.rows if id(row) not in gone]
        return len(gone)

    def write(self, folder: Path) -> Path:
        """Write plan.json and the streams; returns the folder."""
        events = folder / "events"
        events.mkdir(parents=True, exist_ok=True)
        plan = {
            "format": 1,
            "run": "r1",
            "scenario": "synthetic",
            "target": "reference",
            "target_version": "4.9.7",
            "profile": "quick",
            "seed": 1,
            "aims": self.aims,
            "capabilities": self.capabilities,
            "sabotage": None,
            "odd": None,
            "started": "2026-01-01T00:00:00Z",
            "replay": "pytest --mqcheck mqcheck::synthetic",
            "seconds": 38.0,
            "harness_error": self.harness_error,
        }
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        for number, process in enumerate(sorted({row.process for row in self.rows})):
            lines = [line for row in self.rows if row.process == process for line in _lines(row)]
            lines.sort(key=lambda line: line[0])
            _write_stream(events / f"{process}.0.jsonl", process, number, [line for _, line in lines])
        return folder


def _lines(row: Row) -> Iterator[tuple[int, dict[str, Any]]]:
    columns = {k: ns(v) if k in STAMPS and v is not None else v for k, v in row.columns.items() if v is not None}
    head: dict[str, Any] = {"e": row.table}
    spans = {
        "sends",
        "attempts",
        "results",
        "pulls",
        "offsets",
        "routes",
        "registrations",
        "locks",
        "replies",
        "readings",
    }
    if row.table not in spans:
        yield ns(row.at), {**head, "t": ns(row.at), "op": row.op, **columns}
        return
    yield ns(row.at), {**head, "w": "b", "t": ns(row.at), "op": row.op, **columns}
    if row.until is not None:
        end = {name: value for name, value in row.end.items() if value is not None}
        yield ns(row.until), {**head, "w": "e", "t": ns(row.until), "op": row.op, **end}


def _write_stream(path: Path, process: str, number: int, lines: list[dict[str, Any]]) -> None:
    first = lines[0]["t"] - 1 if lines else ns(0)
    header = {"e": "streams", "t": first, "format": 1, "run": "r1", "process": process, "number": number, "life": 0}
    header |= {"pid": 1, "boot": "b", "wall_ns": 0}
    closing = {"e": "streams", "w": "e", "t": lines[-1]["t"] if lines else first, "lines": len(lines) + 2}
    text = "\n".join(json.dumps(line, separators=(",", ":")) for line in [header, *lines, closing]) + "\n"
    path.write_text(text, encoding="utf-8")


PHASES = {
    "load": (0, 10_000),
    "fault": (10_000, 26_000),
    "heal": (26_000, 27_000),
    "recover": (27_000, 36_000),
    "final-read": (36_000, 38_000),
}
CONFIG = {
    "nameserver-1": {"expiry_ms": 4000, "scan_ms": 500},
    "nameserver-2": {"expiry_ms": 4000, "scan_ms": 500},
    **{
        broker: {
            "register_ms": 1000,
            "client_expiry_ms": 4000,
            "client_scan_ms": 500,
            "hold_scan_ms": 500,
            "lock_expiry_ms": 3000,
            "offset_flush_ms": 1000,
            "delay_level_1_ms": 1000,
            "delay_level_2_ms": 2000,
            "delay_level_3_ms": 1000,
            "delay_level_4_ms": 1500,
            "delay_level_5_ms": 2000,
            "flushDiskType": "ASYNC_FLUSH" if broker != "broker-s" else "SYNC_FLUSH",
        }
        for broker in ("broker-a", "broker-b", "broker-p", "broker-s")
    },
    "kit": {
        "heartbeat_ms": 1000,
        "rebalance_ms": 1000,
        "send_timeout_ms": 3000,
        "send_retries": 2,
        "max_reconsume": 2,
        "recover_ms": 5000,
    },
    "broker-m": {"brokerRole": "SYNC_MASTER"},
}
TOPIC, POWER_TOPIC, FAIL_TOPIC, DELAY_TOPIC = "T", "P", "F", "D"
GROUPS = ("g1", "g2", "g3", "go")
KILLED_MS, READY_MS = 12_000, 15_000
NAMESERVER_KILLED_MS, NAMESERVER_READY_MS = 16_000, 17_000
HOLE_MS, HOLE_HEALED_MS = 18_000, 26_000
CUT_MS, CUT_READY_MS = 10_500, 11_500
SLAVE_CUT_MS, SLAVE_HEALED_MS = 13_000, 16_000
COPIED_TOPIC = "S"
SILENT_MS = 18_000


class Healthy(Builder):
    """A healthy run in which every guarantee finds its evidence.

    broker-a is killed and restarted, broker-s and broker-p lose their power (only broker-p, ASYNC_FLUSH, loses
    messages), the link broker-b->nameserver-2 is a black hole for eight seconds, nameserver-2 is killed and restarted,
    member c5 of g3 falls silent; the slave of broker-m is cut off for three seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.offsets: dict[tuple[str, str, int], int] = {}
        self.next_message = 0
        for name, (began, ended) in PHASES.items():
            self.entry("phases", name=name, began=began, ended=ended)
        for node, settings in CONFIG.items():
            for key, setting in settings.items():
                self.point("config", 1, node=node, key=key, setting=str(setting))
        self.nodes_and_faults()
        self.groups()
        self.steady_load()
        self.power_load()
        self.copied_load()
        self.failing_load()
        self.delayed_load()
        self.odd_sends()
        self.held_pulls()
        self.routing()
        self.locking()
        self.probing()
        self.final_reading()

    def nodes_and_faults(self) -> None:
        for node in ("nameserver-1", "nameserver-2"):
            self.entry("nodes", node=node, role="nameserver", life=0, spawned=1, ready=100, version="4.9.7")
        for node in ("broker-a", "broker-b", "broker-s", "broker-p", "broker-m", "broker-m-slave"):
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
        for node in ("broker-s", "broker-p"):
            self.restart(node, "power-cut", CUT_MS, CUT_READY_MS)
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
                self.span(
                    "offsets",
                    15_500,
                    15_502,
                    {"code": 0, "position": 60},
                    kind="query",
                    consumer_group=group,
                    member=member,
                    node=place[1],
                    broker=place[1],
                    topic=place[0],
                    queue=place[2],
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
                    if reaches is None or hole or KILLED_MS <= at <= READY_MS:
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
                {"code": 0, "listed": True, "broker": broker, "broker_id": 0},
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

    def final_reading(self) -> None:
        lost = {row.get("message") for row in self.find("attempts", topic=POWER_TOPIC, broker="broker-p")[-5:]}
        held: dict[tuple[str, str, int], int] = {}
        for row in self.find("attempts", lambda row: row.get("outcome") in ("ok", "kept")):
            message = row.get("message")
            if message in lost:
                continue
            place = (row.get("topic"), row.get("broker"), row.get("queue"))
            held[place] = row.get("queue_offset") + 1
            self.record(message, place, row.get("queue_offset"), row.get("attempt"))
        held["%DLQ%gf", "broker-b", 0] = 6
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
            record.set(record_digest=record.get("message") * 13)
            self.point("final_log", 36_500, **{**record.columns, "node": "broker-m-slave"})
        place = {"broker": "broker-m", "broker_id": 1, "master": False, "topic": COPIED_TOPIC, "queue": 0}
        end = {"min_offset": 0, "max_offset": 60, "complete": True}
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
