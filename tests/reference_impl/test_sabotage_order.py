"""The planted bugs of ordered consumption."""

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


def lock(b: Bench, client: str, code: int = 41) -> bool:
    """Whether it is granted the first queue."""
    body = json.dumps({"clientId": client, "consumerGroup": "G", "mqSet": QUEUES[:1]}).encode()
    answer = b.ask(code, body=body)
    return code == 41 and json.loads(answer.body)["lockOKMQSet"] != []


@pytest.mark.parametrize("bug", [False, True])
def test_never_expire_locks(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=[SABOTAGES["never-expire-locks"]] if bug else [])
    assert lock(b, "a")
    b.advance(60_001)
    assert lock(b, "b") is not bug
    lock(b, "a" if bug else "b", 42)
    assert lock(b, "c"), "who gives it back has no lock"


@pytest.mark.parametrize("bug", [False, True])
def test_forget_renewals(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=[SABOTAGES["forget-renewals"]] if bug else [])
    assert lock(b, "a")
    b.advance(40_000)
    assert lock(b, "a")
    assert not lock(b, "b"), "its first life lasts"
    b.advance(21_000)
    assert lock(b, "b") is bug


@pytest.mark.parametrize("bug", [False, True])
def test_keep_unlocked(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=[SABOTAGES["keep-unlocked"]] if bug else [])
    assert lock(b, "a")
    lock(b, "a", 42)
    assert lock(b, "b") is not bug


@pytest.mark.parametrize("bug", [False, True])
def test_retry_given_up(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=[SABOTAGES["retry-given-up"]] if bug else [])
    b.heartbeat(1, "G")
    fields = {"a": "CLIENT_INNER_PRODUCER", "b": "%RETRY%G", "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "0"}
    fields |= {"h": "0", "i": "", "j": "2", "k": "false", "l": "2"}
    assert b.ask(310, fields, body=b"x").code == 0
    lengths = [b.ask(30, {"topic": topic, "queueId": "0"}).fields["offset"] for topic in ("%DLQ%G", "%RETRY%G")]
    assert lengths == (["0", "1"] if bug else ["1", "0"])
