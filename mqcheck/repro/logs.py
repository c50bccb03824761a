"""Cuts the nodes' logs to the time that matters.

Times of day are read from the lines themselves, whatever else stands in them: logs of other people's brokers have no
form that could be relied on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

MARGIN_SECONDS: Final = 5.0
"""Shown before the first and after the last of what happened. Ours."""
LINES_MAX: Final = 400
"""Of one log; ours: the whole log is named."""
LINE_CHARACTERS_MAX: Final = 4_000
TIME: Final = re.compile(r"(?<!\d)([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:[.,](\d{1,6}))?(?!\d)")
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the day, in seconds since midnight of this machine's time zone."""

    begin: float
    end: float
    """Smaller than ``begin`` where midnight lies between."""

    @classmethod
    def around(cls, first: float, last: float) -> Window:
        """From a margin before ``first`` to a margin after ``last``, in seconds since the epoch."""
        return cls(_of_day(first - MARGIN_SECONDS), _of_day(last + MARGIN_SECONDS))

    def holds(self, seconds: float) -> bool:
        """Whether a time of day lies in it."""
        if self.begin <= self.end:
            return self.begin <= seconds <= self.end
        return seconds >= self.begin or seconds <= self.end

    def told(self) -> str:
        """As ``10:00:05 to 10:00:17``."""
        return f"{_clock(self.begin)} to {_clock(self.end)}"


def cut_logs(folder: Path, out: Path, window: Window) -> list[dict[str, Any]]:
    """Writes the part of each log below ``folder`` that lies in the window; what was done with each, by name."""
    told: list[dict[str, Any]] = []
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip("\n")[:LINE_CHARACTERS_MAX] for line in file]
        kept, how = cut(lines, window)
        if kept:
            target = out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("\n".join(kept) + "\n", encoding="utf-8")
        told.append({"name": name, "lines": len(lines), "kept": len(kept), "how": how, "whole": str(path)})
    return told


def cut(lines: list[str], window: Window) -> tuple[list[str], str]:
    """The lines in the window, those without a time going with the last that had one; and how they were chosen."""
    timed = list(_timed(lines))
    if all(seconds is None for seconds, _ in timed):
        return lines[-LINES_MAX:], "it has no times: its last lines" if len(lines) > LINES_MAX else "whole"
    kept = [line for seconds, line in timed if seconds is not None and window.holds(seconds)]
    if len(kept) > LINES_MAX:
        half = LINES_MAX // 2
        left_out = f"({len(kept) - 2 * half} lines left out)"
        return [*kept[:half], left_out, *kept[-half:]], f"{window.told()}, its middle left out"
    return kept, window.told()


def _timed(lines: Iterable[str]) -> Iterator[tuple[float | None, str]]:
    last: float | None = None
    for line in lines:
        found = TIME.search(line)
        if found:
            hours, minutes, seconds = (int(found[number]) for number in (1, 2, 3))
            last = hours * 3600 + minutes * 60 + seconds + float(f"0.{found[4] or 0}")
        yield last, line


def _of_day(epoch: float) -> float:
    moment = datetime.fromtimestamp(epoch).astimezone()
    return moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6


def _clock(seconds: float) -> str:
    whole = int(seconds) % DAY_SECONDS
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def told_of(logs: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each log: what of it is here, and where the rest is."""
    return [
        f"`logs/{log['name']}`: {log['kept']} of {log['lines']} lines ({log['how']}); all of it: `{log['whole']}`"
        if log["kept"]
        else f"{log['name']}: nothing in that time; all of it: `{log['whole']}`"
        for log in logs
    ]
