"""When the steady state was broken, out of a journal: it is asked for before, during and after the method.

Pure: a journal in, moments out. Chaos Toolkit asks (strategy ``continuously``); nothing is asked for here.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

CLASSES: Final = re.compile(r"^(?:[\w.]*(?:Error|Failed|Exception): )+")
"""What stands before the words of an error: Chaos Toolkit's class, and the kit's inside of it."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A time in which the steady state was not met."""

    probe: str
    """The first one that was out of its tolerance."""
    output: Any
    """What it found, or why it failed, in words."""
    began: str
    """ISO 8601, UTC: when the first asking that found it broken began."""
    after_s: float | None
    """The same, since the method's begin; None: before it."""
    ended: str | None
    """When the next asking that found it whole began; None: it was not whole again."""
    lasted_s: float | None


def evaluations(journal: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every asking in order: when its first probe began, and its state."""
    states = journal.get("steady_states") or {}
    for state in (states.get("before"), *(states.get("during") or ()), states.get("after")):
        if state and state.get("probes"):
            yield str(state["probes"][0]["start"]), state


def broken_times(journal: Mapping[str, Any]) -> list[Broken]:
    """Each time in which the steady state was broken: from the first asking that saw it to the next that did not."""
    zero = _method_began(journal)
    found: list[Broken] = []
    open_: tuple[str, Mapping[str, Any]] | None = None
    for began, state in evaluations(journal):
        if not state.get("steady_state_met") and open_ is None:
            open_ = (began, state["probes"][-1])
        elif state.get("steady_state_met") and open_ is not None:
            found.append(_broken(*open_, began, zero))
            open_ = None
    if open_ is not None:
        found.append(_broken(*open_, None, zero))
    return found


def output_of(probe: Mapping[str, Any]) -> Any:
    """What a probe's run found; where it failed: why."""
    why = why_failed(probe)
    return f"failed: {why}" if why else probe.get("output")


def why_failed(run: Mapping[str, Any]) -> str:
    """The last line of a run's error, without the names of its classes; empty where there is none."""
    told = "".join(run.get("exception") or ()).strip().splitlines()
    return CLASSES.sub("", told[-1]) or told[-1] if told else ""


def _broken(began: str, probe: Mapping[str, Any], ended: str | None, zero: str | None) -> Broken:
    return Broken(
        probe=str(probe["activity"].get("name")),
        output=output_of(probe),
        began=began,
        after_s=None if zero is None or began < zero else round(_seconds(zero, began), 3),
        ended=ended,
        lasted_s=None if ended is None else round(_seconds(began, ended), 3),
    )


def _method_began(journal: Mapping[str, Any]) -> str | None:
    runs = journal.get("run") or ()
    return str(runs[0]["start"]) if runs else None


def _seconds(one: str, other: str) -> float:
    parse = datetime.datetime.fromisoformat
    return (parse(other) - parse(one)).total_seconds()
