"""Runs the suite on several targets, one after the other, and puts their reports side by side.

Each target is a ``pytest --mqcheck`` process of its own: whatever ends it leaves the others. The page itself is made
in ``report.matrix``.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from mqcheck import exits, machinery
from mqcheck.errors import HistoryError, MqcheckError, SettingsError
from mqcheck.guard import Guard
from mqcheck.known import load_known
from mqcheck.report import write_reports
from mqcheck.report.matrix import Column, make_matrix, read_report
from mqcheck.report.matrix_page import OWN_FILES, headline, write_matrix
from mqcheck.report.outcomes import VERDICTS_FILE
from mqcheck.report.summary import read_plan, relative
from mqcheck.specs import Specs, load_specs

LINE: Final = "mqcheck: "
"""How the lines of a run begin that tell of its progress."""
POLL_SECONDS: Final = 0.2
"""How often a silent run is looked at, for the line that says what it is doing."""
END_SECONDS_MAX: Final = 90.0
"""How long an interrupted run may take to heal, take down and write its report; then it is killed. Ours."""
WHOLE: Final = (exits.HELD, exits.VIOLATED, exits.INCONCLUSIVE, exits.HARNESS_ERROR)
"""Statuses of a run that came to its end."""
TAIL_LINES: Final = 15
"""Of a failed run's output, repeated where the user looks. Ours."""


@dataclass(frozen=True, slots=True)
class Show:
    """Where progress goes."""

    line: Callable[[str], None]
    """One more line that stays."""
    status: Callable[[str], None]
    """What is going on now; replaced by the next, and shown on a terminal only."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """What a command needs to end with."""

    status: int
    page: Path
    headline: str

    def told(self) -> str:
        """The last lines of the command."""
        return f"{self.headline}\nmatrix: {relative(self.page)}"


def make(
    targets: Sequence[str], finished: Sequence[Path], folder: Path, options: Mapping[str, Any], plugin: Sequence[str]
) -> Matrix:
    """What the command does: from finished runs where there are any, else from runs of its own.

    ``options`` are settings that hold for all runs, and pytest's own by their spelling; a seed that is None is drawn.
    Raises UserError.
    """
    specs = load_specs(options["specs"] or ())
    if finished:
        return from_folders([*finished, *map(Path, targets)], folder, specs)
    if not targets:
        raise SettingsError("a matrix of nothing: name targets to run, or finished runs with --from DIR")
    machinery.require_kit()
    seed = options["seed"] if options["seed"] is not None else machinery.draw_seed()
    with terminal() as show:
        return run_matrix(
            targets, folder, pytest_words({**options, "seed": seed}, plugin), specs, show, options["known"]
        )


def run_matrix(
    targets: Sequence[str],
    folder: Path,
    command: Callable[[str, Path], Sequence[str]],
    specs: Specs,
    show: Show,
    known: str | None = None,
) -> Matrix:
    """Run the suite on each target and write the matrix into ``folder``.

    ``command`` gives the words that run one target into a folder. Ctrl-C ends the run that is on, leaves the others
    out, and writes what there is. Raises SettingsError for a folder that holds something else.
    """
    folders = run_folders(targets)
    prepare(folder, folders)
    columns: list[Column] = []
    with contextlib.closing(Guard()) as guard, _Interrupts() as interrupts:
        for target, name in zip(targets, folders, strict=True):
            if interrupts.count:
                columns.append(Column(target, folder / name, None, trouble="not run: interrupted before its turn"))
                continue
            child = _Child(target, folder / name, folder / f"{name}.log", known, show, interrupts)
            columns.append(child.run(command(target, folder / name), guard, specs))
        return finish(columns, folder, specs, interrupted=bool(interrupts.count))


def from_folders(folders: Sequence[Path], folder: Path, specs: Specs) -> Matrix:
    """Write the matrix of runs that were made earlier. Raises HistoryError for a folder without a report."""
    columns = []
    for each in folders:
        try:
            report = read_report(each)
        except ValueError as error:
            raise HistoryError(f"{each / 'report.json'} cannot be used: {error}; run that target again") from error
        if report is None:
            raise HistoryError(
                f"{each} holds no report.json: name the folder of a finished run, as given to --report of `mqcheck run`"
            )
        columns.append(Column(report["run"]["target"], each, report))
    prepare(folder, ())
    return finish(columns, folder, specs, interrupted=False)


def finish(columns: Sequence[Column], folder: Path, specs: Specs, *, interrupted: bool) -> Matrix:
    """Write the three files and settle the exit status."""
    from mqcheck.report.matrix import status

    made = datetime.now(UTC).isoformat(timespec="seconds")
    matrix = make_matrix(columns, specs, _aims(), folder, made)
    write_matrix(matrix, folder)
    return Matrix(status(columns, interrupted=interrupted), folder / OWN_FILES[0], headline(matrix))


def run_folders(targets: Sequence[str]) -> list[str]:
    """A folder's name for each target: ``apache:5.4.0`` goes to ``apache-5.4.0``. Raises SettingsError for doubles."""
    names: list[str] = []
    for target in targets:
        kind, _, rest = target.partition(":")
        stem = Path(rest).stem if kind == "exec" else rest
        name = re.sub(r"[^\w.-]+", "-", f"{kind}-{stem}" if stem else kind).strip("-.")
        if name in names:
            raise SettingsError(
                f"target {target!r} would share the folder {name!r} with another: name each target once, and put runs "
                "of one target side by side with --from"
            )
        names.append(name)
    return names


