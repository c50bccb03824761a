"""Proves that the kit notices: the reference with each planted bug, and with each legal oddity.

A bug is tried in the scenarios that aim at the guarantee it breaks, the shortest first, until that guarantee is
violated. An oddity is tried in one run of every scenario that aims at a guarantee that must not flag it. Each run is a
``pytest --mqcheck`` process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mqcheck import exits, machinery
from mqcheck.errors import SettingsError
from mqcheck.guard import Guard
from mqcheck.judge.verdicts import VIOLATED
from mqcheck.matrix import END_SECONDS_MAX, WHOLE, Show, pytest_words, terminal
from mqcheck.report.matrix import read_report
from mqcheck.report.summary import relative
from mqcheck.scenarios.base import Scenario, all_scenarios
from mqcheck.specs import Specs, load_specs

FORMAT: Final = 1
"""Of selftest.json."""
JSON_FILE: Final = "selftest.json"
PAGE_FILE: Final = "selftest.md"
CAUGHT: Final = "caught"
MISSED: Final = "missed"
QUIET: Final = "not flagged"
FLAGGED: Final = "flagged"
UNKNOWN: Final = "unknown"
RIGHT: Final = (CAUGHT, QUIET)
"""Outcomes of a kit that can be trusted."""
PROMISES: Final = ("MUST", "SHOULD")
"""Levels of guarantees for each of which a bug is wanted."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A planted bug or a legal oddity, and where it is tried."""

    name: str
    guarantee: str
    """What the bug breaks; empty: an oddity, which breaks nothing."""
    runs: tuple[tuple[str, ...], ...]
    """Scenarios of each run, in the order in which they are tried."""

    @property
    def kind(self) -> str:
        """The setting that plants it."""
        return "sabotage" if self.guarantee else "odd"


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a trial."""

    name: str
    guarantee: str
    outcome: str
    scenario: str
    """Where it was caught or flagged, or tried last."""
    seconds: float
    """All its runs together."""
    violated: tuple[str, ...]
    """Every guarantee that was violated in its last run."""
    trouble: str = ""
    """Why the outcome is unknown."""


Command = Callable[[Trial, Sequence[str], Path], Sequence[str]]
"""The words that run a trial's scenarios into a folder."""


@dataclass(frozen=True, slots=True)
class Selftest:
    """What a command needs to end with."""

    status: int
    page: Path
    score: str


