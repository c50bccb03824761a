"""Defects of the promises that no target of the kit can be tested for."""

from __future__ import annotations

from typing import Any

from histories.features import IN_ORDER, INVISIBLE_MS, LED, POPPED, TIMED

from defects.base import History, excuse, plant


def pops(history: History, topic: str) -> Any:
    """All of a topic, in their order."""
    return history.find("pulls", kind="pop", topic=topic)


def brought(history: History, topic: str, nth: int) -> Any:
    """What the nth of those that brought something did."""
    found = [history.find("deliveries", pull=pop.op) for pop in pops(history, topic) if pop.get("records")]
    return found[nth]


def forgotten(history: History, delivery: Any) -> Any:
    """Nobody acknowledged it."""
    history.remove("results", delivery=delivery.op)
    return delivery


@plant("pop-invisible")
def _(history: History) -> dict[str, Any]:
    """What nobody acknowledged does not come back."""
    first, again = brought(history, POPPED[0], 0)[7], brought(history, POPPED[0], 1)[1]
    history.remove("deliveries", message=again.get("message"), pull=again.get("pull"))
    return {"message": first.get("message"), "op": first.op, "seen": "not popped again"}


@excuse("pop-invisible")
def _(history: History) -> None:
    """It comes back within the second before its time."""
    pops(history, POPPED[0])[2].set(at=2_000 + INVISIBLE_MS - 990, until=2_000 + INVISIBLE_MS - 980)


@plant("pop-ack-final")
def _(history: History) -> dict[str, Any]:
    """One that was acknowledged comes again with the others."""
    again, acked = brought(history, POPPED[0], 1)[0], brought(history, POPPED[0], 0)[0]
    return {"op": again.set(message=acked.get("message")).op, "seen": "popped again"}


@excuse("pop-ack-final")
def _(history: History) -> None:
    """The same, but the acknowledgement came too late."""
    again, acked = brought(history, POPPED[0], 1)[0], brought(history, POPPED[0], 0)[0]
    again.set(message=acked.get("message"))
    history.find("results", delivery=acked.op)[0].set(at=2_000 + INVISIBLE_MS, until=2_010 + INVISIBLE_MS)


@plant("pop-order-block")
def _(history: History) -> dict[str, Any]:
    """One of the first is never acknowledged."""
    held = forgotten(history, brought(history, IN_ORDER[0], 0)[2])
    first = brought(history, IN_ORDER[0], 1)[0]
    return {"op": first.op, "expected": f"nothing until message {held.get('message')} is done"}


@excuse("pop-order-block")
def _(history: History) -> None:
    """What comes before that is acknowledged is the same messages again."""
    for delivery in brought(history, IN_ORDER[0], 0):
        history.find("results", delivery=delivery.op)[0].set(at=2_600, until=2_602)
    for again, before in zip(brought(history, IN_ORDER[0], 1), brought(history, IN_ORDER[0], 0), strict=True):
        again.set(message=before.get("message"))


def too_long(history: History) -> Any:
    """The first attempt that asks for too long a delay."""
    return history.find("attempts", topic=TIMED[0], code=13)[0]


@plant("dly-timer-max")
def _(history: History) -> dict[str, Any]:
    attempt = too_long(history).set(outcome="ok", code=0)
    return {"op": attempt.op, "message": attempt.get("message"), "seen": "code 0"}


@excuse("dly-timer-max")
def _(history: History) -> None:
    """It has a delay level as well."""
    attempt = too_long(history).set(outcome="ok", code=0)
    history.find("sends", message=attempt.get("message"))[0].set(delay_level=1)
    for at in range(4):
        history.limit_of_timer(1_050 + 10 * at)


def gone_off(history: History, at: float) -> dict[str, Any]:
    """One of the cancelled stands in its queue; it was cancelled then."""
    timed = history.find("sends", topic=TIMED[0], delay_ms=8_000)[0]
    record = history.find("final_log", topic=TIMED[0])[0].set(message=timed.get("message"))
    for table in ("sends", "attempts"):
        cancel = history.find(table, topic=TIMED[0], queue_offset=0)[0]
        cancel.set(at=at, until=at + 4)
    return {"message": timed.get("message"), "queue_offset": record.get("queue_offset"), "seen": "went off"}


@plant("dly-timer-cancel")
def _(history: History) -> dict[str, Any]:
    return gone_off(history, 1_200)


@excuse("dly-timer-cancel")
def _(history: History) -> None:
    """It was cancelled a second before it was due, and that is too late to be sure."""
    history.cancelled_timer(1_160)
    gone_off(history, 8_100)


@plant("rep-ctl-committed")
def _(history: History) -> dict[str, Any]:
    """The next master lacks one."""
    (attempt,) = history.find("attempts", broker=LED[1], queue_offset=4)
    history.remove("final_log", message=attempt.get("message"))
    return {"message": attempt.get("message"), "queue_offset": 4}


@excuse("rep-ctl-committed")
def _(history: History) -> None:
    """It was not to wait for replicas."""
    (attempt,) = history.find("attempts", broker=LED[1], queue_offset=4)
    history.remove("final_log", message=attempt.get("message"))
    history.find("sends", message=attempt.get("message"))[0].set(wait_store=False)