def prepare(folder: Path, names: Sequence[str]) -> None:
    """Makes the folder and clears an earlier matrix of these targets out of it.

    Raises SettingsError when it holds anything else, or cannot be used.
    """
    own = {*OWN_FILES, *names, *(f"{name}.log" for name in names)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = [path for path in folder.iterdir() if path.name not in own] if names else []
        runs = [folder / name for name in names if (folder / name).is_dir()]
        strange += [path for run in runs for path in run.iterdir() if path.name not in machinery.OWN_NAMES]
        if strange:
            raise SettingsError(
                f"--report {folder} holds {str(sorted(strange)[0].relative_to(folder))!r}, which no matrix of these "
                "targets made: name an empty folder"
            )
        for run in runs:
            shutil.rmtree(run)
        if folder.parent.name == ".mqcheck":
            (folder.parent / ".gitignore").write_text("*\n", encoding="utf-8")
        for name in OWN_FILES:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"--report {folder} cannot be used ({error.strerror or error}): name another") from error


class _Interrupts:
    """Counts Ctrl-C while it is entered, instead of breaking off whatever is being done at that moment."""

    def __init__(self) -> None:
        self.count = 0
        self._before: Any = None

    def __enter__(self) -> _Interrupts:
        self._before = signal.signal(signal.SIGINT, self._noted)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _noted(self, *_: object) -> None:
        self.count += 1


