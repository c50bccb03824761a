"""Defects of the promises of filters."""

from __future__ import annotations

from typing import Any

from defects.base import History, a_message, excuse, plant

WARES = ("W", "broker-a", 0)


def undelivered(history: History, group: str, offset: int) -> int:
    """A message that the group wanted never reached it."""
    message = a_message(history, "broker-a", offset, topic="W")
    assert history.remove("deliveries", consumer_group=group, message=message)
    return message


def delivered(history: History, group: str, member: str, offset: int, at: float = 24_500) -> int:
    """A message reaches a group."""
    message = a_message(history, "broker-a", offset, topic="W")
    history.deliver(at, group, member, message, WARES, offset)
    return message


@plant("flt-tag-exact")
def _(history: History) -> dict[str, Any]:
    return {"message": delivered(history, "gt", "ct@20", 1), "queue_offset": 1}


@excuse("flt-tag-exact")
def _(history: History) -> None:
    """The group wanted the tag for a while."""
    history.subscribe("gt", "W", expression="BB")
    delivered(history, "gt", "ct@20", 1)
    delivered(history, "gt", "ct@20", 4)


@plant("flt-tag-complete")
def _(history: History) -> dict[str, Any]:
    return {"message": undelivered(history, "gt", 3), "consumer_group": "gt", "queue_offset": 3}


@excuse("flt-tag-complete")
def _(history: History) -> None:
    """Not all that the group ever wanted selects it."""
    undelivered(history, "gt", 3)
    history.subscribe("gt", "W", expression="Aa")
    for row in history.find("sends", topic="W", tag="A"):
        row.set(tag="Aa")
    history.find("sends", message=a_message(history, "broker-a", 3, topic="W"))[0].set(tag="A")


@plant("flt-sql")
def _(history: History) -> dict[str, Any]:
    return {"message": delivered(history, "gq", "cq@21", 25), "queue_offset": 25}


@excuse("flt-sql")
def _(history: History) -> None:
    """What is no number is not decided."""
    message = delivered(history, "gq", "cq@21", 25)
    history.find("sends", message=message)[0].set(properties='{"price":"many"}')


@plant("flt-sql-restart")
def _(history: History) -> dict[str, Any]:
    return {"message": delivered(history, "gq", "cq@21", 65), "queue_offset": 65}


@excuse("flt-sql-restart")
def _(history: History) -> None:
    delivered(history, "gq", "cq@21", 25, at=6_000)


@plant("flt-sql-bad")
def _(history: History) -> dict[str, Any]:
    reply = history.find("replies", probe="sql92-broken")[0].set(code=0)
    return {"op": reply.op, "seen": "code 0"}


@excuse("flt-sql-bad")
def _(history: History) -> None:
    history.find("replies", probe="sql92-broken")[0].set(code=2)


@plant("flt-progress")
def _(history: History) -> dict[str, Any]:
    pull = history.find("pulls", topic="W", code=20)[2].set(next_offset=2)
    return {"op": pull.op, "position": 2, "seen": "next 2"}


@excuse("flt-progress")
def _(history: History) -> None:
    """Some message has the tag, and may just be removed."""
    history.find("pulls", topic="W", code=20)[2].set(next_offset=2, expression="BB")
