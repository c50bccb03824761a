"""The end of an experiment: its history is judged, its numbers are computed, and the journal says what came out.

Chaos Toolkit's own words for it are kept, and made true: a failed activity or rollback fails the experiment, a broken
promise is a deviation. Everything of ours is under the journal's key `mqcheck`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from mqcheck import exits
from mqcheck.chaos.current import Current
from mqcheck.chaos.numbers import numbers_of
from mqcheck.chaos.steady import broken_times, evaluations, why_failed
from mqcheck.chaos.told import markdown, section
from mqcheck.errors import MqcheckError
from mqcheck.judge.verdicts import INCONCLUSIVE, NOT_APPLICABLE, VIOLATED
from mqcheck.known import load_known
from mqcheck.report import write_reports
from mqcheck.report.json_ import dump
from mqcheck.report.outcomes import Outcome, planned_trouble, undecided, write_outcome
from mqcheck.report.summary import failures_of, read_plan

KEY: Final = "mqcheck"
"""Ours in the journal."""
FORMAT: Final = 1
"""Of what is under it."""


def conclude(here: Current, journal: MutableMapping[str, Any]) -> None:
    """Finish the run, judge it, and write into the journal and the run's folder what came out.

    Raises MqcheckError when the history cannot be judged. Called by the control, after the rollbacks.
    """
    here.finish()
    trouble = planned_trouble(here.stand.folder)
    verdicts, order = here.verdicts(), here.order
    if trouble is not None:
        verdicts = undecided(verdicts, order.name, order.aims, trouble)
    seconds = float(read_plan(here.stand.folder).get("seconds") or 0)
    write_outcome(Outcome(order.name, 0, here.stand.folder, seconds, tuple(verdicts), trouble))
    numbers = numbers_of(here.stand.folder)
    own = _own(here, journal) | {"harness_error": trouble, "numbers": numbers}
    known = load_known(None, order.target.name, here.order.target.version, here.specs)
    run = {"id": here.run.id, "seed": order.seed, "started": here.run.started}
    sections = [section(numbers)]
    report = write_reports(here.run.folder, here.specs, run=run, sections=sections, known=known)
    own["guarantees"] = [
        {key: verdict[key] for key in ("guarantee", "verdict", "aimed", "reason", "evidence_total")}
        for verdict in report["verdicts"]
        if verdict["aimed"] or (verdict["verdict"] == VIOLATED and "known" not in verdict)
    ]
    own["failures"] = failures_of(report)
    journal[KEY] = own
    settle(journal, throughout=order.wishes.steady_state == "throughout")
    _keep(here.run.folder, journal)


def abandoned(here: Current, journal: MutableMapping[str, Any], why: str) -> None:
    """What the journal of an experiment says that was broken off, or whose history could not be judged."""
    journal[KEY] = _own(here, journal) | {"harness_error": why, "guarantees": [], "failures": [], "numbers": None}
    if journal["status"] == "completed":
        journal["status"] = "failed"
    _keep(here.run.folder, journal)


def settle(journal: MutableMapping[str, Any], *, throughout: bool) -> None:
    """Status and deviation as they are: Chaos Toolkit calls a run completed whose rollbacks have failed."""
    own = journal[KEY]
    if VIOLATED in own["failures"] or exits.OTHER_FAILURE in own["failures"]:
        journal["deviated"] = True
    if throughout and own["steady_state"]["broken"]:
        journal["deviated"] = True
    if journal["status"] == "completed" and (own["failed"] or exits.HARNESS in own["failures"]):
        journal["status"] = "failed"


def failed_activities(journal: Mapping[str, Any]) -> Iterator[str]:
    """What failed, in words: activities, rollbacks, and a steady state that was not met before the method."""
    for part, word in (("run", "activity"), ("rollbacks", "rollback")):
        for run in journal.get(part) or ():
            if run.get("status") == "failed":
                yield f"{word} {run['activity'].get('name')!r}: {why_failed(run) or 'failed'}"
    before = (journal.get("steady_states") or {}).get("before")
    if before and not before.get("steady_state_met"):
        yield "the steady state was not met before the method, which was not run"


def status(journal: Mapping[str, Any]) -> int:
    """The exit status of an experiment by its journal, in the numbers of `exits`."""
    own = journal.get(KEY) or {}
    if journal["status"] == "interrupted":
        return exits.INTERRUPTED
    failures: Sequence[str] = own.get("failures") or ()
    if own.get("fell") and VIOLATED not in failures:
        return exits.HARNESS_ERROR  # every activity after it failed, and the steady state was not met, for that reason
    if journal.get("deviated") or own.get("failed"):
        return exits.VIOLATED
    if own.get("harness_error") or exits.HARNESS in failures:
        return exits.HARNESS_ERROR
    if journal["status"] != "completed":
        return exits.VIOLATED
    return exits.INCONCLUSIVE if INCONCLUSIVE in failures else exits.HELD


def untested(journal: Mapping[str, Any]) -> list[str]:
    """Guarantees that the experiment aims at and that this target cannot show."""
    found = (journal.get(KEY) or {}).get("guarantees") or ()
    return [each["guarantee"] for each in found if each["verdict"] == NOT_APPLICABLE]


def _own(here: Current, journal: Mapping[str, Any]) -> dict[str, Any]:
    order = here.order
    return {
        "format": FORMAT,
        "run": here.run.id,
        "folder": str(here.run.folder),
        "history": str(here.stand.folder),
        "target": order.target.name,
        "target_version": here.order.target.version,
        "profile": order.profile.name,
        "seed": order.seed,
        "replay": here.stand.replay,
        "fell": bool(here.stand.fell),
        "failed": list(failed_activities(journal)),
        "steady_state": {
            "wanted": order.wishes.steady_state,
            "asked": sum(1 for _ in evaluations(journal)),
            "broken": [asdict(each) for each in broken_times(journal)],
        },
    }


def _keep(folder: Path, journal: Mapping[str, Any]) -> None:
    """numbers.json and experiment.md; the journal itself is written by whoever runs the experiment."""
    numbers = journal[KEY]["numbers"]
    if numbers is not None:
        (folder / "numbers.json").write_text(dump(numbers), encoding="utf-8")
    (folder / "experiment.md").write_text(markdown(journal), encoding="utf-8")


def reason_of(error: BaseException) -> str:
    """An error as one line of a journal."""
    return str(error) if isinstance(error, MqcheckError) else f"{type(error).__name__}: {error}"
