"""A run's state in words: the lines that stay, the status line of a log, and the table of a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from mqcheck.judge.verdicts import INCONCLUSIVE, VIOLATED, WORST_FIRST
from mqcheck.live.state import Running, RunState

if TYPE_CHECKING:
    from rich.console import RenderableType

ROWS_MAX: Final = 14
"""Scenarios in the table; the rest is counted. Ours."""
NAMED_MAX: Final = 4
"""Scenarios named in a status line, and faults of one scenario in the table. Ours."""
COLOURS: Final = {VIOLATED: "red", INCONCLUSIVE: "yellow"}


def verdict_lines(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What stays of a scenario that has its verdicts, each line with its colour: the counts, then what is not held."""
    counts = Counter(each["verdict"] for each in event["verdicts"])
    told = ", ".join(f"{counts[word]} {word}" for word in WORST_FIRST if counts[word]) or "nothing aimed at"
    again = f" (rerun {event['attempt']})" if event["attempt"] else ""
    trouble = f"; harness error: {event['harness_error']}" if event["harness_error"] else ""
    colour = next((COLOURS[word] for word in COLOURS if counts[word]), "")
    yield f"mqcheck: {event['scenario']}{again}: {told} ({event['seconds']:.1f} s){trouble}", colour
    for each in event["verdicts"]:
        if each["verdict"] in COLOURS:
            why = f"{each['evidence']} row(s) of evidence" if each["evidence"] else each["reason"]
            yield f"  {each['verdict']} mqcheck::{event['scenario']}::{each['guarantee']}: {why}", ""


def status_line(state: RunState, now_s: float) -> str:
    """One line about the whole run, for a log."""
    running = sorted(state.running.values(), key=lambda one: one.began_s)
    named = ", ".join(_briefly(one) for one in running[:NAMED_MAX])
    more = f" and {len(running) - NAMED_MAX} more" if len(running) > NAMED_MAX else ""
    return f"mqcheck: {headline(state, now_s)}; running {named or 'nothing yet'}{more}"


def headline(state: RunState, now_s: float) -> str:
    """``0:12, about 0:40 left; 8 of 31 scenarios; 41 held, 1 violated; 320 operations/s, send p99 up to 31 ms``."""
    counts = ", ".join(f"{state.verdicts[word]} {word}" for word in WORST_FIRST if state.verdicts[word])
    parts = [f"{clock(now_s)}, about {clock(state.left_s(now_s))} left", f"{len(state.judged)} of {_all(state)} done"]
    parts += [counts] if counts else []
    p99 = state.send_p99_ms()
    slow = "" if p99 is None else f", send p99 up to {p99:.0f} ms"
    parts.append(f"{state.operations_per_s(now_s):,.0f} operations/s{slow}")
    return "; ".join(parts)


def table(state: RunState, now_s: float, note: str = "") -> RenderableType:
    """The running scenarios under the headline; `note` is what else is to be said."""
    from rich.console import Group
    from rich.text import Text

    def line(text: str, style: str = "") -> Text:
        return Text(text, style, no_wrap=True, overflow="ellipsis")

    running = sorted(state.running.values(), key=lambda one: one.began_s)
    width = max(len(title) for title in ["scenario", *(one.title() for one in running)]) + 2
    columns = f"{'scenario':<{width}}{'phase':<11}{'s':>4}{'op/s':>7}{'send p50':>10}{'p99 ms':>8}  faults"
    rows = []
    for one in running[:ROWS_MAX]:
        figures = (
            f"{now_s - one.began_s:>4.0f}{one.rate(now_s):>7.0f}{_ms(one.send_p50_ms):>10}{_ms(one.send_p99_ms):>8}"
        )
        rows.append(line(f"{one.title():<{width}}{one.phase:<11}{figures}  ").append(faults(one), "red"))
    more = [line(f"… and {len(running) - ROWS_MAX} more")] if len(running) > ROWS_MAX else []
    notes = [line(note, "yellow")] if note else []
    return Group("", line(headline(state, now_s), "bold"), line(columns, "dim"), *rows, *more, *notes)


def faults(one: Running) -> str:
    """The active faults of a scenario, equal kinds once."""
    kinds = Counter(one.faults.values())
    told = [f"{count} × {text}" if count > 1 else text for text, count in list(kinds.items())[:NAMED_MAX]]
    return ", ".join([*told, *(["…"] if len(kinds) > NAMED_MAX else [])])


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _briefly(one: Running) -> str:
    broken = f", {faults(one)}" if one.faults else ""
    return f"{one.title()} ({one.phase}{broken})"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _all(state: RunState) -> str:
    return f"{max(len(state.expected), len(state.judged))} scenarios"
