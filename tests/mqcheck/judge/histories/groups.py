"""Groups: members that come and go, queue locks that expire, are renewed and given back."""

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


MEMBERS = {
    "m1@30": (400, 35_500, ""),
    "m2@31": (400, 35_500, ""),
    "m4@33": (1_400, 3_700, "closed"),
    "m5@34": (1_400, 4_700, "closed"),
    "m6@35": (2_400, 5_900, "unregistered"),
    "m3@32": (3_400, 6_900, "unregistered"),
}
"""Member of gm at broker-b → when it joins, when it goes, and how."""


def membership(history: Requests) -> None:
    """Heartbeats, lists each half second, and what members are told of each other; each queue has one owner."""
    for number, (member, (joined, gone, how)) in enumerate(MEMBERS.items()):
        told = {"consumer_group": "gm", "node": "broker-b"}
        conn = 100 + number
        link = f"{member.partition('@')[0]}->broker-b"
        history.entry("connections", conn=conn, link=link, opened=joined - 5, closed=gone if how == "closed" else None)
        for at in range(joined, gone, 1_000):
            history.point("members", at, kind="heartbeat", member=member, asked=at - 2, code=0, conn=conn, **told)
        if how:
            asked = gone - 2 if how == "unregistered" else None
            history.point("members", gone, kind=how, member=member, asked=asked, code=0 if asked else None, **told)
        for at in (joined, gone) if how == "unregistered" else (joined,):
            for witness, (since, until, _) in MEMBERS.items():
                if since <= at < until and witness != member:
                    history.point("members", at + 3, kind="notified", member=witness, **told)
    for at in range(650, 35_000, 500):
        listed = ",".join(sorted(member for member, (since, until, _) in MEMBERS.items() if since <= at < until))
        probe = {"consumer_group": "gm", "member": "admin@40", "node": "broker-b"}
        history.point("members", at + 2, kind="listed", asked=at, members=listed, **probe)
    for row in history.find("routes", topic=TOPIC, listed=True):
        row.set(read_queues=2, perm=6)
    for row in history.find("routes", lambda row: row.at % 500 == 300, topic=TOPIC, nameserver="nameserver-1"):
        row.set(member="m1@30")
