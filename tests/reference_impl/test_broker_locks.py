"""Queue locks by request. Clauses: ord-queue-lock, ord-lock-expiry."""

from __future__ import annotations

import json
from typing import Any

import pytest

Bench = Any


def ask(b: Bench, code: int, client: str, queues: tuple[int, ...] = (0,)) -> list[int]:
    found = [{"topic": "T", "brokerName": "broker-a", "queueId": queue} for queue in queues]
    body = json.dumps({"clientId": client, "consumerGroup": "G", "mqSet": found, "onlyThisBroker": False}).encode()
    answer = b.ask(code, body=body)
    assert answer.code == 0
    return [entry["queueId"] for entry in json.loads(answer.body)["lockOKMQSet"]] if code == 41 else []


def test_granted_refused_unlocked(bench: type[Bench]) -> None:
    b = bench()
    assert ask(b, 41, "a", (0, 1)) == [0, 1]
    assert ask(b, 41, "b", (0, 2)) == [2]
    ask(b, 42, "b", (0,))
    assert ask(b, 41, "b") == []
    ask(b, 42, "a", (0,))
    assert ask(b, 41, "b") == [0]


def test_expiry_renewal_and_restart(bench: type[Bench]) -> None:
    b = bench()
    ask(b, 41, "a")
    b.advance(30_000)
    ask(b, 41, "a")
    b.advance(60_000)
    assert ask(b, 41, "b") == []
    b.advance(1)
    assert ask(b, 41, "b") == [0]
    b.restart()
    assert ask(b, 41, "a") == [0]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"clientId":"a","consumerGroup":"G","mqSet":[{"topic":"T"}]}'])
def test_bodies_that_lack_something(bench: type[Bench], body: bytes) -> None:
    assert bench().ask(41, body=body).code == 1
