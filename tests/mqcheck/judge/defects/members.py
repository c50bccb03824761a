"""Defects of the promises about members: who is listed, told and kept, and what a client does to stay in."""

from __future__ import annotations

from typing import Any

from defects.base import History, excuse, plant
from mqcheck.judge.verdicts import INCONCLUSIVE


def listing(history: History, at: float) -> Any:
    """What the probe was told at this moment."""
    (row,) = history.find("members", lambda row: row.at == at + 2, kind="listed", consumer_group="gm")
    return row


def lists(history: History, at: float, member: str) -> Any:
    row = listing(history, at)
    return row.set(members=f"{row.get('members')},{member}")


@plant("con-members-list")
def _(history: History) -> dict[str, Any]:
    row = listing(history, 2_650)
    return {"op": row.set(members="m1@30,m2@31,m4@33,m5@34").op, "member": "m6@35"}


@excuse("con-members-list")
def _(history: History) -> None:
    listing(history, 2_650).set(members="m1@30,m2@31,m4@33,m5@34")
    for row in history.find("members", lambda row: row.at > 3_000, kind="heartbeat", member="m6@35"):
        row.set(conn=999)


@plant("con-unregister")
def _(history: History) -> dict[str, Any]:
    return {"op": lists(history, 7_650, "m3@32").op, "member": "m3@32"}


@excuse("con-unregister")
def _(history: History) -> str:
    lists(history, 7_650, "m3@32")
    columns = {"consumer_group": "gm", "member": "m3@32", "node": "broker-b", "asked": 6_890}
    history.point("members", 6_905, kind="heartbeat", **columns)
    return INCONCLUSIVE


@plant("con-expire-close")
def _(history: History) -> dict[str, Any]:
    return {"op": lists(history, 5_150, "m4@33").op, "member": "m4@33"}


@excuse("con-expire-close")
def _(history: History) -> None:
    lists(history, 4_650, "m4@33")


def untold(history: History) -> None:
    assert history.remove("members", lambda row: 2_000 < row.at < 4_500, kind="notified", member="m1@30") == 2


@plant("con-notify-ids")
def _(history: History) -> dict[str, Any]:
    untold(history)
    return {"what": "m6@35 joined", "member": "m1@30", "seen": "not told"}


@excuse("con-notify-ids")
def _(history: History) -> None:
    untold(history)
    history.point("members", 4_390, kind="notified", consumer_group="gm", member="m1@30", node="broker-b")


@plant("con-rebalance-cover")
def _(history: History) -> dict[str, Any]:
    history.assign("g3", "c4@3", ("T", "broker-b", 0), 310)
    return {"consumer_group": "g3", "broker": "broker-b", "seen": "3 owners of 2 queues"}


@excuse("con-rebalance-cover")
def _(history: History) -> None:
    history.assign("g3", "c4@3", ("T", "broker-b", 0), 310)
    place = {"topic": "T", "broker": "broker-b", "queue": 0}
    history.point("members", 2_000, kind="revoked", consumer_group="g3", member="c4@3", **place)


@plant("cli-heartbeat")
def _(history: History) -> dict[str, Any]:
    (before,) = history.find("members", lambda row: row.at == 3_400, kind="heartbeat", member="m1@30")
    assert history.remove("members", lambda row: 4_000 < row.at < 6_000, kind="heartbeat", member="m1@30") == 2
    return {"op": before.op, "member": "m1@30", "node": "broker-b"}


@excuse("cli-heartbeat")
def _(history: History) -> None:
    assert history.remove("members", lambda row: 4_000 < row.at < 6_000, kind="heartbeat", member="m1@30") == 2
    history.fault("latency", 4_500, 4_600, link="m1->broker-b")


def unasked(history: History) -> Any:
    """The first member does not poll its route for three seconds; the last question before."""
    for row in history.find("routes", lambda row: 4_000 < row.at < 6_000, member="m1@30"):
        row.set(member=None)
    return history.find("routes", lambda row: row.at == 3_800, member="m1@30")[0]


@plant("cli-route-poll")
def _(history: History) -> dict[str, Any]:
    return {"op": unasked(history).op, "member": "m1@30", "topic": "T"}


@excuse("cli-route-poll")
def _(history: History) -> None:
    unasked(history)
    history.fault("latency", 4_500, 4_600, link="m1->nameserver-1")


def uncommitted(history: History) -> None:
    place = {"consumer_group": "g1", "broker": "broker-b", "queue": 0, "kind": "commit"}
    assert history.remove("offsets", lambda row: 2_000 < row.at < 5_000, **place) > 2


@plant("cli-persist")
def _(history: History) -> dict[str, Any]:
    uncommitted(history)
    return {"consumer_group": "g1", "member": "c1@1", "broker": "broker-b", "queue": 0}


@excuse("cli-persist")
def _(history: History) -> None:
    uncommitted(history)
    history.fault("latency", 3_500, 3_600, link="c1->broker-b")
