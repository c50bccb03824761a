"""Defects of the promises of delay that are not among `requests`."""

from __future__ import annotations

from typing import Any

from defects.base import History, excuse, plant, stall


def late(history: History, ms: float, level: int = 1) -> Any:
    """The first message of a level comes so late."""
    (first, *_) = history.find("sends", topic="D", delay_level=level)
    (delivery,) = history.find("deliveries", message=first.get("message"))
    return delivery.set(at=first.at + ms, received=first.at + ms)


@plant("dly-timely")
def _(history: History) -> dict[str, Any]:
    return {"message": late(history, 3_150).get("message"), "due_after_ms": 1_100, "seen_after_ms": 3_144}


@excuse("dly-timely")
def _(history: History) -> None:
    late(history, 3_150)
    stall(history, 2_000, 2_200)


@plant("dly-none")
def _(history: History) -> dict[str, Any]:
    delivery = late(history, 70, level=-1)
    place = delivery.get("queue_offset")
    delivery.set(queue_offset=99)
    return {"message": delivery.get("message"), "expected": f"D broker-b 0 {place}", "seen": "D broker-b 0 99"}


@excuse("dly-none")
def _(history: History) -> None:
    late(history, 70, level=99).set(queue_offset=99)
    late(history, 9_000, level=-1)  # when it is delivered is no promise


@plant("dly-topic")
def _(history: History) -> dict[str, Any]:
    delivery = history.find("deliveries", topic="D")[0].set(queue=1)
    return {"message": delivery.get("message"), "came_from": "D broker-b 1", "differs": "place"}


@excuse("dly-topic")
def _(history: History) -> None:
    history.find("deliveries", topic="D")[0].set(queue=1, topic="%RETRY%gd", reconsume_times=1)


def forgotten(history: History) -> int:
    """A message that waited at the kill never comes."""
    message: int = history.find("deliveries", topic="D", broker="broker-a")[0].get("message")
    assert history.remove("deliveries", message=message) == 1
    return message
