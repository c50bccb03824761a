"""``mqcheck run``: the plugin's pytest session, shown as it happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

import pytest

from mqcheck.live.displays import Display, JsonDisplay, LogDisplay, TerminalDisplay
from mqcheck.live.lines import LineFile
from mqcheck.live.show import Show

PYTEST_ARGUMENTS = ("-o", "console_output_style=classic")
"""No percentages: items end in heaps, when their scenario does. What the user gives comes after it and wins."""

IMPORTED = "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning"
"""The command has imported the plugin before pytest does: no news to a project whose warnings are errors."""


def run(arguments: Sequence[str], *, as_json: bool) -> int:
    """Run pytest with these arguments and show it; pytest's exit status. Called by the command.

    With `as_json` standard output has nothing but events, and whatever else is written to it goes to standard error.
    """
    sys.stdout.flush()
    if as_json:
        return _json(arguments)
    with os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace") as stream:
        return _shown(arguments, stream)


def _shown(arguments: Sequence[str], stream: TextIO) -> int:
    before = sys.stdout
    out = LineFile(before)
    display: Display = TerminalDisplay(stream) if stream.isatty() else LogDisplay(stream)
    show = Show(display, out, even_quiet=False)
    sys.stdout = out
    try:
        return _pytest([*PYTEST_ARGUMENTS, *arguments], show)
    finally:
        show.close()
        sys.stdout = before


def _json(arguments: Sequence[str]) -> int:
    fd = os.dup(1)
    display = JsonDisplay(fd)
    show = Show(display, LineFile(sys.stdout), even_quiet=True)
    os.dup2(2, 1)
    try:
        status = _pytest(arguments, show)
        at_s = round(show.now_s(), 3)
        told = {"event": "finished", "at_s": at_s, "status": status, "summary": show.summary, "report": show.report}
        display.line(told)
        return status
    finally:
        show.close()
        sys.stdout.flush()
        os.dup2(fd, 1)
        os.close(fd)


def _pytest(arguments: Sequence[str], show: Show) -> int:
    return int(pytest.main(["-W", IMPORTED, *arguments], plugins=[show]))
