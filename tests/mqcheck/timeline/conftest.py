"""One small history, times in ms: two nodes, a kill, five messages that fared differently, one member that left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mqcheck.history.loader import load_tables
from mqcheck.timeline.span import Span, span_of

MS = 1_000_000
PLACE = {"broker": "broker-a", "topic": "orders", "queue": 0}
MEMBER = {"consumer_group": "billing", "member": "billing-1@7"}


class Lines:
    """Writes what a recorder would; every operation gets the next number, from 101."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = [
            {"e": "streams", "t": 1, "format": 1, "run": "r", "process": "kit", "number": 0, "life": 0, "boot": "b"}
        ]
        self.op = 100

    def span(self, table: str, at: float, until: float | None, outcome: str = "ok", **more: Any) -> int:
        self.op += 1
        self.lines.append({"e": table, "w": "b", "t": int(at * MS), "op": self.op, **more})
        if until is not None:
            self.lines.append({"e": table, "w": "e", "t": int(until * MS), "op": self.op, "outcome": outcome})
        return self.op

    def point(self, table: str, at: float, **more: Any) -> int:
        self.op += 1
        self.lines.append({"e": table, "t": int(at * MS), "op": self.op, **more})
        return self.op

    def life(self, table: str, **more: Any) -> int:
        times = {key: int(value * MS) for key, value in more.items() if isinstance(value, float)}
        return self.point(table, 0.1, **{**more, **times})

    def sent(self, message: int, at: float, until: float | None, offset: int | None, outcome: str = "ok") -> None:
        told = {"message": message, "topic": "orders", "producer": "producer-1", "mode": "sync", "keys": f"k{message}"}
        op = self.span("sends", at, until, outcome, **told)
        place = {**PLACE, "queue_offset": offset} if offset is not None else {"broker": "broker-a"}
        self.span("attempts", at + 0.1, until and until - 0.1, outcome, parent=op, message=message, attempt=0, **place)

    def delivered(self, message: int, at: float, offset: int, result: str = "success") -> int:
        where = {**PLACE, **MEMBER, "queue_offset": offset}
        op = self.point("deliveries", at, message=message, received=int(at * MS), **where)
        self.span("results", at + 0.2, at + 0.5, delivery=op, kind="listener", result=result, **MEMBER)
        return op


def cluster(lines: Lines) -> None:
    lines.life("phases", name="load", began=1.0, ended=100.0)
    lines.life("phases", name="fault", began=100.0, ended=200.0)
    lines.life("nodes", node="nameserver-1", role="nameserver", life=0, spawned=1.0, ready=5.0)
    broker = {"node": "broker-a", "role": "broker", "broker": "broker-a"}
    lines.life("nodes", **broker, life=0, spawned=2.0, ready=10.0, ending=100.0, ended=101.0, how="kill")
    lines.life("nodes", **broker, life=1, spawned=150.0, ready=160.0)
    effect = '{"unsynced_bytes": 5, "torn": true, "by_file": {"x": 1}}'
    times = {"began": 100.0, "active": 102.0, "healing": 150.0, "healed": 160.0}
    lines.life("faults", kind="kill", node="broker-a", confirmed=True, effect=effect, **times)
    lines.life("connections", link="producer-1->broker-a", conn=1, opened=8.0, closed=101.0, closed_by="peer")
    lines.life("connections", link="billing-1->broker-a", conn=2, opened=9.0)
    lines.life("stalls", began=40.0, ended=70.0)
    lines.point("members", 12, kind="heartbeat", node="broker-a", **MEMBER)
    for queue in (0, 1):
        lines.point(
            "members", 13 + queue, kind="assigned", broker="broker-a", topic="orders", **MEMBER | {"queue": queue}
        )
    lines.point("members", 190, kind="closed", **MEMBER)


def messages(lines: Lines) -> None:
    lines.sent(11, 20, 22, 0)
    lines.sent(12, 21, 24, 1)
    lines.sent(13, 30, None, None)
    lines.sent(14, 32, 33, 3)
    lines.sent(15, 32, 34, 2)
    lines.sent(16, 110, 112, None, "error")
    lines.delivered(11, 25, 0)
    lines.delivered(12, 26, 1)
    lines.delivered(14, 36, 3, "later")
    lines.delivered(15, 37, 2)
    lines.delivered(14, 45, 3)
    lines.span("offsets", 50, 51, kind="commit", value=1, **PLACE, **MEMBER)
    reading = {"reading": "final", "node": "broker-a", **PLACE}
    lines.span("readings", 180, 185, **reading, master=True, complete=True, min_offset=0, max_offset=4)
    for message, offset in ((11, 0), (14, 3), (15, 2)):
        lines.point("final_log", 184, **reading, message=message, attempt=0, queue_offset=offset)


@pytest.fixture
def lines() -> Lines:
    """Nothing but the header yet."""
    return Lines()


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Callable[[Lines], duckdb.DuckDBPyConnection]]:
    """Loads lines into tables."""
    opened: list[duckdb.DuckDBPyConnection] = []

    def load(written: Lines) -> duckdb.DuckDBPyConnection:
        (tmp_path / "events").mkdir(exist_ok=True)
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in written.lines)
        (tmp_path / "events" / "kit.0.jsonl").write_text(text, encoding="utf-8")
        opened.append(load_tables(tmp_path))
        return opened[-1]

    yield load
    for connection in opened:
        connection.close()


@pytest.fixture
def history(lines: Lines, loaded: Callable[[Lines], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    """The tables of the small history."""
    cluster(lines)
    messages(lines)
    return loaded(lines)


@pytest.fixture
def span(history: duckdb.DuckDBPyConnection) -> Span:
    """The time of the small history."""
    return span_of(history)
