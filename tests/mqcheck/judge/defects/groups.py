"""Defects of the promises of groups: queue locks, what an orderly listener sees, dead letters."""

from __future__ import annotations

from typing import Any

from histories import groups

from defects.base import History, excuse, plant
from mqcheck.judge.verdicts import INCONCLUSIVE

EXPIRED_MS = 20_000 + groups.LIFE_MS + 700
"""When a lock that was left alone is asked for by the other member."""


def contest_at(history: History, at: float) -> Any:
    (row,) = history.find("locks", lambda row: row.at == at, consumer_group="gx", queue=3 if at > 20_400 else 2)
    return row


@plant("ord-lock-expiry")
def _(history: History) -> dict[str, Any]:
    return {"op": contest_at(history, EXPIRED_MS).set(granted=False).op, "owner": "left", "refused_to": "right"}


@excuse("ord-lock-expiry")
def _(history: History) -> None:
    contest_at(history, EXPIRED_MS).set(granted=False)
    groups.lock(history, EXPIRED_MS - 2_000, "left", True, queue=3).set(until=None)


@plant("ord-lock-renew")
def _(history: History) -> dict[str, Any]:
    (late,) = history.find("locks", lambda row: row.at == 6_500, consumer_group="go")
    return {"op": late.set(granted=True).op, "owner": "co@5", "seen": "granted to cx@10"}


@excuse("ord-lock-renew")
def _(history: History) -> str:
    (late,) = history.find("locks", lambda row: row.at == 6_500, consumer_group="go")
    late.set(granted=True)
    history.lock(6_400, "co@5", True, kind="unlock").set(until=None)
    history.lock(6_900, "cx@10", True, kind="unlock")
    return INCONCLUSIVE


@plant("ord-unlock")
def _(history: History) -> dict[str, Any]:
    return {"op": contest_at(history, 20_130).set(granted=False).op, "given_back_by": "giver", "refused_to": "taker"}


@excuse("ord-unlock")
def _(history: History) -> None:
    contest_at(history, 20_130).set(granted=False)
    contest_at(history, 20_120).set(outcome="unknown", until=None)


def suspended(history: History, offset: int, times: int) -> Any:
    (row,) = history.find("deliveries", consumer_group="gs", queue_offset=offset, reconsume_times=times)
    return row


@plant("ord-suspend-block")
def _(history: History) -> dict[str, Any]:
    again = suspended(history, 4, 1).set(at=suspended(history, 4, 0).at + 20)
    return {"message": again.get("message"), "suspended_offset": 4, "expected": "nothing for 40 ms"}


@excuse("ord-suspend-block")
def _(history: History) -> None:
    suspended(history, 4, 0).set(at=suspended(history, 3, 2).at + 20)


def dead_letter(history: History) -> int:
    message: int = suspended(history, 3, 2).get("message")
    assert history.remove("final_log", message=message, topic="%DLQ%gs") == 1
    return message


@plant("ord-orderly-dlq")
def _(history: History) -> dict[str, Any]:
    return {"message": dead_letter(history), "expected": "in %DLQ%gs"}


@excuse("ord-orderly-dlq")
def _(history: History) -> None:
    dead_letter(history)
    delivery = suspended(history, 3, 2)
    history.find("results", delivery=delivery.op, kind="send-back")[0].set(until=None)
