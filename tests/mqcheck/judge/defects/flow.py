"""Defects of the promises of flow: retries, sharding keys, what a consumer holds and where it pulls."""

from __future__ import annotations

from typing import Any

from histories import flow

from defects.base import History, excuse, plant
from mqcheck.judge.verdicts import INCONCLUSIVE

EARLY_MS = flow.ROUNDS_MS[2] - 390
"""A moment when the messages of the second round are still held."""


@plant("prd-avoid")
def _(history: History) -> dict[str, Any]:
    first = history.find("attempts", topic="R", attempt=0)[0].set(broker="broker-b")
    return {"message": first.get("message"), "expected": "another broker than broker-b"}


@excuse("prd-avoid")
def _(history: History) -> None:
    history.find("attempts", topic="R", attempt=0)[0].set(broker="broker-b", outcome="refused", code=1)


def waiting(history: History, ms: int, **end: Any) -> Any:
    """One send to the overloaded broker ends after so long."""
    attempt = history.find("attempts", node="broker-o")[3]
    (send,) = history.find("sends", message=attempt.get("message"))
    send.set(until=send.at + 1 + ms)
    return attempt.set(until=attempt.at + ms, **end)


def mute(history: History) -> Any:
    """A send to the overloaded broker waits for as long as its producer does."""
    return waiting(history, 2_900, outcome="unknown", code=None)


@plant("flw-busy")
def _(history: History) -> dict[str, Any]:
    seen = {"expected": "an answer within 1200 ms", "seen": "none after 2900 ms"}
    return {"op": mute(history).op, "node": "broker-o", **seen}


@excuse("flw-busy")
def _(history: History) -> None:
    mute(history)
    history.fault("pause", 21_500, 21_600, node="broker-o")


def other_queue(history: History) -> Any:
    message = history.find("sends", sharding_key="k1")[3].get("message")
    (attempt,) = history.find("attempts", message=message)
    return attempt.set(queue=1)


@plant("ord-shard")
def _(history: History) -> dict[str, Any]:
    return {"message": other_queue(history).get("message"), "sharding_key": "k1", "seen": "broker-b/1"}


@excuse("ord-shard")
def _(history: History) -> str:
    other_queue(history)
    columns = {"nameserver": "nameserver-1", "topic": "Q"}
    for queues in (1, 2):
        told = {"code": 0, "listed": True, "broker": "broker-b", "write_queues": queues}
        history.span("routes", 900 + queues, 902 + queues, told, **columns)
    return INCONCLUSIVE


def pulled_early(history: History) -> Any:
    (pull,) = history.find("pulls", lambda row: row.at == flow.ROUNDS_MS[2], consumer_group="gq")
    return pull.set(at=EARLY_MS)


for threshold in ("count", "size", "span"):

    @plant(f"con-threshold-{threshold}")
    def _(history: History) -> dict[str, Any]:
        return {"op": pulled_early(history).op, "member": "cq@20"}

    @excuse(f"con-threshold-{threshold}")
    def _(history: History) -> str:
        pulled_early(history)
        for key, setting in (("threshold_messages", 12), ("threshold_bytes", 1_200), ("threshold_span", 11)):
            history.point("config", 1, node="cq", key=key, setting=str(setting))
        return INCONCLUSIVE


@plant("con-flow-resume")
def _(history: History) -> dict[str, Any]:
    (last,) = history.find("pulls", lambda row: row.at == flow.ROUNDS_MS[-1], consumer_group="gq")
    history.remove("pulls", lambda row: row.at > flow.ROUNDS_MS[-1], consumer_group="gq")
    history.point("members", 30_000, kind="notified", consumer_group="gq", member="cq@20", node="broker-b")
    return {"op": last.op, "member": "cq@20"}


@excuse("con-flow-resume")
def _(history: History) -> None:
    history.remove("pulls", lambda row: row.at > flow.ROUNDS_MS[-1], consumer_group="gq")
    topic, broker, queue = flow.BACKLOG
    history.point(
        "members", 6_000, kind="revoked", consumer_group="gq", member="cq@20", topic=topic, broker=broker, queue=queue
    )
    history.point("members", 30_000, kind="notified", consumer_group="gq", member="cq@20", node="broker-b")


@plant("con-pull-position")
def _(history: History) -> dict[str, Any]:
    (pull,) = history.find("pulls", lambda row: row.at == 8_000, consumer_group="gq")
    return {"op": pull.set(position=5).op, "seen": 5}


@excuse("con-pull-position")
def _(history: History) -> None:
    for at in (7_000, 8_000):
        (pull,) = history.find("pulls", lambda row, at=at: row.at == at, consumer_group="gq")
        pull.set(**({"code": 21, "next_offset": 5} if at == 7_000 else {"position": 5, "next_offset": 72}))
