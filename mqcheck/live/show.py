"""The pytest plugin of `mqcheck run`: shows the run while it is on.

A thread of its own looks a few times a second at what the processes with scenarios have told. It starts when tests
begin and ends before pytest's summary, also after Ctrl-C: while faults are healed it says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from typing import Any, Final

import pytest

from mqcheck.live.displays import Display
from mqcheck.live.follow import Follower
from mqcheck.live.lines import LineFile
from mqcheck.live.state import RunState
from mqcheck.plan import scenario_of

PLUGIN: Final = "mqcheck-live"
"""Its name among pytest's plugins, by which `conformance` knows it: a run that has it tells its events."""
REFRESH_SECONDS: Final = 0.25
"""How often the display is drawn. Ours: the kit's loop must not wait for it."""
JOIN_SECONDS_MAX: Final = 5.0
"""How long a last drawing may take."""


class Show:
    """Hooks and thread; `summary` and `report` are those of the run when it is over."""

    def __init__(self, display: Display, out: LineFile, *, even_quiet: bool) -> None:
        """`even_quiet`: shown with ``-q`` too."""
        self.__name__ = PLUGIN
        self.summary: dict[str, int] | None = None
        self.report = ""
        self._display = display
        self._out = out
        self._even_quiet = even_quiet
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._began_ns = time.monotonic_ns()
        self._note = ""

    @property
    def shows(self) -> bool:
        """True while the display is on."""
        return self._thread is not None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """The display begins with the tests."""
        conformance: Any = session.config.pluginmanager.getplugin("mqcheck-conformance")
        wanted = self._even_quiet or session.config.get_verbosity() >= 0
        if conformance is not None and not conformance.starts_nothing and wanted:
            self._start(conformance, session.config)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self, report: pytest.TestReport, config: pytest.Config) -> Generator[None, Any, Any]:
        """No dots for items of the suite: the display has their verdicts."""
        told = yield
        if self.shows and config.get_verbosity() == 0 and scenario_of(report.nodeid) is not None:
            return told[0], "", ""
        return told

    def pytest_keyboard_interrupt(self) -> None:
        """Ctrl-C: what follows may take a while."""
        self._note = "interrupted: faults are healed and everything is taken down"

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """The display ends when the kit has, and before the summary."""
        try:
            return (yield)
        finally:
            self.close()
            conformance: Any = session.config.pluginmanager.getplugin("mqcheck-conformance")
            if conformance is not None and conformance.report is not None:
                self.summary = conformance.report["summary"]
                self.report = str(conformance.run.folder / "report.json")

    def close(self) -> None:
        """End the thread and the display. Idempotent."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS_MAX)
            self._thread = None
            self._display.end()

    def now_s(self) -> float:
        """Seconds since the run began."""
        return (time.monotonic_ns() - self._began_ns) / 1e9

    def _start(self, conformance: Any, config: pytest.Config) -> None:
        expected = conformance.expected_seconds()
        state = RunState(expected, conformance.at_once())
        reporter: Any = config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None and config.get_verbosity() == 0 and not config.args:
            reporter.showfspath = False
        self._display.begin(self._out)
        first = {"event": "run", "t": self._began_ns, **conformance.told_at_start(), "scenarios": expected}
        self._thread = threading.Thread(
            target=self._follow, args=(Follower(conformance.run.folder), state, first), name=PLUGIN, daemon=True
        )
        self._thread.start()

    def _follow(self, follower: Follower, state: RunState, first: dict[str, Any]) -> None:
        events = [self._stamped(first)]
        while True:
            last = self._stop.is_set()
            for event in follower.new():
                events.append(self._stamped(event))
                state.fold(event, events[-1]["at_s"])
            self._display.show(events, state, self.now_s(), self._note)
            if last:
                return
            events = []
            self._stop.wait(REFRESH_SECONDS)

    def _stamped(self, event: dict[str, Any]) -> dict[str, Any]:
        """With `at_s`, seconds since the run began, for the stamp of one host's clock."""
        at_s = round((event["t"] - self._began_ns) / 1e9, 3)
        return {
            "event": event["event"],
            "at_s": at_s,
            **{key: value for key, value in event.items() if key not in ("event", "t")},
        }
