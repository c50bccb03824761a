"""What tests of the embedded RocketMQ share: a send and a few other requests without any client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from mqcheck.embedded.asking import Line
from mqcheck.rocketmq.frame import Command


def send_fields(topic: str, queues: int = 1, queue: int = 0, **properties: Any) -> dict[str, object]:
    text = "".join(f"{key}\x01{value}\x02" for key, value in properties.items())
    born = time.time_ns() // 1_000_000
    head: dict[str, object] = {"a": "P", "b": topic, "c": "TBW102", "d": queues, "e": queue, "f": 0, "g": born, "h": 0}
    return head | {"i": text}


@pytest.fixture
def send() -> Callable[..., Command]:
    """Sends one message to the broker at an address; its answer."""

    def sent(address: str, topic: str, body: bytes = b"x", **more: Any) -> Command:
        with Line(address) as line:
            return line.ask(310, send_fields(topic, **more), body)

    return sent


@pytest.fixture
def heartbeat() -> bytes:
    """A consumer's: member c1 of group G wants the tag `red` of T."""
    wanted = {
        "topic": "T",
        "subString": "red",
        "subVersion": 1,
        "tagsSet": ["red"],
        "codeSet": [],
        "classFilterMode": False,
    }
    group = {
        "groupName": "G",
        "consumeType": "CONSUME_PASSIVELY",
        "messageModel": "CLUSTERING",
        "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
        "subscriptionDataSet": [wanted],
    }
    return json.dumps({"clientID": "c1", "producerDataSet": [], "consumerDataSet": [group]}).encode()
