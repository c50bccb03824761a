"""Logs are cut by the times of day in them, whatever their form."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mqcheck.repro.logs import LINES_MAX, MARGIN_SECONDS, Window, cut, cut_logs, told_of

NOON = 12 * 3600.0
AT_NOON = Window(NOON - 5, NOON + 5)


def test_lines_without_a_time_go_with_the_last_that_had_one() -> None:
    lines = [
        "11:59:00.123 INFO early",
        "  at early.Stack",
        "2026-11-28 11:59:58,500 WARN in time",
        "  at in.Time",
        "2026-11-28T12:00:04Z in time, too",
        "12:00:06 late",
    ]
    kept, how = cut(lines, AT_NOON)
    assert kept == lines[2:5]
    assert how == "11:59:55 to 12:00:05"


def test_a_log_without_times_is_shown_by_its_end() -> None:
    assert cut(["a", "port 127.0.0.1:80", "c 99:99:99"], AT_NOON) == (["a", "port 127.0.0.1:80", "c 99:99:99"], "whole")
    kept, how = cut([str(number) for number in range(LINES_MAX + 7)], AT_NOON)
    assert (kept[0], len(kept), how) == ("7", LINES_MAX, "it has no times: its last lines")


def test_a_long_stretch_loses_its_middle() -> None:
    kept, how = cut([f"12:00:00 {number}" for number in range(1000)], AT_NOON)
    assert len(kept) == LINES_MAX + 1
    assert f"({1000 - LINES_MAX} lines left out)" in kept
    assert (kept[0], kept[-1]) == ("12:00:00 0", "12:00:00 999")
    assert how.endswith("its middle left out")


def test_a_window_may_hold_midnight() -> None:
    midnight = datetime(2026, 11, 28).astimezone().timestamp()
    window = Window.around(midnight - 1, midnight + 1)
    assert window.begin == 86_400 - 1 - MARGIN_SECONDS
    assert [window.holds(seconds) for seconds in (86_399.0, 0.0, NOON)] == [True, True, False]


def test_every_log_is_named_with_what_was_kept(tmp_path: Path) -> None:
    (tmp_path / "logs" / "broker-a").mkdir(parents=True)
    (tmp_path / "logs" / "broker-a" / "broker.log").write_text("12:00:01 here\n12:30:00 not here\n")
    (tmp_path / "logs" / "broker-a.0.log").write_text("13:00:00 not here\n")
    told = cut_logs(tmp_path / "logs", tmp_path / "out", AT_NOON)
    assert [(log["name"], log["lines"], log["kept"]) for log in told] == [
        ("broker-a.0.log", 1, 0),
        ("broker-a/broker.log", 2, 1),
    ]
    assert (tmp_path / "out" / "broker-a" / "broker.log").read_text() == "12:00:01 here\n"
    first, second = told_of(told)
    assert first.startswith("broker-a.0.log: nothing in that time")
    assert second.startswith("`logs/broker-a/broker.log`: 1 of 2 lines (11:59:55 to 12:00:05)")