def make(folder: Path, select: Sequence[str], at_once: int | None, options: Mapping[str, Any]) -> Selftest:
    """What the command does. ``options``: settings of all runs, and the plugin's arguments. Raises UserError."""
    machinery.require_kit()
    specs = load_specs(())
    every = all_trials(specs, all_scenarios())
    trials = selected(every, select)
    prepare(folder, [trial.name for trial in every])
    with terminal() as show:
        findings, interrupted = run_trials(trials, folder, command_of(options), show, at_once or os.cpu_count() or 1)
    content = content_of(findings, unplanted(specs), datetime.now(UTC).isoformat(timespec="seconds"))
    (folder / JSON_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (folder / PAGE_FILE).write_text(page_of(content), encoding="utf-8")
    return Selftest(status_of(findings, interrupted=interrupted), folder / PAGE_FILE, content["score"])


def all_trials(specs: Specs, scenarios: Mapping[str, Scenario]) -> list[Trial]:
    """Every planted bug and every oddity that a guarantee names."""
    by_seconds = sorted(scenarios.values(), key=lambda scenario: (scenario.seconds, scenario.name))
    bugs = [
        Trial(name, guarantee.id, tuple((each.name,) for each in by_seconds if guarantee.id in each.aims))
        for guarantee in specs
        for name in guarantee.sabotage
    ]
    odd = {name: {each.id for each in specs if name in each.legal_odd} for each in specs for name in each.legal_odd}
    return bugs + [
        Trial(name, "", (tuple(each.name for each in by_seconds if near.intersection(each.aims)),))
        for name, near in sorted(odd.items())
    ]


def selected(trials: Sequence[Trial], globs: Sequence[str]) -> list[Trial]:
    """Those whose bug, oddity or guarantee a glob names; all where there is none. Raises SettingsError."""

    def meant(glob: str, trial: Trial) -> bool:
        return any(fnmatch.fnmatchcase(name, glob) for name in (trial.name, trial.guarantee))

    for glob in globs:
        if not any(meant(glob, trial) for trial in trials):
            names = ", ".join(sorted(trial.name for trial in trials))
            raise SettingsError(f"--select {glob!r} names no planted bug, oddity or guarantee; there are {names}")
    return [trial for trial in trials if not globs or any(meant(glob, trial) for glob in globs)]


def unplanted(specs: Specs) -> list[str]:
    """Promises for which no bug is planted, but those about features that the reference does not have."""
    return [each.id for each in specs if each.level in PROMISES and not each.sabotage and not each.features]


def command_of(options: Mapping[str, Any]) -> Command:
    """``pytest --mqcheck`` on the reference, with a trial's scenarios and its bug."""
    settings = {name: value for name, value in options.items() if name != "plugin"} | {"retries": 0}

    def command(trial: Trial, scenarios: Sequence[str], folder: Path) -> Sequence[str]:
        words = pytest_words({**settings, "select": list(scenarios), trial.kind: trial.name}, options["plugin"])
        return words("reference", folder)

    return command


def prepare(folder: Path, names: Sequence[str]) -> None:
    """Makes the folder and clears earlier trials of these names out of it.

    Raises SettingsError when it holds anything else.
    """
    own = {JSON_FILE, PAGE_FILE, *names}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = sorted(path.name for path in folder.iterdir() if path.name not in own)
        if strange:
            raise SettingsError(
                f"--report {folder} holds {strange[0]!r}, which is no self-test's: name an empty folder"
            )
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if folder.parent.name == ".mqcheck":
            (folder.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--report {folder} cannot be used ({error.strerror or error}): name another") from error


def run_trials(
    trials: Sequence[Trial], folder: Path, command: Command, show: Show, at_once: int
) -> tuple[list[Finding], bool]:
    """Try all, so many at a time; the findings in order, and whether Ctrl-C ended it. What was not tried is unknown."""
    found: dict[str, Finding] = {}
    for trial in trials:
        (folder / trial.name).mkdir()

    async def whole() -> None:
        with contextlib.closing(Guard()) as guard:
            turns = asyncio.Semaphore(at_once)

            async def one(trial: Trial) -> None:
                async with turns:
                    found[trial.name] = finding = await _try(trial, folder / trial.name, command, guard)
                    show.line(told(finding))
                    show.status(f"{len(found)} of {len(trials)} tried")

            async with asyncio.TaskGroup() as group:
                for trial in trials:
                    group.create_task(one(trial))

    interrupted = False
    try:
        asyncio.run(whole())
    except KeyboardInterrupt:
        interrupted = True
    rest = {
        trial.name: Finding(trial.name, trial.guarantee, UNKNOWN, "", 0.0, (), "interrupted before its end")
        for trial in trials
    }
    return list({**rest, **found}.values()), interrupted


async def _try(trial: Trial, folder: Path, command: Command, guard: Guard) -> Finding:
    """Run it until it is caught, or everywhere."""
    began = time.monotonic()
    finding = Finding(trial.name, trial.guarantee, UNKNOWN, "", 0.0, (), "no scenario aims at what it breaks")
    for scenarios in trial.runs:
        name = scenarios[0] if trial.guarantee else "all"
        words = command(trial, scenarios, folder / name)
        status = await _run(words, folder / f"{name}.log", guard)
        finding = judged(trial, name, status, folder / name, round(time.monotonic() - began, 3))
        if finding.outcome != MISSED:
            break
    return finding


def judged(trial: Trial, name: str, status: int, folder: Path, seconds: float) -> Finding:
    """What one run of a trial has shown."""
    try:
        report, trouble = read_report(folder), ""
    except (ValueError, OSError) as error:
        report, trouble = None, f"its report cannot be used: {error}"
    if status not in WHOLE or report is None:
        trouble = trouble or f"the run ended with status {status}: see {relative(folder.with_suffix('.log'))}"
        return Finding(trial.name, trial.guarantee, UNKNOWN, name, seconds, (), trouble)
    bad = [each for each in report["verdicts"] if each["verdict"] == VIOLATED]
    violated = tuple(sorted({each["guarantee"] for each in bad}))
    if trial.guarantee:
        outcome = CAUGHT if trial.guarantee in violated else MISSED
    else:
        outcome = FLAGGED if violated else QUIET
        name = bad[0]["scenario"] if bad else name
    if outcome in (MISSED, QUIET) and status == exits.HARNESS_ERROR:
        return Finding(trial.name, trial.guarantee, UNKNOWN, name, seconds, violated, "the kit itself failed")
    if outcome == QUIET and status != exits.HELD:
        return Finding(trial.name, trial.guarantee, UNKNOWN, name, seconds, violated, "something was undecided")
    return Finding(trial.name, trial.guarantee, outcome, name, seconds, violated)


async def _run(words: Sequence[str], log: Path, guard: Guard) -> int:
    """One process to its end. Cancelled, it is interrupted and may clean up; what dawdles over that is killed."""
    with log.open("w", encoding="utf-8") as output:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env={**guard.environment(), "PYTHONUNBUFFERED": "1"},
        )
        guard.process(process.pid)
        try:
            return await process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), END_SECONDS_MAX)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            raise
        finally:
            guard.forget(process.pid)


