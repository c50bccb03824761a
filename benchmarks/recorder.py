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

EVENTS = 40_000
ROUNDS = 5

Events = list[dict[str, object]]


def columns(number: int) -> dict[str, object]:
    """A delivery, about 350 bytes as a line."""
    return {
        "pull": 4_398_046_511_104 + number,
        "consumer_group": "group-1",
        "member": "consumer-1@1",
        "session": 4_398_046_511_105,
        "message": number,
        "attempt": 0,
        "topic": "orders",
        "origin_topic": "orders",
        "broker": "broker-a",
        "node": "broker-a",
        "queue": number % 4,
        "queue_offset": number,
        "tag": None,
        "reconsume_times": 0,
        "flag": 0,
        "crc_ok": True,
        "body_digest": -1_996_561_563_119_266_434,
        "store_time": 1_700_000_000_000,
    }


def recorded(folder: Path, round_: int, events: Events) -> float:
    """Events per second through the recorder."""
    recorder = Recorder(folder, run="bench", process="bench", number=0, life=round_, clock=RealClock())
    began = time.perf_counter()
    for event in events:
        recorder.point("deliveries", **event)
    seconds = time.perf_counter() - began
    recorder.close()
    return EVENTS / seconds


def plain(folder: Path, round_: int, events: Events) -> float:
    """Events per second with json.dumps and one os.write per line, and the same columns."""
    fd = os.open(folder / f"plain.{round_}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    began = time.perf_counter()
    for number, event in enumerate(events):
        row = {"e": "deliveries", "t": time.monotonic_ns(), "op": number, **event}
        os.write(fd, json.dumps(row).encode() + b"\n")
    seconds = time.perf_counter() - began
    os.close(fd)
    return EVENTS / seconds


def main() -> None:
    """Print the medians and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events = [columns(number) for number in range(EVENTS)]
        rates = [(recorded(folder, round_, events), plain(folder, round_, events)) for round_ in range(ROUNDS)]
    ours, theirs = (statistics.median(rate[i] for rate in rates) for i in (0, 1))
    ratio = statistics.median(a / b for a, b in rates)
    result = {"recorder_events_per_second": round(ours), "plain_json_write": round(theirs), "ratio": round(ratio, 2)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
