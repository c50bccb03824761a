"""The plugin object of a run with ``--mqcheck``: joins pytest's session (or xdist's controller and workers) to the kit.

Registered by ``mqcheck.plugin`` only when asked for; what the hooks decide is elsewhere: selection in ``plan``,
verdicts in ``collection``, statuses in ``exits``, the shares of workers in ``scheduler``.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import pytest

from mqcheck import exits, machinery
from mqcheck.collection import Suite, VerdictError, VerdictItem
from mqcheck.errors import HarnessError, UserError
from mqcheck.known import NOTHING, load_known
from mqcheck.plan import Pair, Planned, keep_ids, scenario_of
from mqcheck.report.outcomes import Outcome, read_outcome
from mqcheck.report.repetitions import repetitions, together
from mqcheck.scheduler import ScenarioScheduling
from mqcheck.session import KitSession
from mqcheck.settings import Settings

if TYPE_CHECKING:
    from mqcheck.live.feed import Feed

LIVE: Final = "mqcheck-live"
"""Name of the plugin of ``mqcheck run`` that shows a run as it happens (``live.show``)."""
POLL_SECONDS: Final = 0.2
"""How often a waiting item looks whether there is progress to print."""


class Conformance:
    """State and hooks of one run in one process."""

    def __init__(self, config: pytest.Config, settings: Settings, ids: Sequence[str]) -> None:
        """``ids``: items named on the command line; empty means the whole selection."""
        told: Mapping[str, Any] | None = getattr(config, "workerinput", {}).get("mqcheck")
        self.config = config
        self.settings = settings
        self.ids = ids
        self.is_worker = told is not None
        self.workers = int(told["workers"]) if told else 1
        self.run = (
            machinery.from_input(told)
            if told
            else machinery.new_run(settings, config.rootpath, live=self._live() is not None)
        )
        self.selected: list[str] = []
        self.report: dict[str, Any] | None = None
        self.failures: dict[str, str] = {}
        self._feed: Feed | None = None
        self._kit: machinery.Kit | None = None
        self._known = NOTHING
        self._added_faults: tuple[str, ...] = ()
        self._session: KitSession | None = None
        self._finished: SimpleQueue[Outcome] = SimpleQueue()
        self._announced: set[str] = set()
        self._began = time.monotonic()

    @property
    def starts_nothing(self) -> bool:
        """True under ``--collect-only``."""
        return bool(self.config.option.collectonly)

    @property
    def is_controller(self) -> bool:
        """True in the process that hands items to xdist workers."""
        return self.config.pluginmanager.has_plugin("dsession")

    def at_once(self) -> int:
        """How many scenarios run at the same time, over all processes."""
        workers = self._xdist_workers() if self.is_controller else self.workers
        sharers, limit = machinery.sharing(self.settings, workers, self.kit().at_once)
        return sharers * limit

    def expected_seconds(self) -> dict[str, float]:
        """Estimates by scenario, of those selected; under xdist, where only workers know more, of those planned."""
        wanted = [one.scenario for one in self.planned()]
        return {one.name: float(one.seconds) for one in wanted if self.is_controller or one.name in self.selected}

    def kit(self) -> machinery.Kit:
        """Target, scenarios and guarantees, loaded when first wanted."""
        if self._kit is None:
            try:
                hook = self.config.hook
                found: dict[str, Any] = {}
                for more in hook.pytest_mqcheck_targets(config=self.config):
                    found.update(more)
                faults = [fault for more in hook.pytest_mqcheck_faults(config=self.config) for fault in more]
                self._added_faults = machinery.check_faults(faults)
                target = machinery.choose_target(
                    machinery.known_targets(found),
                    self.settings.target,
                    self.settings.rocketmq_home,
                    self.settings.allow,
                )
                kit = machinery.load(self.settings, self.run, target, self._open_feed())
                self._known = load_known(
                    self.settings.known,
                    self.settings.target,
                    kit.target_version,
                    kit.specs,
                    self.settings.baseline,
                )
                self._kit = kit
            except UserError as error:
                raise pytest.UsageError(str(error)) from error
        return self._kit

    def planned(self) -> tuple[Planned, ...]:
        """What the selection and the ids on the command line leave."""
        planned = self.kit().planned
        try:
            return keep_ids(planned, self.ids) if self.ids else planned
        except UserError as error:
            raise pytest.UsageError(str(error)) from error

    def pytest_report_header(self) -> list[str]:
        """Target, profile and seed, so that a run can be repeated from its output."""
        settings = self.settings
        wrong = {"sabotage": settings.sabotage, "odd": settings.odd}
        planted = "".join(f" {kind}={name}" for kind, name in wrong.items() if name)
        where = "" if self.starts_nothing else f" report={self.run.folder}"
        self.kit()
        added = [f"mqcheck: faults of plugins: {', '.join(self._added_faults)}"] if self._added_faults else []
        return [
            f"mqcheck: target={settings.target} profile={settings.profile} seed={self.run.seed}{planted}{where}",
            *added,
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Make the run's folder, once for all workers."""
        if self.is_worker or self.starts_nothing:
            return
        self.kit()
        try:
            machinery.prepare_folder(self.run, self.config.rootpath)
        except UserError as error:
            raise pytest.UsageError(str(error)) from error

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Put the suite beside what the session collects."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            planned = self.planned()
            suite = Suite.build(collector, planned, self.wait, strict=self.settings.strict, known=self._known)
            report.result = [*report.result, suite]
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember which scenarios are left after every deselection."""
        names = [item.pair.scenario for item in session.items if isinstance(item, VerdictItem)]
        self.selected = list(dict.fromkeys(names))

    def wait(self, pair: Pair, attempt: int) -> Outcome:
        """Called by an item: start what is this process's to run, wait for the item's scenario, print progress."""
        try:
            session = self._open_session()
            session.start([pair.scenario] if attempt else self._mine(pair.scenario), attempt)
            first = self._result(session, pair.scenario, attempt)
            again = repetitions(first, self._known, self.settings.retries)
            return together(first, [self._result(session, pair.scenario, number) for number in again])
        except UserError as error:
            if self.is_worker:
                raise VerdictError(f"harness error: {error}") from error
            pytest.exit(str(error), returncode=exits.USAGE)
        except HarnessError as error:
            raise VerdictError(f"harness error: {error}") from error

    def _result(self, session: KitSession, scenario: str, attempt: int) -> Outcome:
        while True:
            try:
                return session.result(scenario, attempt, POLL_SECONDS)
            except TimeoutError:
                continue
            finally:
                self._print_progress()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep why items failed; under xdist, tell of each scenario when its first item is done."""
        self._note_failure(report)
        name = scenario_of(report.nodeid)
        if name is not None and self.is_controller and name not in self._announced and report.when == "call":
            self._announced.add(name)
            outcome = read_outcome(self.run.folder / "history" / name)
            if outcome is not None:
                self._print_line(outcome)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """End the kit, write the reports, settle the exit status."""
        if self._session is not None:
            self._session.close()
        if self._feed is not None:
            self._feed.close()
        if self.is_worker or self.starts_nothing or not self.run.folder.is_dir():
            return
        if (self.run.folder / "history").is_dir():
            self._write_reports()
        session.exitstatus = exits.status(int(exitstatus), self.failures.values())

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The verdicts in a few lines."""
        if self.report is not None:
            from mqcheck.report.terminal import print_summary

            print_summary(terminalreporter, self.report, self.run.folder, selected=self._selected_pairs())

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist: tell a worker which run it belongs to."""
        node.workerinput["mqcheck"] = machinery.as_input(self.run, len(node.nodemanager.specs))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config) -> ScenarioScheduling:
        """xdist: items of a scenario stay together."""
        seconds = {one.scenario.name: float(one.scenario.seconds) for one in self.kit().planned}
        workers = self._xdist_workers()
        sharers, _ = machinery.sharing(self.settings, workers, self.kit().at_once)
        return ScenarioScheduling(config, workers, sharers, seconds, self._assign)

    def _xdist_workers(self) -> int:
        from xdist.workermanage import parse_tx_spec_config  # type: ignore[import-untyped]

        return len(parse_tx_spec_config(self.config))

    def _assign(self, worker: str, scenarios: Sequence[str]) -> None:
        path = self.run.folder / "assigned" / f"{worker}.json"
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps([*before, *scenarios]), encoding="utf-8")
        temporary.replace(path)

    def _mine(self, scenario: str) -> list[str]:
        if not self.is_worker:
            return list(dict.fromkeys([scenario, *self.selected]))
        worker = self.config.workerinput["workerid"]  # type: ignore[attr-defined]
        path = self.run.folder / "assigned" / f"{worker}.json"
        assigned = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        return [scenario, *(name for name in assigned if name in self.selected and name != scenario)]

    def _open_session(self) -> KitSession:
        if self._session is None:
            scenarios = {one.scenario.name: one.scenario for one in self.kit().planned}
            self._session = KitSession(
                self.kit().machinery,
                scenarios,
                self.run.folder,
                limit=machinery.sharing(self.settings, self.workers, self.kit().at_once)[1],
                on_finished=self._scenario_finished,
            )
        return self._session

    def _scenario_finished(self, outcome: Outcome) -> None:
        """Called in the kit's thread: what violates something in a way that is news is run again, after the others."""
        self._finished.put(outcome)
        if self._feed is not None:
            self._feed.judged(outcome)
        if self._session is not None:
            for number in repetitions(outcome, self._known, self.settings.retries):
                self._session.start([outcome.scenario], number)

    def _live(self) -> Any:
        """What shows the run as it happens, in the process that prints; None where nobody does."""
        return self.config.pluginmanager.getplugin(LIVE)

    def _open_feed(self) -> Feed | None:
        if not self.run.live or self.starts_nothing:
            return None
        from mqcheck.live.feed import Feed

        process = self.config.workerinput["workerid"] if self.is_worker else "main"  # type: ignore[attr-defined]
        self._feed = Feed(self.run.folder, process)
        return self._feed

    def _note_failure(self, report: pytest.TestReport) -> None:
        verdict = dict(report.user_properties).get("verdict")
        if scenario_of(report.nodeid) is None:
            if report.failed:
                self.failures[report.nodeid] = exits.OTHER_FAILURE
        elif report.failed:
            # What held and fails nevertheless is a known violation that no longer shows.
            told = exits.OTHER_FAILURE if verdict == "held" else verdict
            usual = told in (exits.HARNESS, exits.OTHER_FAILURE, "violated", "inconclusive")
            self.failures.setdefault(report.nodeid, str(told) if usual else exits.HARNESS)
        elif str(report.outcome) == "rerun" and verdict == "violated":
            self.failures[report.nodeid] = "violated"

    def _selected_pairs(self) -> set[tuple[str, str]]:
        return {(pair.scenario, pair.guarantee) for one in self.planned() for pair in one.pairs}

    def _write_reports(self) -> None:
        from mqcheck.report import write_reports

        sections = [
            section
            for found in self.config.hook.pytest_mqcheck_report_sections(config=self.config, folder=self.run.folder)
            for section in found
        ]
        seconds = round(time.monotonic() - self._began, 3)
        try:
            self.report = write_reports(
                self.run.folder,
                self.kit().specs,
                run={**self.told_at_start(), "seconds": seconds},
                sections=sections,
                known=self._known,
            )
        except Exception as error:  # the verdicts must reach the terminal and the exit status all the same
            self.failures["report"] = exits.HARNESS
            self._write(f"mqcheck: the report could not be written: {error}")

    def told_at_start(self) -> dict[str, Any]:
        """What is known of the run from its beginning: report.json's key ``run`` has it too."""
        return {
            "id": self.run.id,
            "seed": self.run.seed,
            "target": self.settings.target,
            "target_version": self.kit().target_version,
            "profile": self.settings.profile,
            "sabotage": self.settings.sabotage,
            "odd": self.settings.odd,
            "started": self.run.started,
        }

    def _print_progress(self) -> None:
        while True:
            try:
                outcome = self._finished.get_nowait()
            except Empty:
                return
            if not self.is_worker:
                self._print_line(outcome)

    def _print_line(self, outcome: Outcome) -> None:
        from mqcheck.report.terminal import progress_line

        live = self._live()
        if self.config.get_verbosity() >= 0 and not (live is not None and live.shows):
            self._write(progress_line(outcome))

    def _write(self, text: str) -> None:
        reporter: Any = self.config.pluginmanager.getplugin("terminalreporter")
        capture: Any = self.config.pluginmanager.getplugin("capturemanager")
        if reporter is None:
            return
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            reporter.ensure_newline()
            if reporter._tw.width_of_current_line:  # xdist's dots, of which the reporter itself does not know
                reporter.write("\n")
            reporter.write_line(text)
