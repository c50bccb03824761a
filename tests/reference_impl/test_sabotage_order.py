"""The planted bug of ordered consumption."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_impl.sabotage import SABOTAGES

Bench = Any
QUEUES = [{"topic": "T", "brokerName": "broker-a", "queueId": queue} for queue in range(2)]


@pytest.mark.parametrize("bug", [False, True])
def test_two_lock_owners(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=[SABOTAGES["two-lock-owners"]] if bug else [])
    owned = []
    for client in ("a", "b"):
        body = json.dumps({"clientId": client, "consumerGroup": "G", "mqSet": QUEUES}).encode()
        owned.append(json.loads(b.ask(41, body=body).body)["lockOKMQSet"])
    assert owned[0] == QUEUES
    assert owned[1] == (QUEUES if bug else [])
    assert b.ask(41, body=b"[]").code == 1
    assert b.ask(42, body=body).code == 0
