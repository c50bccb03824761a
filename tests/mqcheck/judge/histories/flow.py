"""Flow and order: a backlog in batches that fill the cache, and an orderly queue whose messages fail."""

from __future__ import annotations

from typing import Any

from histories.requests import Requests
from histories.rows import Row

BACKLOG, SUSPENDING = ("Q", "broker-b", 0), ("V", "broker-b", 0)
OVERLOADED, OVERLOAD_MS = ("O", "broker-o", 0), (20_000, 21_000)
SESSION = 500
ROUND = 12
"""Messages of one pull: more than the cache may hold."""
ROUNDS_MS = tuple(range(3_000, 5_400, 400))
"""When the backlog is pulled."""


def backlog(history: Requests) -> None:
    """Six pulls of twelve messages each, and one at the end; every message has one of four sharding keys."""
    history.subscribe("gq", BACKLOG[0])
    route = {"code": 0, "listed": True, "broker": BACKLOG[1], "write_queues": 2}
    history.span("routes", 290, 292, route, nameserver="nameserver-1", topic=BACKLOG[0])
    place = dict(zip(("topic", "broker", "queue"), BACKLOG, strict=True))
    history.point("members", 300, kind="assigned", consumer_group="gq", member="cq@20", session=SESSION, **place)
    messages = [
        history.send(1_000 + 10 * i, BACKLOG, size=100, sharding_key=f"k{i % 4}")[0]
        for i in range(ROUND * len(ROUNDS_MS))
    ]
    for number, at in enumerate(ROUNDS_MS):
        first = number * ROUND
        brought = pull(history, at, first, code=0, next_offset=first + ROUND)
        for i in range(first, first + ROUND):
            member = {"session": SESSION, "pull": brought.op, "received": at + 6}
            history.deliver(at + 10 + 10 * (i - first), "gq", "cq@20", messages[i], BACKLOG, i, **member)
    end = ROUND * len(ROUNDS_MS)
    for at in range(6_000, 36_000, 1_000):
        pull(history, at, end, code=19, next_offset=end)


def overload(history: Requests) -> None:
    """Writes are slow for a second: what waits for too long is refused."""
    began, healed = OVERLOAD_MS
    history.fault("slow-write", began, healed, node=OVERLOADED[1])
    for at in range(began + 100, began + 700, 40):
        message, _ = history.send(at, OVERLOADED)
        history.offsets[OVERLOADED] -= 1
        (attempt,) = history.find("attempts", message=message)
        attempt.set(until=at + 300, outcome="refused", code=2, queue_offset=None)
        (send,) = history.find("sends", message=message)
        send.set(until=at + 301, outcome="error", code=2, queue_offset=None)


def pull(history: Requests, at: float, position: int, **end: Any) -> Row:
    """One of the backlog's queue."""
    topic, broker, queue = BACKLOG
    columns = {"consumer_group": "gq", "member": "cq@20", "session": SESSION, "node": broker}
    where = {"topic": topic, "broker": broker, "queue": queue, "position": position}
    return history.span("pulls", at, at + 5, end, kind="pull", **columns, **where)


def suspending(history: Requests) -> None:
    """Of sixteen messages of an orderly group twelve fail once, and four three times: those are dead letters."""
    history.subscribe("gs", SUSPENDING[0], orderly=True)
    topic, broker, queue = SUSPENDING
    history.point(
        "members", 300, kind="assigned", consumer_group="gs", member="cs@21", topic=topic, broker=broker, queue=queue
    )
    at = 3_000
    for i in range(16):
        message, offset = history.send(1_000 + 10 * i, SUSPENDING)
        dead = i % 4 == 3
        for times in range(3 if dead else 2):
            failing = dead or times == 0
            row = history.deliver(
                at,
                "gs",
                "cs@21",
                message,
                SUSPENDING,
                offset,
                reconsume_times=times,
                result="suspend" if failing else "success",
            )
            at += 50
        if dead:
            said = {"delivery": row.op, "consumer_group": "gs", "member": "cs@21", "kind": "send-back"}
            history.span("results", at - 40, at - 35, {"code": 0}, result="later", delay_level=5, **said)
            history.record(message, ("%DLQ%gs", broker, 0), i // 4, 0).set(reconsume_times=3)
    end = {"min_offset": 0, "max_offset": 4, "complete": True}
    reading = {"reading": "final", "node": broker, "broker": broker, "broker_id": 0, "master": True}
    history.span("readings", 36_400, 36_600, end, topic="%DLQ%gs", queue=0, **reading)
