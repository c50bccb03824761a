"""Where a run is shown: a terminal's lower edge, the lines of a log, or JSON for another program."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TextIO

from mqcheck.live.lines import LineFile
from mqcheck.live.state import RunState
from mqcheck.live.words import status_line, table, verdict_lines

STATUS_SECONDS: Final = 5.0
"""How often a log says how far a run is. Ours."""

Event = Mapping[str, Any]


class Display(Protocol):
    """One way to show a run; used by one thread at a time."""

    def begin(self, out: LineFile) -> None:
        """The run begins; pytest's own output goes through `out`."""
        ...

    def show(self, events: Sequence[Event], state: RunState, now_s: float, note: str) -> None:
        """Several times a second: what is new, and how things are."""
        ...

    def end(self) -> None:
        """Leave nothing of it on the screen; idempotent."""
        ...


class TerminalDisplay:
    """A table below what scrolls by."""

    def __init__(self, terminal: TextIO) -> None:
        """`terminal` is a file of its own: standard output is pytest's, which sends it elsewhere during tests."""
        from rich.console import Console

        self._console = Console(file=terminal, highlight=False, markup=False, emoji=False)
        self._live: Any = None
        self._out: LineFile | None = None

    def begin(self, out: LineFile) -> None:
        """Draw for the first time."""
        from rich.live import Live

        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._live.start()
        # Whoever is killed now leaves a terminal with a cursor.
        self._console.show_cursor(True)
        self._out = out
        out.divert(self._line)

    def show(self, events: Sequence[Event], state: RunState, now_s: float, note: str) -> None:
        """Verdicts scroll by; the table is drawn anew."""
        for event in events:
            if event["event"] == "verdicts":
                for text, colour in verdict_lines(event):
                    self._console.print(text, style=colour or None, soft_wrap=True)
        self._live.update(table(state, now_s, note), refresh=True)

    def end(self) -> None:
        """Take the table away."""
        if self._out is not None and self._live is not None:
            self._out.restore()
            self._live.update("", refresh=True)
            self._live.stop()
            self._live = None

    def _line(self, line: str) -> None:
        from rich.text import Text

        self._console.print(Text.from_ansi(line), soft_wrap=True)


class LogDisplay:
    """Lines for a file: verdicts as they come, and every few seconds how far the run is."""

    def __init__(self, log: TextIO) -> None:
        """`log` is a file of its own, as a terminal's."""
        self._log = log
        self._out: LineFile | None = None
        self._told_s = 0.0

    def begin(self, out: LineFile) -> None:
        """pytest's lines come between ours."""
        self._out = out
        out.divert(self._line)

    def show(self, events: Sequence[Event], state: RunState, now_s: float, note: str) -> None:
        """Verdicts at once, the rest now and then."""
        for event in events:
            if event["event"] == "verdicts":
                for text, _ in verdict_lines(event):
                    self._line(text)
        if now_s - self._told_s >= STATUS_SECONDS:
            self._told_s = now_s
            self._line(status_line(state, now_s) + (f"; {note}" if note else ""))

    def end(self) -> None:
        """pytest writes by itself again."""
        if self._out is not None:
            self._out.restore()
            self._out = None

    def _line(self, line: str) -> None:
        self._log.write(line + "\n")
        self._log.flush()


class JsonDisplay:
    """Every event as a line."""

    def __init__(self, fd: int) -> None:
        """`fd`: written to without a buffer, which a reader that is gone would leave full."""
        self._fd = fd
        self._gone = False

    def begin(self, out: LineFile) -> None:
        """pytest's own output is elsewhere."""

    def show(self, events: Sequence[Event], state: RunState, now_s: float, note: str) -> None:
        """Hand the events on."""
        for event in events:
            self.line(event)

    def end(self) -> None:
        """Nothing to take away."""

    def line(self, event: Event) -> None:
        """One event. A reader that is gone is told no more."""
        data = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        try:
            while data and not self._gone:
                data = data[os.write(self._fd, data) :]
        except BrokenPipeError:
            self._gone = True
