"""Defects of the replication promises."""

from __future__ import annotations

from typing import Any

from defects.base import History, a_message, excuse, plant


def ok_while_cut(history: History) -> int:
    message = a_message(history, "broker-m", 25, topic="S")
    for table in ("attempts", "sends"):
        history.find(table, message=message)[0].end.update(outcome="ok", code=0)
    return message


@plant("rep-sync-ack")
def _(history: History) -> dict[str, Any]:
    return {"message": ok_while_cut(history), "seen": "SEND_OK"}


@excuse("rep-sync-ack")
def _(history: History) -> None:
    history.find("sends", message=ok_while_cut(history))[0].set(wait_store=False)


@plant("rep-offset-same")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-m", 7, topic="S")
    history.find("final_log", node="broker-m-slave", message=message)[0].set(record_digest=-1)
    return {"message": message, "queue_offset": 7}


@excuse("rep-offset-same")
def _(history: History) -> None:
    message = a_message(history, "broker-m", 7, topic="S")
    history.find("final_log", node="broker-m-slave", message=message)[0].set(record_digest=-1)
    history.find("readings", node="broker-m-slave")[0].end.update(complete=False)
    healthy_copies(history)


def healthy_copies(history: History) -> None:
    """Another queue of master and slave, read to its end on both."""
    for number, node in enumerate(("broker-m", "broker-m-slave")):
        for offset in range(60):
            message = a_message(history, "broker-m", offset, topic="S")
            record = history.record(message, ("S", "broker-m", 1), offset, 0)
            record.set(node=node, record_digest=message * 13, physical_offset=1_000_000 + offset)
        place = {"broker": "broker-m", "broker_id": number, "master": number == 0, "topic": "S", "queue": 1}
        end = {"min_offset": 0, "max_offset": 60, "complete": True}
        history.span("readings", 36_400, 36_600, end, reading="final", node=node, **place)


@plant("rep-resume")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-m", 30, topic="S")
    assert history.remove("final_log", node="broker-m-slave", message=message) == 1
    return {"message": message, "queue_offset": 30}


@excuse("rep-resume")
def _(history: History) -> None:
    message = a_message(history, "broker-m", 2, topic="S")
    history.remove("final_log", node="broker-m-slave", message=message)
    history.find("readings", node="broker-m-slave")[0].end.update(min_offset=3)


def answered(history: History, offset: int, outcome: str, code: int) -> int:
    """The send at this offset of broker-m got another answer."""
    message = a_message(history, "broker-m", offset, topic="S")
    for table in ("attempts", "sends"):
        history.find(table, message=message)[0].end.update(outcome=outcome, code=code)
    return message


@plant("rep-slave-slow")
def _(history: History) -> dict[str, Any]:
    return {"message": answered(history, 25, "refused", 1), "seen": "refused with 1"}


@excuse("rep-slave-slow")
def _(history: History) -> None:
    answered(history, 25, "refused", 2)


@plant("rep-slave-missing")
def _(history: History) -> dict[str, Any]:
    return {"message": answered(history, 64, "ok", 0), "seen": "code 0"}


@excuse("rep-slave-missing")
def _(history: History) -> None:
    history.find("sends", message=answered(history, 64, "ok", 0))[0].set(wait_store=False)


@plant("rep-prefix")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-m", 7, topic="S")
    history.find("final_log", node="broker-m-slave", message=message)[0].set(physical_offset=3)
    return {"message": message, "physical_offset": 3}


@excuse("rep-prefix")
def _(history: History) -> None:
    message = a_message(history, "broker-m", 7, topic="S")
    history.find("final_log", node="broker-m-slave", message=message)[0].set(physical_offset=3)
    history.find("readings", node="broker-m-slave")[0].end.update(complete=False)
    healthy_copies(history)


@plant("rep-slave-read")
def _(history: History) -> dict[str, Any]:
    pull = history.find("pulls", node="broker-n-slave")[0]
    pull.end.update(outcome="error", code=14, records=0)
    return {"op": pull.op, "seen": "code 14"}


@excuse("rep-slave-read")
def _(history: History) -> None:
    history.find("pulls", node="broker-n-slave")[0].set(position=8).end.update(code=19, records=0)


@plant("rep-slave-refuse")
def _(history: History) -> dict[str, Any]:
    reply = history.find("replies", node="broker-n-slave")[0]
    reply.end.update(code=0)
    return {"op": reply.op, "seen": "code 0"}


@excuse("rep-slave-refuse")
def _(history: History) -> None:
    history.find("replies", node="broker-n-slave")[0].end.update(code=2)


@plant("rep-redirect")
def _(history: History) -> dict[str, Any]:
    pull = history.find("pulls", node="broker-n-slave")[0]
    pull.end.update(suggested_broker_id=1)
    return {"op": pull.op, "seen": "broker 1"}


@excuse("rep-redirect")
def _(history: History) -> None:
    pull = history.find("pulls", node="broker-n-slave")[0]
    pull.end.update(suggested_broker_id=1)
    pull.set(node="broker-o-slave")
    history.point("config", 1, node="broker-o-slave", key="slaveReadEnable", setting="true")
    for number in range(2):
        again = history.span("pulls", 33_900 + number, 33_901 + number, dict(pull.end), **pull.columns)
        again.set(node="broker-n-slave", suggested_broker_id=0)


@plant("rep-meta-topics")
def _(history: History) -> dict[str, Any]:
    look = history.find("inventory", node="broker-n-slave")[0]
    look.end.update(listed=False)
    return {"op": look.op, "seen": "not listed"}


@excuse("rep-meta-topics")
def _(history: History) -> None:
    look = history.find("inventory", node="broker-n-slave")[0]
    columns = dict(look.columns)
    history.span("inventory", 2_500, 2_505, {"listed": False}, **columns)


@plant("rep-meta-offsets")
def _(history: History) -> dict[str, Any]:
    query = history.find("offsets", node="broker-n-slave")[0]
    query.end.update(position=2)
    return {"op": query.op, "seen": "2"}


@excuse("rep-meta-offsets")
def _(history: History) -> None:
    query = history.find("offsets", node="broker-n-slave")[0]
    query.end.update(position=2)
    commit = history.find("offsets", node="broker-n", consumer_group=query.get("consumer_group"))[0]
    history.span("offsets", 4_990, 4_995, {"code": 0}, **{**commit.columns, "value": 2})
