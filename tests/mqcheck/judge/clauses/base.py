"""How a clause is put to the test: a planted defect and a circumstance, or a circumstance alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from defects import PLANTS
from defects.base import History

Step = Callable[[History], Any]
Outcome = Literal["violated", "excused", "held", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Case:
    """A history and what the guarantee must say of it."""

    guarantee: str
    clause: str
    wanted: Outcome
    """``excused``: anything but a violation."""
    steps: tuple[Step, ...]


CASES: list[Case] = []


def excused(guarantee: str, clause: str, *steps: Step) -> None:
    """The planted defect is none in this circumstance."""
    CASES.append(Case(guarantee, clause, "excused", (PLANTS[guarantee], *steps)))


def accused(guarantee: str, clause: str, *steps: Step) -> None:
    """The circumstance does not excuse the planted defect."""
    CASES.append(Case(guarantee, clause, "violated", (PLANTS[guarantee], *steps)))


def seen(guarantee: str, clause: str, *steps: Step) -> None:
    """Another defect than the planted one."""
    CASES.append(Case(guarantee, clause, "violated", steps))


def innocent(guarantee: str, clause: str, *steps: Step) -> None:
    """Something that only looks like a defect."""
    CASES.append(Case(guarantee, clause, "held", steps))


def undecided(guarantee: str, clause: str, *steps: Step) -> None:
    """Nobody can know."""
    CASES.append(Case(guarantee, clause, "inconclusive", steps))


def change(table: str, /, *, rows: Callable[[Any], bool] | None = None, to: dict[str, Any], **where: Any) -> Step:
    """Columns of every row found are set; finding none is an error of the case."""

    def step(history: History) -> None:
        found = history.find(table, rows, **where)
        assert found, (table, where)
        for row in found:
            row.set(**to)

    return step


def remove(table: str, /, *, rows: Callable[[Any], bool] | None = None, **where: Any) -> Step:
    """Rows are taken out; finding none is an error of the case."""

    def step(history: History) -> None:
        assert history.remove(table, rows, **where), (table, where)

    return step


def fault(kind: str, began: float, healed: float | None, *, confirmed: bool = True, **where: Any) -> Step:
    """A fault on a node or link; ``healed`` None: it lasts."""

    def step(history: History) -> None:
        row = history.fault(kind, began, 60_000 if healed is None else healed, **where)
        row.set(confirmed=confirmed)
        if healed is None:
            row.set(healing=None, healed=None)

    return step


def stalled(began: float, ended: float) -> Step:
    """The kit itself stood still."""
    return lambda history: history.entry("stalls", began=began, ended=ended)


def slave_of(broker: str, broker_id: int = 1) -> Step:
    """The broker has a slave."""
    return lambda history: history.entry(
        "nodes",
        node=f"{broker}-slave-{broker_id}",
        role="broker",
        broker=broker,
        broker_id=broker_id,
        life=0,
        spawned=1,
        ready=200,
        version="4.9.7",
    )
