"""How fast the history is recorded, next to plain ``json.dumps`` and ``write`` in the same run.

Run it with ``python benchmarks/recorder.py``; prints one JSON line. Each round writes the same events both ways in
turn, so that a slow machine slows them alike; the medians of the rounds count.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from mqcheck.clock import RealClock
from mqcheck.history.recorder import Recorder

MESSAGES = 100
REPEATS = 60
ROUNDS = 5

Events = list[tuple[str, str, dict[str, object]]]


def life(number: int) -> list[tuple[str, str, dict[str, object]]]:
    """The seven lines that one message makes when it is sent and consumed once: table, way, columns."""
    queue: dict[str, object] = {"node": "broker-a", "broker": "broker-a", "queue": number % 4}
    member: dict[str, object] = {"consumer_group": "group-1", "member": "consumer-1@1"}
    digests = {"flag": 0, "body_digest": -1_996_561_563_119_266_434, "props_digest": 6_561_563_119_266_434}
    answer = {"outcome": "ok", "code": 0, "queue_offset": number}
    send = {
        "message": number,
        "topic": "orders",
        "mode": "sync",
        "producer": "producer-1@1",
        "worker": "w0",
        "tag": None,
    }
    delivery = {
        "message": number,
        "attempt": 0,
        "topic": "orders",
        "origin_topic": "orders",
        "tag": None,
        "crc_ok": True,
    }
    return [
        ("sends", "begin", {**send, "delay_level": 0, "size": 100, **digests}),
        (
            "attempts",
            "begin",
            {"parent": number, "message": number, "attempt": 0, "topic": "orders", "conn": 7, **queue},
        ),
        ("attempts", "end", {**answer, "transaction_id": None, "remark": None}),
        ("sends", "end", {**answer, "broker": "broker-a", "queue": number % 4}),
        ("deliveries", "point", {**member, **delivery, **queue, "queue_offset": number, **digests}),
        ("results", "begin", {"delivery": number, **member, "kind": "listener", "result": "success"}),
        ("results", "end", {"outcome": "ok", "code": None}),
    ]


def recorded(folder: Path, round_: int, events: Events) -> float:
    """Events per second through the recorder."""
    recorder = Recorder(folder, run="bench", process="bench", number=0, life=round_, clock=RealClock())
    op = 0
    began = time.perf_counter()
    for _ in range(REPEATS):
        for table, way, event in events:
            if way == "point":
                recorder.point(table, **event)
            elif way == "begin":
                op = recorder.begin(table, **event)
            else:
                recorder.end(table, op, **event)
    seconds = time.perf_counter() - began
    recorder.close()
    return REPEATS * len(events) / seconds


def plain(folder: Path, round_: int, events: Events) -> float:
    """Events per second with json.dumps and one os.write per line, and the same columns."""
    fd = os.open(folder / f"plain.{round_}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    began = time.perf_counter()
    number = 0
    for _ in range(REPEATS):
        for table, way, event in events:
            number += 1
            row = {"e": table, "w": way, "t": time.monotonic_ns(), "op": number, **event}
            os.write(fd, json.dumps(row).encode() + b"\n")
    seconds = time.perf_counter() - began
    os.close(fd)
    return REPEATS * len(events) / seconds


def main() -> None:
    """Print the medians and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events = [line for number in range(MESSAGES) for line in life(number)]
        rates = [(recorded(folder, round_, events), plain(folder, round_, events)) for round_ in range(ROUNDS)]
    ours, theirs = (statistics.median(rate[i] for rate in rates) for i in (0, 1))
    ratio = statistics.median(a / b for a, b in rates)
    result = {"recorder_events_per_second": round(ours), "plain_json_write": round(theirs), "ratio": round(ratio, 2)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
