"""Groups: queue locks that expire, are renewed and given back."""

from __future__ import annotations

from histories.figures import TOPIC
from histories.requests import Requests
from histories.rows import Row

LIFE_MS = 3_000
"""lock_expiry_ms of the brokers."""


def lock(history: Requests, at: float, member: str, granted: bool, kind: str = "lock", queue: int = 2) -> Row:
    """One question of the contest for queue 2 or 3 of broker-b."""
    place = {"node": "broker-b", "broker": "broker-b", "topic": TOPIC, "queue": queue}
    return history.span(
        "locks", at, at + 3, {"granted": granted}, kind=kind, consumer_group="gx", member=member, **place
    )


def contest(history: Requests) -> None:
    """Queue 2 is handed over four times; queue 3 is left to expire four times."""
    for at in range(20_000, 20_400, 100):
        lock(history, at, "giver", True)
        lock(history, at + 10, "taker", False)
        lock(history, at + 20, "giver", True, kind="unlock")
        lock(history, at + 30, "taker", True)
        lock(history, at + 40, "taker", True, kind="unlock")
    for turn in range(5):
        member = ("left", "right")[turn % 2]
        lock(history, 20_000 + turn * (LIFE_MS + 700), member, True, queue=3)
