"""Defects of the promises of order, delay, protocol and flow."""

from __future__ import annotations

from typing import Any

from defects.base import History, a_message, excuse, never_answered, plant


@plant("ord-queue-lock")
def _(history: History) -> dict[str, Any]:
    (lock,) = history.find("locks", lambda row: row.at == 2_500)
    lock.set(granted=True)
    return {"op": lock.op, "owner": "co@5", "granted_to": "cx@10"}


@excuse("ord-queue-lock")
def _(history: History) -> None:
    (lock,) = history.find("locks", lambda row: row.at == 2_500)
    lock.set(granted=True)
    history.lock(2_400, "co@5", True, kind="unlock").set(until=None)
    history.lock(2_900, "cx@10", True, kind="unlock")


@plant("ord-queue-fifo")
def _(history: History) -> dict[str, Any]:
    (early,) = history.find("deliveries", message=a_message(history, "broker-b", 6), consumer_group="go")
    (late,) = history.find("deliveries", message=a_message(history, "broker-b", 7), consumer_group="go")
    early.at = late.at + 1
    return {"message": late.get("message"), "queue_offset": 7}


@excuse("ord-queue-fifo")
def _(history: History) -> None:
    message = a_message(history, "broker-b", 6)
    history.deliver(20_000, "go", "co@5", message, ("T", "broker-b", 0), 6)


def delayed_by(history: History, ms: float) -> Any:
    delivery = history.find("deliveries", topic="D")[0]
    (send,) = history.find("sends", message=delivery.get("message"))
    return delivery.set(at=send.at + ms, received=send.at + ms)


@plant("dly-not-early")
def _(history: History) -> dict[str, Any]:
    return {"message": delayed_by(history, 990).get("message"), "not_before_ms": 1000, "seen_after_ms": 990}


@excuse("dly-not-early")
def _(history: History) -> None:
    delayed_by(history, 999.2)


@plant("dly-alo")
def _(history: History) -> dict[str, Any]:
    message = history.find("deliveries", topic="D")[0].get("message")
    history.remove("deliveries", message=message)
    return {"message": message, "consumer_group": "gd"}


@excuse("dly-alo")
def _(history: History) -> None:
    message = history.find("deliveries", topic="D")[0].get("message")
    history.remove("deliveries", message=message)
    never_answered(history, message)


@plant("prt-opaque")
def _(history: History) -> dict[str, Any]:
    reply = history.find("replies", probe="known")[0].set(answers=2)
    return {"op": reply.op, "seen": "2 responses"}


@excuse("prt-opaque")
def _(history: History) -> None:
    history.find("replies", probe="known")[0].set(answers=0, outcome="none", code=None, response_flag=None)


@plant("prt-oneway")
def _(history: History) -> dict[str, Any]:
    return {"op": history.find("replies", probe="oneway")[0].set(answers=1, code=3).op}


@excuse("prt-oneway")
def _(history: History) -> None:
    history.find("replies", probe="oneway")[0].set(outcome="unsent")


@plant("prt-unknown-code")
def _(history: History) -> dict[str, Any]:
    return {"op": history.find("replies", probe="unknown-code")[0].set(code=0).op, "seen": "code 0"}


@excuse("prt-unknown-code")
def _(history: History) -> None:
    history.find("replies", probe="unknown-code")[0].set(answers=0, outcome="closed", code=None)
    history.fault("kill", 28_900, 29_500, node="broker-b")


@plant("prd-retry")
def _(history: History) -> dict[str, Any]:
    second = history.find("attempts", topic="R", attempt=1)[0].set(attempt=3)
    return {"message": second.get("message"), "expected": "at most 3 attempts", "seen": "attempt 4"}


@excuse("prd-retry")
def _(history: History) -> None:
    history.find("attempts", topic="R", attempt=1)[0].set(attempt=2)


@plant("prd-no-false-ok")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-b", 7)
    history.find("attempts", message=message)[0].set(outcome="refused", code=1)
    return {"message": message, "seen": "absent"}


@excuse("prd-no-false-ok")
def _(history: History) -> None:
    never_answered(history, a_message(history, "broker-b", 7))