class _Child:
    """One target's run: a process in a group of its own, which Ctrl-C reaches through us alone."""

    def __init__(
        self, target: str, folder: Path, log: Path, known: str | None, show: Show, interrupts: _Interrupts
    ) -> None:
        self._known = known
        self._target = target
        self._folder = folder
        self._log = log
        self._show = show
        self._interrupts = interrupts
        self._began = time.monotonic()
        self._tail: list[str] = []

    def run(self, words: Sequence[str], guard: Guard, specs: Specs) -> Column:
        """Run to the end, whatever end that is."""
        self._show.line(f"{self._target}: {shlex.join(words[2:])}")
        with self._log.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**guard.environment(), "PYTHONUNBUFFERED": "1"},
            )
            guard.process(process.pid)
            try:
                self._follow(process, log)
            finally:
                _end(process)
                guard.forget(process.pid)
        return self._column(process.returncode, specs)

    def _follow(self, process: subprocess.Popen[bytes], log: IO[str]) -> None:
        """Print its progress until it ends. Ctrl-C is handed on; a second one, or dawdling over it, kills it."""
        lines = _Lines(process)
        handed_on = 0
        deadline = math.inf
        while (line := lines.take()) is not None:
            if self._interrupts.count > handed_on:
                handed_on = self._interrupts.count
                if handed_on == 1:
                    deadline = time.monotonic() + END_SECONDS_MAX
                    process.send_signal(signal.SIGINT)
                    self._say("interrupted: it heals, takes down and reports what it has; Ctrl-C again kills it")
            if handed_on > 1 or time.monotonic() > deadline:
                _kill(process)
            self._heard(line, log)

    def _heard(self, line: str, log: IO[str]) -> None:
        """A line of its output; an empty one: it was silent for a moment."""
        if not line:
            self._show.status(self._now())
            return
        log.write(line)
        self._tail = [*self._tail[1 - TAIL_LINES :], line.rstrip()]
        if line.startswith(LINE) and not line.startswith(f"{LINE}target="):
            self._say(line.removeprefix(LINE).rstrip())

    def _say(self, text: str) -> None:
        self._show.line(f"{self._target} {self._seconds():5.0f} s  {text}")

    def _now(self) -> str:
        """Which scenarios have begun and are not judged yet."""
        history = self._folder / "history"
        running = sorted(path.name for path in history.glob("*") if not (path / VERDICTS_FILE).exists())
        done = sum(1 for _ in history.glob(f"*/{VERDICTS_FILE}"))
        return f"{self._target} {self._seconds():.0f} s: {done} done, running {', '.join(running) or 'nothing yet'}"

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _column(self, status: int, specs: Specs) -> Column:
        trouble, report = "", None
        try:
            report = read_report(self._folder)
            if report is None and any((self._folder / "history").glob(f"*/{VERDICTS_FILE}")):
                # The run was ended before its report: what it had judged counts.
                report = self._made_up_for(specs)
        except (ValueError, OSError, MqcheckError) as error:
            trouble = f"its report cannot be used: {error}"
        if self._interrupts.count:
            trouble = "interrupted: not every scenario was run"
        elif status not in WHOLE:
            trouble = f"ended with {_told(status)}: {self._last_words()}"
        elif report is None and not trouble:
            trouble = f"left no report: {self._last_words()}"
        if trouble:
            self._say(trouble)
        return Column(self._target, self._folder, report, round(self._seconds(), 3), status, trouble, self._log)

    def _made_up_for(self, specs: Specs) -> dict[str, Any]:
        """The report that the run did not live to write."""
        first = read_plan(next((self._folder / "history").glob(f"*/{VERDICTS_FILE}")).parent)
        known = load_known(self._known, self._target, first.get("target_version", ""), specs)
        return write_reports(self._folder, specs, run={"target": self._target}, known=known)

    def _last_words(self) -> str:
        """The line that says most: pytest's own error, or the last."""
        lines = [line for line in self._tail if line]
        return next((line for line in lines if line.startswith("ERROR: ")), lines[-1] if lines else "it said nothing")


class _Lines:
    """The output of a process, read by a thread, so that waiting for it has an end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="mqcheck-matrix", daemon=True).start()

    def take(self) -> str | None:
        """The next line; empty when it was silent for a moment; None at its end.

        A process that has ended has said everything, even where somebody whom it left behind holds its output open.
        """
        ended = self._process.poll() is not None
        try:
            return self._lines.get(timeout=POLL_SECONDS)
        except queue.Empty:
            return None if ended else ""

    def _read(self) -> None:
        if self._process.stdout is not None:
            with self._process.stdout as stdout:
                for line in stdout:
                    self._lines.put(line.decode("utf-8", "replace"))
        self._lines.put(None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for it; whatever does not end is killed."""
    try:
        process.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        _kill(process)
        process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it and its group; its own guard cleans up after it."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _told(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-status).name}"
    return f"status {status}"


def _aims() -> Mapping[str, Sequence[str]]:
    """Which scenarios aim at a guarantee, by its id."""
    from mqcheck.scenarios.base import all_scenarios

    found: dict[str, list[str]] = {}
    for scenario in all_scenarios().values():
        for guarantee in scenario.aims:
            found.setdefault(guarantee, []).append(scenario.name)
    return found


def pytest_words(options: Mapping[str, Any], plugin: Sequence[str]) -> Callable[[str, Path], list[str]]:
    """The command of one target: ``pytest --mqcheck`` with the options that hold for all; lists are repeated."""

    def words(target: str, folder: Path) -> list[str]:
        told = [sys.executable, "-m", "pytest", "--mqcheck", *plugin]
        for name, value in {"target": target, "report": folder, **options}.items():
            option = name if name.startswith("-") else f"--mqcheck-{name.replace('_', '-')}"
            for one in value if isinstance(value, (list, tuple)) else [value]:
                if one is True:
                    told.append(option)
                elif one is not None and one is not False:
                    told += [option, str(one)] if name.startswith("-") else [f"{option}={one}"]
        return told

    return words


@contextlib.contextmanager
def terminal() -> Iterator[Show]:
    """Progress on standard output: lines, and on a terminal below them what is going on."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    with console.status("starting") as status:
        yield Show(console.print, status.update)
