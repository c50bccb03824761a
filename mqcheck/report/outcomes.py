"""What a run concluded about each history, kept beside it as ``verdicts.json``.

Written by the session that ran the scenario (any xdist worker), read by whoever makes the report.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mqcheck.judge.verdicts import HARNESS_ERROR, INCONCLUSIVE, Verdict

RERUN_MARK: Final = ".rerun-"
"""Between a scenario's name and the number of the repetition, in the name of a history folder."""
VERDICTS_FILE: Final = "verdicts.json"
"""Beside plan.json: what this run concluded about the history."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario, run and judged."""

    scenario: str
    attempt: int
    """0, or how many times it was run before."""
    folder: Path
    seconds: float
    verdicts: tuple[Verdict, ...]
    harness_error: str | None
    """Why there are no or only inconclusive verdicts; None when the kit did its work."""

    def of(self, guarantee: str) -> Verdict | None:
        """The verdict on one guarantee; None when it was not judged."""
        return next((verdict for verdict in self.verdicts if verdict.guarantee == guarantee), None)


def planned_trouble(folder: Path) -> str | None:
    """The harness error that the runner wrote into plan.json, if any; also when there is no readable plan."""
    try:
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"no plan: {error}"
    trouble = plan.get("harness_error")
    return None if trouble is None else str(trouble)


def undecided(verdicts: Sequence[Verdict], scenario: str, aims: Sequence[str], trouble: str) -> list[Verdict]:
    """After a harness error: violations stay, what the scenario aims at is inconclusive for that reason."""
    reason = f"{HARNESS_ERROR}{trouble}"
    by_id = {verdict.guarantee: verdict for verdict in verdicts}
    for aim in aims:
        before = by_id.get(aim)
        if before is None:
            by_id[aim] = Verdict(
                guarantee=aim,
                scenario=scenario,
                aimed=True,
                verdict=INCONCLUSIVE,
                exercised=0,
                enough=0,
                evidence_total=0,
                evidence=(),
                reason=reason,
                judge_seconds=0.0,
                replay="",
                subject="broker",
                level="MUST",
            )
        elif before.verdict in ("held", "not exercised"):
            by_id[aim] = Verdict.from_dict({**before.as_dict(), "verdict": INCONCLUSIVE, "reason": reason})
    return list(by_id.values())


def attempt_of(folder: Path) -> int:
    """Which repetition a history folder holds: ``steady`` is 0, ``steady.rerun-1`` is 1."""
    name, mark, number = folder.name.rpartition(RERUN_MARK)
    return int(number) if name and mark and number.isdigit() else 0


def write_outcome(outcome: Outcome) -> None:
    """Keeps what was concluded in the history folder; whole or not at all, for readers in other processes."""
    data = {
        "format": 1,
        "scenario": outcome.scenario,
        "attempt": outcome.attempt,
        "seconds": outcome.seconds,
        "harness_error": outcome.harness_error,
        "verdicts": [verdict.as_dict() for verdict in outcome.verdicts],
    }
    temporary = outcome.folder / f"{VERDICTS_FILE}.{os.getpid()}"
    temporary.write_text(json.dumps(data, default=str), encoding="utf-8")
    temporary.replace(outcome.folder / VERDICTS_FILE)


def read_outcome(folder: Path) -> Outcome | None:
    """What was concluded about a history folder; None when nothing was."""
    try:
        data = json.loads((folder / VERDICTS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    verdicts = tuple(Verdict.from_dict(verdict) for verdict in data["verdicts"])
    return Outcome(data["scenario"], data["attempt"], folder, data["seconds"], verdicts, data["harness_error"])


def read_outcomes(run_folder: Path) -> Iterator[Outcome]:
    """All conclusions below a run folder, by scenario and attempt."""
    for path in sorted((run_folder / "history").glob(f"*/{VERDICTS_FILE}")):
        outcome = read_outcome(path.parent)
        if outcome is not None:
            yield outcome
