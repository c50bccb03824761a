"""Where defects register themselves, and what several of them do to a history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

History = Any
Mutation = Callable[[History], Any]

PLANTS: dict[str, Mutation] = {}
EXCUSES: dict[str, Mutation] = {}


def plant(guarantee: str) -> Callable[[Mutation], Mutation]:
    """A minimal defect that the guarantee must see; returns a part of the first evidence row."""

    def add(mutation: Mutation) -> Mutation:
        PLANTS[guarantee] = mutation
        return mutation

    return add


def excuse(guarantee: str) -> Callable[[Mutation], Mutation]:
    """The same defect in a circumstance that excuses it, or one that only looks like it."""

    def add(mutation: Mutation) -> Mutation:
        EXCUSES[guarantee] = mutation
        return mutation

    return add


def never_answered(history: History, message: int) -> None:
    """The send of this message gets no answer: what became of it is unknown."""
    (attempt,) = history.find("attempts", message=message)
    attempt.until, attempt.end = None, {}
    (send,) = history.find("sends", message=message)
    send.end = {"outcome": "error"}


def a_message(history: History, broker: str, offset: int, queue: int = 0, topic: str = "T") -> int:
    """The message that an answer placed there."""
    (attempt,) = history.find("attempts", topic=topic, broker=broker, queue=queue, queue_offset=offset)
    message: int = attempt.get("message")
    return message


def cut_power(history: History, broker: str, at: float = 30_000) -> None:
    """The broker's power fails for a moment."""
    history.fault("power-cut", at, at + 100, node=broker)


def stall(history: History, began: float, ended: float) -> None:
    """The kit itself stood still."""
    history.entry("stalls", began=began, ended=ended)
