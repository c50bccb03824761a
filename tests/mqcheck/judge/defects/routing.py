"""Defects of the routing promises."""

from __future__ import annotations

from typing import Any

from defects.base import History, excuse, plant, stall
from mqcheck.judge.verdicts import HELD


def unlist(history: History, nameserver: str, broker: str, at: float) -> None:
    assert history.remove("routes", lambda row: row.at == at, nameserver=nameserver, broker=broker) == 1


@plant("ns-register-visible")
def _(history: History) -> dict[str, Any]:
    unlist(history, "nameserver-1", "broker-b", 5_300)
    return {"nameserver": "nameserver-1", "broker": "broker-b"}


@excuse("ns-register-visible")
def _(history: History) -> None:
    unlist(history, "nameserver-1", "broker-b", 5_300)
    history.fault("latency", 5_200, 5_400, link="broker-b->nameserver-1")


def still_listed(history: History, nameserver: str, broker: str, at: float) -> None:
    columns = {"nameserver": nameserver, "topic": "T"}
    history.span("routes", at, at + 2, {"code": 0, "listed": True, "broker": broker, "broker_id": 0}, **columns)


@plant("ns-expire")
def _(history: History) -> dict[str, Any]:
    still_listed(history, "nameserver-2", "broker-b", 25_301)
    return {"nameserver": "nameserver-2", "broker": "broker-b", "limit_ms": 4500}


@excuse("ns-expire")
def _(history: History) -> None:
    still_listed(history, "nameserver-2", "broker-b", 25_301)
    stall(history, 18_500, 20_000)


@plant("ns-close")
def _(history: History) -> dict[str, Any]:
    still_listed(history, "nameserver-1", "broker-a", 14_301)
    return {"nameserver": "nameserver-1", "broker": "broker-a"}


@excuse("ns-close")
def _(history: History) -> None:
    still_listed(history, "nameserver-1", "broker-a", 14_301)
    history.fault("blackhole", 11_900, 14_600, link="broker-a->nameserver-1", direction="both")


@plant("ns-no-early-expire")
def _(history: History) -> dict[str, Any]:
    unlist(history, "nameserver-1", "broker-b", 5_800)
    return {"nameserver": "nameserver-1", "broker": "broker-b"}


@excuse("ns-no-early-expire")
def _(history: History) -> None:
    unlist(history, "nameserver-1", "broker-b", 5_800)
    history.find("connections", conn=3)[0].set(closed=5_700)
    history.entry("connections", conn=33, link="broker-b->nameserver-1", opened=5_810)


@plant("ns-empty-17")
def _(history: History) -> dict[str, Any]:
    history.span("routes", 30_100, 30_102, {"code": 0}, nameserver="nameserver-1", topic="none")
    return {"nameserver": "nameserver-1", "topic": "none", "seen": 0}


@excuse("ns-empty-17")
def _(history: History) -> None:
    history.span("routes", 30_100, None, nameserver="nameserver-1", topic="none")


@plant("ns-restart-heal")
def _(history: History) -> dict[str, Any]:
    unlist(history, "nameserver-2", "broker-a", 21_300)
    return {"nameserver": "nameserver-2", "broker": "broker-a"}


@excuse("ns-restart-heal")
def _(history: History) -> None:
    unlist(history, "nameserver-2", "broker-a", 21_300)
    history.fault("down", 21_000, 21_500, link="broker-a->nameserver-2")


@plant("ns-isolated")
def _(history: History) -> dict[str, Any]:
    unlist(history, "nameserver-1", "broker-b", 16_300)
    return {"nameserver": "nameserver-1", "broker": "broker-b"}


@excuse("ns-isolated")
def _(history: History) -> str:
    unlist(history, "nameserver-1", "broker-b", 16_300)
    history.fault("down", 15_500, 16_350, link="broker-b->nameserver-1")
    return HELD
