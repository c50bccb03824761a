"""Defects of the promises of transactions."""

from __future__ import annotations

from typing import Any

from defects.base import History, excuse, plant, stall
from mqcheck.judge.verdicts import INCONCLUSIVE

COMMITTED, ROLLED, ASKED, LOST, SILENT, OPEN, LEFT = 0, 8, 16, 24, 29, 34, 38
"""The first half message of each kind, by number."""

WRONG_PLACE = "The transaction state table offset wrong"
NOTHING_THERE = "Find prepared transaction message failed"
BUSY = "OS page cache busy, please try another machine"
"""Remarks of EndTransactionProcessor with code 1."""


def a_half(history: History, number: int) -> int:
    """The message of the so-manieth half message."""
    return sorted(history.halves)[number]


def the(history: History, table: str, number: int, **where: Any) -> Any:
    """The first row of a table about a half message."""
    return history.find(table, message=a_half(history, number), **where)[0]


def unasked(history: History, number: int) -> int:
    """Nobody asks about it, and so nobody decides."""
    message = a_half(history, number)
    for table in ("checks", "transactions", "deliveries", "final_log"):
        history.remove(table, message=message)
    return message


@plant("txn-half-invisible")
def _(history: History) -> dict[str, Any]:
    delivery = the(history, "deliveries", ASKED).set(at=2_000, received=2_000)
    return {"message": delivery.get("message"), "op": delivery.op}


@excuse("txn-half-invisible")
def _(history: History) -> None:
    the(history, "deliveries", COMMITTED).set(at=1_021, received=1_021)


def vanished(history: History, number: int = COMMITTED) -> int:
    message = a_half(history, number)
    history.remove("deliveries", message=message)
    history.remove("final_log", message=message)
    return message


@plant("txn-commit-alo")
def _(history: History) -> dict[str, Any]:
    return {"message": vanished(history), "seen": "not in the final reading"}


@excuse("txn-commit-alo")
def _(history: History) -> None:
    vanished(history)
    the(history, "transactions", COMMITTED).until = None


@plant("txn-commit-same")
def _(history: History) -> dict[str, Any]:
    delivery = the(history, "deliveries", COMMITTED).set(props_digest=-1)
    return {"message": delivery.get("message"), "op": delivery.op, "differs": "properties, keys or tag"}


@excuse("txn-commit-same")
def _(history: History) -> None:
    the(history, "sends", ASKED).set(flag=7, props_digest=-1)  # copies of half messages have no flag


def comes(history: History, number: int) -> Any:
    """A half message is delivered after all."""
    return history.deliver(5_000, "gx", "cx@30", a_half(history, number), ("X", "broker-b", 0), 99, flag=0)


@plant("txn-rollback-none")
def _(history: History) -> dict[str, Any]:
    delivery = comes(history, ROLLED)
    return {"message": delivery.get("message"), "op": delivery.op}


@excuse("txn-rollback-none")
def _(history: History) -> None:
    delivery = comes(history, ROLLED)
    rollback = the(history, "transactions", ROLLED, decision="rollback")
    history.span("transactions", 4_900, None, **{**rollback.columns, "decision": "commit", "kind": "oneway"})
    assert delivery.at > rollback.at


@plant("txn-check-group")
def _(history: History) -> dict[str, Any]:
    check = the(history, "checks", ASKED).set(producer="clerk", member="clerk@2")
    return {"op": check.op, "expected": "tellers", "seen": "clerk"}


@excuse("txn-check-group")
def _(history: History) -> None:
    the(history, "checks", ASKED).set(producer="teller", member="teller@2")


@plant("txn-check-asked")
def _(history: History) -> dict[str, Any]:
    return {"message": unasked(history, ASKED), "expected": "a check"}


@excuse("txn-check-asked")
def _(history: History) -> None:
    unasked(history, ASKED)
    history.find("connections", conn=41)[0].set(closed=3_000)


@plant("txn-check-takeover")
def _(history: History) -> dict[str, Any]:
    return {"message": unasked(history, LOST), "expected": "a check elsewhere than at teller"}


@excuse("txn-check-takeover")
def _(history: History) -> None:
    unasked(history, ASKED)  # its sender is there still


@plant("txn-check-not-early")
def _(history: History) -> dict[str, Any]:
    check = the(history, "checks", ASKED).set(at=2_390)
    return {"message": check.get("message"), "not_before_ms": 1_000, "seen_after_ms": 990}


@excuse("txn-check-not-early")
def _(history: History) -> None:
    the(history, "checks", ASKED).set(at=2_400)


def once_more(history: History, number: int, at: float) -> Any:
    """Another check of a half message."""
    check = the(history, "checks", number)
    return history.point("checks", at, **{**check.columns, "check_times": 3})


@plant("txn-check-limit")
def _(history: History) -> dict[str, Any]:
    return {"message": once_more(history, SILENT, 4_100).get("message"), "at_most": 2, "checks": 3}


@excuse("txn-check-limit")
def _(history: History) -> str:
    once_more(history, SILENT, 4_100)
    history.fault("kill", 3_800, 3_900, node="broker-b")
    return INCONCLUSIVE  # none of the others is judged across the kill either


@plant("txn-parked")
def _(history: History) -> dict[str, Any]:
    message = a_half(history, SILENT)
    assert history.remove("final_log", message=message) == 1
    return {"message": message, "expected": "in TRANS_CHECK_MAX_TIME_TOPIC"}


@excuse("txn-parked")
def _(history: History) -> None:
    message = a_half(history, SILENT)
    history.remove("final_log", message=message)
    the(history, "checks", SILENT).set(message=None)  # asked about once only: it may be open still


def asked_again(history: History, at: float = 3_000) -> Any:
    """A check of a half message that is committed."""
    check = history.find("checks")[0]
    return history.point("checks", at, **{**check.columns, "message": a_half(history, COMMITTED)})


@plant("txn-no-check-done")
def _(history: History) -> dict[str, Any]:
    check = asked_again(history)
    return {"message": check.get("message"), "op": check.op}


@excuse("txn-no-check-done")
def _(history: History) -> None:
    asked_again(history, 2_020)


@plant("txn-group-guard")
def _(history: History) -> dict[str, Any]:
    end = the(history, "transactions", ROLLED, producer_group="clerks").set(outcome="ok", code=0)
    return {"op": end.op, "named": "group clerks"}


@excuse("txn-group-guard")
def _(history: History) -> None:
    the(history, "transactions", ROLLED, producer_group="clerks").set(outcome="ok", producer_group="tellers")


@plant("txn-check-identity")
def _(history: History) -> dict[str, Any]:
    end = the(history, "transactions", ASKED).set(outcome="refused", code=1, remark=WRONG_PLACE)
    return {"op": end.op, "expected": "decision commit taken", "seen": WRONG_PLACE}


@excuse("txn-check-identity")
def _(history: History) -> None:
    the(history, "transactions", ASKED).set(outcome="refused", code=1, remark=BUSY)


@plant("txn-survives-restart")
def _(history: History) -> dict[str, Any]:
    return {"message": unasked(history, LEFT), "expected": "a check", "seen": "none"}


@excuse("txn-survives-restart")
def _(history: History) -> None:
    unasked(history, LEFT)
    stall(history, 15_200, 17_000)