def told(finding: Finding) -> str:
    """One line of progress."""
    by = f" by {finding.guarantee}" if finding.outcome == CAUGHT else ""
    others = [each for each in finding.violated if each != finding.guarantee]
    more = f"; violated too: {', '.join(others)}" if others and finding.guarantee else ""
    more = f": {', '.join(finding.violated)}" if finding.outcome == FLAGGED else more
    where = f" in {finding.scenario}" if finding.scenario else ""
    return f"{finding.name}: {finding.outcome}{by}{where} ({finding.seconds:.0f} s){more}{_reason(finding)}"


def _reason(finding: Finding) -> str:
    return f": {finding.trouble}" if finding.trouble else ""


def status_of(findings: Sequence[Finding], *, interrupted: bool) -> int:
    """The exit status: what is wrong with the kit first, then what could not be seen."""
    outcomes = {finding.outcome for finding in findings}
    if outcomes & {MISSED, FLAGGED}:
        return exits.VIOLATED
    if interrupted:
        return exits.INTERRUPTED
    return exits.HARNESS_ERROR if UNKNOWN in outcomes else exits.HELD


def content_of(findings: Sequence[Finding], without: Sequence[str], made: str) -> dict[str, Any]:
    """The whole of selftest.json."""
    bugs = [finding for finding in findings if finding.guarantee]
    odd = [finding for finding in findings if not finding.guarantee]
    caught, quiet = (sum(each.outcome in RIGHT for each in part) for part in (bugs, odd))
    parts = [f"{caught} of {len(bugs)} planted bugs caught"] if bugs else []
    parts += [f"{quiet} of {len(odd)} legal oddities not flagged"] if odd else []
    unknown = sum(finding.outcome == UNKNOWN for finding in findings)
    score = ", ".join([*parts, f"{unknown} unknown"] if unknown else parts)
    rows = [{**asdict(finding), "violated": list(finding.violated)} for finding in findings]
    return {"format": FORMAT, "made": made, "score": score, "findings": rows, "without_bug": list(without)}


def page_of(content: Mapping[str, Any]) -> str:
    """selftest.md: the detection table and the score."""
    bugs = [row for row in content["findings"] if row["guarantee"]]
    odd = [row for row in content["findings"] if not row["guarantee"]]
    lines = [
        "# What the kit notices",
        "",
        f"**{content['score']}.** Made by `mqcheck selftest`, which plants each bug in the reference or in the kit's "
        "own clients, runs scenarios that aim at what it breaks, the shortest first, and wants that guarantee "
        "violated; an oddity must violate "
        "nothing.",
        "",
        "| planted bug | breaks | outcome | scenario | seconds | violated too |",
        "| --- | --- | --- | --- | ---: | --- |",
    ]
    for row in bugs:
        others = ", ".join(f"`{name}`" for name in row["violated"] if name != row["guarantee"])
        lines.append(
            f"| `{row['name']}` | `{row['guarantee']}` | {_outcome(row)} | {row['scenario']} | {row['seconds']:.0f} "
            f"| {others} |"
        )
    lines += ["", "| legal oddity | outcome | seconds |", "| --- | --- | ---: |"] if odd else []
    lines += [f"| `{row['name']}` | {_outcome(row)} | {row['seconds']:.0f} |" for row in odd]
    if content["without_bug"]:
        names = ", ".join(f"`{name}`" for name in content["without_bug"])
        lines += ["", f"No bug is planted for {names}."]
    return "\n".join([*lines, ""])


def _outcome(row: Mapping[str, Any]) -> str:
    more = row["trouble"] or (", ".join(row["violated"]) if row["outcome"] == FLAGGED else "")
    return f"{row['outcome']}: {more}" if more else str(row["outcome"])
