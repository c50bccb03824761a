"""The thread that shows a run: its begin, its events, its end."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mqcheck.live.displays import Event
from mqcheck.live.feed import Feed
from mqcheck.live.lines import LineFile
from mqcheck.live.show import PLUGIN, Show
from mqcheck.live.state import RunState


class Seen:
    """A display that keeps what it is shown."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.notes: list[str] = []
        self.on = False

    def begin(self, out: LineFile) -> None:
        self.on = True

    def show(self, events: Sequence[Event], state: RunState, now_s: float, note: str) -> None:
        self.events += events
        self.notes.append(note)

    def end(self) -> None:
        self.on = False


def session_of(folder: Path, *, verbosity: int = 0, starts_nothing: bool = False) -> Any:
    conformance = SimpleNamespace(
        starts_nothing=starts_nothing,
        run=SimpleNamespace(folder=folder),
        report={"summary": {"held": 3}},
        expected_seconds=lambda: {"steady": 8.0},
        at_once=lambda: 2,
        told_at_start=lambda: {"id": "r", "seed": 1},
    )
    reporter = SimpleNamespace(showfspath=True)
    plugins = {"mqcheck-conformance": conformance, "terminalreporter": reporter}
    config = SimpleNamespace(
        pluginmanager=SimpleNamespace(getplugin=plugins.get), get_verbosity=lambda: verbosity, args=[]
    )
    return SimpleNamespace(config=config)


def through(hook: Any) -> None:
    """Run a wrapper hook round nothing."""
    next(hook)
    with pytest.raises(StopIteration):
        hook.send(None)


def test_events_are_shown_while_the_run_is_on_and_the_last_ones_at_its_end(tmp_path: Path) -> None:
    display = Seen()
    show = Show(display, LineFile(io.StringIO()), even_quiet=False)
    assert show.__name__ == PLUGIN
    session = session_of(tmp_path)
    through(show.pytest_runtestloop(session))
    assert show.shows
    assert display.on
    feed = Feed(tmp_path, "main")
    feed.scenario("steady", tmp_path / "steady")
    while len(display.events) < 2:
        time.sleep(0.01)
    show.pytest_keyboard_interrupt()
    feed.scenario("kill", tmp_path / "kill")
    through(show.pytest_sessionfinish(session))
    feed.close()
    assert not display.on
    assert not show.shows
    assert [each["event"] for each in display.events] == ["run", "scenario", "scenario"]
    assert display.events[0]["scenarios"] == {"steady": 8.0}
    assert [each["at_s"] for each in display.events] == sorted(each["at_s"] for each in display.events)
    assert "interrupted" in display.notes[-1]
    assert show.summary == {"held": 3}
    assert show.report == str(tmp_path / "report.json")
    show.close()


@pytest.mark.parametrize(
    ("verbosity", "nothing", "even_quiet", "shown"),
    [(-1, False, False, False), (-1, False, True, True), (0, True, True, False)],
)
def test_quiet_and_collect_only_show_nothing(
    tmp_path: Path, verbosity: int, nothing: bool, even_quiet: bool, shown: bool
) -> None:
    show = Show(Seen(), LineFile(io.StringIO()), even_quiet=even_quiet)
    through(show.pytest_runtestloop(session_of(tmp_path, verbosity=verbosity, starts_nothing=nothing)))
    assert show.shows is shown
    show.close()


def test_items_of_the_suite_have_no_dots_while_it_shows(tmp_path: Path) -> None:
    show = Show(Seen(), LineFile(io.StringIO()), even_quiet=False)
    session = session_of(tmp_path)

    def status(node: str) -> tuple[str, str, str]:
        hook: Any = show.pytest_report_teststatus(SimpleNamespace(nodeid=node), session.config)  # type: ignore[arg-type]
        next(hook)
        with pytest.raises(StopIteration) as stopped:
            hook.send(("passed", ".", "PASSED"))
        told: tuple[str, str, str] = stopped.value.value
        return told

    assert status("mqcheck::steady::a") == ("passed", ".", "PASSED")
    through(show.pytest_runtestloop(session))
    assert status("mqcheck::steady::a") == ("passed", "", "")
    assert status("tests/test_a.py::test_a") == ("passed", ".", "PASSED")
    show.close()
