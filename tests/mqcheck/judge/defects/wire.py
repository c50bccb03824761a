"""Defects of the promises about single answers, and about connections."""

from __future__ import annotations

from typing import Any, Final

from defects.base import History, Mutation, excuse, plant

WRONG_CODES: Final = {
    "prt-unknown-field": ("broker-b", "unknown fields", 1),
    "prt-heartbeat-ok": ("broker-b", "heartbeat", 1),
    "prt-bad-body": ("broker-b", "heartbeat: no body", 0),
    "prt-send-no-topic": ("broker-b", "send: no such topic", 1),
    "prt-send-no-queue": ("broker-b", "send: no such queue", 0),
    "prt-send-system-topic": ("broker-b", "send: system topic", 0),
    "prt-offset-none": ("broker-b", "committed offset: none", 1),
    "prt-bounds-none": ("broker-b", "bounds: no such topic", 17),
    "prt-members-none": ("broker-b", "members: no such group", 0),
    "prt-view-none": ("broker-b", "view: no such message", 0),
    "prt-query-none": ("broker-b", "query: no such key", 0),
    "prt-sendback-none": ("broker-b", "send back: no such message", 0),
    "prt-end-none": ("broker-b", "end transaction: no such message", 0),
    "prt-missing-field": ("broker-b", "field missing", 0),
    "prt-json-binary": ("broker-b", "either encoding", 1),
    "adm-connections-none": ("broker-b", "consumer connections: no such group", 1),
    "adm-producers-none": ("broker-b", "producer connections: no such group", 0),
    "adm-stats-none": ("broker-b", "topic statistics: no such topic", 0),
    "prt-vip": ("broker-b", "vip: pull", 0),
    "ns-unknown-code": ("nameserver-1", "unknown request", 0),
    "ns-kv-none": ("nameserver-1", "kv: no such key", 0),
    "ns-kvlist-none": ("nameserver-1", "kv: no such namespace", 0),
    "ns-missing-field": ("nameserver-1", "field missing", 0),
    "ns-json-binary": ("nameserver-1", "either encoding", 1),
}
"""Guarantee → node, probe, and a code that it forbids."""


def first(history: History, node: str, probe: str) -> Any:
    """The first answer to a probe."""
    return history.find("replies", node=node, probe=probe)[0]


def _answered(node: str, probe: str, code: int) -> Mutation:
    return lambda history: {"op": first(history, node, probe).set(code=code).op, "node": node}


def _in_trouble(node: str, probe: str, code: int) -> Mutation:
    """Other answers than the one that came while the node was in trouble are as many as before."""

    def mutation(history: History) -> None:
        row = first(history, node, probe)
        history.asked(20_000, 20_020, {**row.end, "code": code}, node, probe, row.get("request_code"), "json")
        history.fault("pause", 19_900, 20_100, node=node)

    return mutation


for guarantee, (node, probe, code) in WRONG_CODES.items():
    plant(guarantee)(_answered(node, probe, code))
    excuse(guarantee)(_in_trouble(node, probe, code))


@plant("prt-own-opaque")
def _(history: History) -> dict[str, Any]:
    return {"op": first(history, "broker-b", "in flight").set(strays=1).op, "seen": "1 responses to nobody"}


@excuse("prt-own-opaque")
def _(history: History) -> None:
    first(history, "broker-b", "in flight").set(strays=0, answers=2)


for guarantee, node in (("prt-pipelining", "broker-b"), ("ns-pipelining", "nameserver-1")):

    @plant(guarantee)
    def _(history: History, node: str = node) -> dict[str, Any]:
        silent = {"outcome": "none", "answers": 0, "until": 46_000, "code": None}
        return {"op": first(history, node, "in flight").set(**silent).op, "seen": "silence"}

    @excuse(guarantee)
    def _(history: History, node: str = node) -> None:
        columns = {"outcome": "none", "answers": 0}
        history.asked(31_000, 40_000, columns, node, "in flight", 30, "json")


for guarantee, node in (("prt-badframe-close", "broker-b"), ("ns-badframe-close", "nameserver-1")):

    @plant(guarantee)
    def _(history: History, node: str = node) -> dict[str, Any]:
        end_beside(history, node, 2)
        return {"op": first(history, node, "bad frame: 0").op, "seen": "2 connections ended"}

    @excuse(guarantee)
    def _(history: History, node: str = node) -> None:
        """One ends for a reason of its own, and another one that nobody opened for this."""
        end_beside(history, node, 1)
        where = {"conn": 7_999, "link": f"c->{node}", "node": node, "closed_by": "peer"}
        history.entry("connections", opened=30_000, closed=32_003, **where)


def beside(history: History, node: str) -> list[Any]:
    """The connections beside the first bad frame."""
    asked = history.find("replies", node=node, probe="beside a bad frame")[:6:2]
    return [history.find("connections", conn=row.get("conn"))[0] for row in asked]


def end_beside(history: History, node: str, count: int, closed_by: str = "peer") -> None:
    """So many of them end with it."""
    for connection in beside(history, node)[:count]:
        connection.set(closed=32_006, closed_by=closed_by)
