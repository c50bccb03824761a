"""What a judgement is: the five verdicts, their order, and the record of one (scenario, guarantee) pair.

The rules that choose a verdict are in ``engine``; nothing here reads a history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

HELD: Final = "held"
VIOLATED: Final = "violated"
INCONCLUSIVE: Final = "inconclusive"
NOT_APPLICABLE: Final = "not applicable"
NOT_EXERCISED: Final = "not exercised"

WORST_FIRST: Final = (VIOLATED, INCONCLUSIVE, HELD, NOT_EXERCISED, NOT_APPLICABLE)
"""Order in which verdicts of several pairs are merged into one of a guarantee or a run."""

HARNESS_ERROR: Final = "harness error: "
"""How the reason of an inconclusive begins when the kit failed, not the evidence."""

UNMET: Final = "its condition is not met here: "
"""How the reason of a not applicable begins when the target could, but not with these settings and nodes."""

EVIDENCE_ROWS_MAX: Final = 8
"""Evidence rows kept of one violation, the first by time; ours: all rows are counted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one guarantee over one scenario's history."""

    guarantee: str
    scenario: str
    aimed: bool
    """True: the scenario was made to put this guarantee to the test."""
    verdict: str
    """held, violated, inconclusive, not applicable or not exercised."""
    exercised: int
    """How much evidence there was, in the guarantee's own unit; for NOT-PROMISED entries: how often it was seen."""
    enough: int
    evidence_total: int
    """Number of all evidence rows, of which ``evidence`` keeps the first few."""
    evidence: tuple[dict[str, Any], ...]
    """Evidence rows; ``life`` in each is what the streams say about the message or operation concerned."""
    reason: str
    judge_seconds: float
    replay: str
    """The command that repeats the scenario with the same plan."""
    subject: str
    level: str
    title: str = ""
    reproduced: int | None = None
    """Of a violation that was tried again: how many of the repetitions have it too."""
    repetitions: int = 0

    @property
    def told_again(self) -> str:
        """``reproduced 1 of 2``; empty where nothing was tried again."""
        return "" if self.reproduced is None else f"reproduced {self.reproduced} of {self.repetitions}"

    @property
    def harness_error(self) -> bool:
        """True when the kit failed, so that nothing is said about the broker."""
        return self.verdict == INCONCLUSIVE and self.reason.startswith(HARNESS_ERROR)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Verdict:
        """The verdict that ``as_dict`` made; unknown keys are an error."""
        known = {field.name for field in fields(cls)}
        unknown = set(data) - known
        if unknown:
            raise ValueError(f"unknown keys {sorted(unknown)} in a verdict; known: {sorted(known)}")
        return cls(**{**data, "evidence": tuple(data["evidence"])})


def worst(verdicts: Iterable[str]) -> str:
    """The worst of some verdicts, in the order of WORST_FIRST; none at all: not exercised."""
    present = set(verdicts)
    unknown = present - set(WORST_FIRST)
    if unknown:
        raise ValueError(f"unknown verdicts {sorted(unknown)}; known: {', '.join(WORST_FIRST)}")
    return next((verdict for verdict in WORST_FIRST if verdict in present), NOT_EXERCISED)
