"""Reads a scenario's ``plan.json``: what the run meant to show, beside what it recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mqcheck.errors import HistoryError

PLAN_FORMATS: Final = (1,)
"""Versions of plan.json that this judge reads."""


@dataclass(frozen=True, slots=True)
class PlanFile:
    """The part of a plan that judging needs."""

    scenario: str
    aims: frozenset[str]
    """Guarantees that the scenario was made to put to the test."""
    capabilities: frozenset[str] | None
    """What the target can do; None where the plan does not say."""
    harness_error: str | None
    """Why the kit failed in this scenario, if it did."""
    not_applicable: str
    """Why the target could not be given the scenario at all; empty when it was run."""
    replay: str
    target: str


def read_plan(folder: Path) -> PlanFile:
    """The plan of a history folder. Raises HistoryError when it is missing, unreadable or of another format."""
    path = folder / "plan.json"
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HistoryError(f"{path}: {error}; give the folder history/<scenario> of a run") from error
    if not isinstance(data, dict) or data.get("format") not in PLAN_FORMATS:
        raise HistoryError(f"{path}: format is not among {PLAN_FORMATS}; use the mqcheck that recorded it")
    capabilities = data.get("capabilities")
    return PlanFile(
        scenario=str(data.get("scenario") or folder.name),
        aims=frozenset(data.get("aims") or ()),
        capabilities=None if capabilities is None else frozenset(capabilities),
        harness_error=data.get("harness_error") or None,
        not_applicable=str(data.get("not_applicable") or ""),
        replay=str(data.get("replay") or ""),
        target=str(data.get("target") or "the target"),
    )
