"""What each way of showing a run puts where."""

from __future__ import annotations

import io
import json
import os

from mqcheck.live.displays import STATUS_SECONDS, JsonDisplay, LogDisplay, TerminalDisplay
from mqcheck.live.lines import LineFile
from mqcheck.live.state import RunState

STATE = RunState({"steady": 8.0}, at_once=1)
BEGAN = {"event": "scenario", "scenario": "steady", "attempt": 0}
HELD = {"guarantee": "a", "verdict": "held", "evidence": 0, "reason": "", "aimed": True}
JUDGED = {**BEGAN, "event": "verdicts", "seconds": 1.0, "harness_error": None, "verdicts": [HELD]}
LINE = "mqcheck: steady: 1 held (1.0 s)"


def test_a_log_has_verdicts_at_once_and_the_state_now_and_then() -> None:
    log, usual = io.StringIO(), io.StringIO()
    display, out = LogDisplay(log), LineFile(usual)
    display.begin(out)
    out.write("pytest's ")
    display.show([BEGAN, JUDGED], STATE, 1.0, "")
    out.write("own line\n")
    display.show([], STATE, STATUS_SECONDS, "interrupted")
    display.show([], STATE, STATUS_SECONDS + 1, "")
    display.end()
    display.end()
    out.write("summary\n")
    lines = log.getvalue().splitlines()
    assert lines[:2] == [LINE, "pytest's own line"]
    assert len(lines) == 3
    assert lines[2].startswith("mqcheck: 0:05, about ")
    assert lines[2].endswith("; interrupted")
    assert usual.getvalue() == "summary\n"


def test_a_terminal_has_the_table_below_and_nothing_of_it_in_the_end() -> None:
    main, other = os.openpty()
    with os.fdopen(main, "rb", buffering=0) as screen, os.fdopen(other, "w") as terminal:
        display, out = TerminalDisplay(terminal), LineFile(io.StringIO())
        display.begin(out)
        display.show([BEGAN], STATE, 1.0, "")
        display.show([JUDGED], STATE, 2.0, "interrupted")
        out.write("\x1b[32mpytest's own line\x1b[0m\n")
        display.end()
        display.end()
        drawn = screen.read(1 << 16).decode()
    assert drawn.count("about 0:08 left") >= 2
    assert LINE in drawn
    assert "pytest's own line" in drawn
    assert "interrupted" in drawn
    # The cursor is never left hidden, and the last thing drawn is not the table.
    assert drawn.rfind("\x1b[?25h") > drawn.rfind("\x1b[?25l")
    assert "left" not in drawn[drawn.rfind("pytest's own line") :].split("\x1b[2K")[-1]


def test_json_is_a_line_for_each_event_and_survives_a_reader_that_goes() -> None:
    read, write = os.pipe()
    display = JsonDisplay(write)
    with os.fdopen(read) as reader:
        display.begin(LineFile(io.StringIO()))
        display.show([BEGAN, JUDGED], STATE, 1.0, "interrupted")
        assert [json.loads(reader.readline()) for _ in range(2)] == [BEGAN, JUDGED]
    display.line(BEGAN)
    display.line(JUDGED)
    display.end()
    os.close(write)
