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
            record.set(node=node, record_digest=message * 13)
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
