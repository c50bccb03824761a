"""A made-up history: messages that were answered, a power cut, and a final reading without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import histories
import pytest

from mqcheck.history.loader import load_tables


@pytest.fixture
def connection(tmp_path: Path) -> Any:
    """Three lost messages, one of which has a long life; a cut; the node's life. Times in ms."""
    made = histories.Builder()
    place = {"broker": "broker-a", "topic": "T"}
    for number in range(3):
        answer = {"code": 0, "queue_offset": number}
        send = {"message": number, "mode": "sync", "producer": "p", "unique_key": f"K{number}"}
        made.span("sends", 10 + number, 11 + number, {**answer, "broker": "broker-a"}, topic="T", **send)
        made.span("attempts", 10 + number, 11 + number, answer, message=number, attempt=0, queue=0, **place)
    for number in range(30):
        made.point("deliveries", 20 + number, message=2, consumer_group="g|h", member="m", queue=0, **place)
    made.span("readings", 90, 91, {"complete": True}, reading="final", master=True, queue=0, **place)
    made.point("final_log", 90, reading="final", message=77, queue=0, queue_offset=0, **place)
    made.entry("nodes", node="broker-a", role="broker", life=0, spawned=1, ready=2, ended=61, how="power-cut")
    made.entry("faults", kind="power-cut", node="broker-a", began=60, healed=70, effect='{"dropped": 5}')
    return load_tables(made.write(tmp_path))
