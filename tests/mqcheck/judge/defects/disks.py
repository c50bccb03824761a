"""Defects of the promises about disks."""

from __future__ import annotations

from typing import Any

from defects.base import History, a_message, excuse, plant


def lost(history: History, offset: int) -> int:
    """A message that broker-w acknowledged while writes failed is not in the bytes that the cut left."""
    message = a_message(history, "broker-w", offset, topic="W")
    for table in ("final_log", "surveyed"):
        assert history.remove(table, message=message) == 1
    return message


@plant("dur-write-error")
def _(history: History) -> dict[str, Any]:
    return {"message": lost(history, 30)}


@excuse("dur-write-error")
def _(history: History) -> None:
    lost(history, 31)


@plant("sto-bad-tail")
def _(history: History) -> dict[str, Any]:
    record = history.find("final_log", node="broker-t")[3].set(crc_ok=False)
    return {"op": record.op, "seen": f"checksum does not fit at W:0:{record.get('queue_offset')}"}


@excuse("sto-bad-tail")
def _(history: History) -> None:
    history.find("final_log", node="broker-q")[3].set(crc_ok=False)


@plant("sto-recover-cq")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-q", 7, topic="W")
    history.find("final_log", node="broker-q", message=message)[0].set(queue_offset=99)
    return {"message": message, "queue_offset": 7}


@excuse("sto-recover-cq")
def _(history: History) -> None:
    message = a_message(history, "broker-q", 7, topic="W")
    history.find("final_log", node="broker-q", message=message)[0].set(queue_offset=99)
    history.find("attempts", message=message)[0].set(at=30_990, until=31_500)
    history.find("sends", message=message)[0].set(at=30_990, until=31_501)


@plant("sto-diskfull")
def _(history: History) -> dict[str, Any]:
    attempt = history.find("attempts", node="broker-r", code=14)[4]
    attempt.end.update(outcome="ok", code=0)
    return {"op": attempt.op, "seen": "stored, code 0"}


@excuse("sto-diskfull")
def _(history: History) -> None:
    first = history.find("attempts", node="broker-r", code=14)[0]
    first.set(at=28_050, until=28_055).end.update(outcome="ok", code=0)


@plant("sto-retention")
def _(history: History) -> dict[str, Any]:
    look = history.find("offsets", node="broker-r", kind="min")[-1]
    look.end.update(position=5)
    return {"op": look.op, "seen": "begins at 5"}


@excuse("sto-retention")
def _(history: History) -> None:
    for pull in history.find("pulls", node="broker-r"):
        pull.end.update(min_offset=5)


@plant("sto-min-offset")
def _(history: History) -> dict[str, Any]:
    pull = history.find("pulls", node="broker-z")[5].set(min_offset=14)
    return {"op": pull.op, "answered_before": 15, "seen": 14}


@excuse("sto-min-offset")
def _(history: History) -> None:
    """The answer that names a later one had not come when this was asked."""
    history.find("offsets", node="broker-z", kind="min")[5].set(until=2_056)
    history.find("pulls", node="broker-z")[5].set(min_offset=14)
