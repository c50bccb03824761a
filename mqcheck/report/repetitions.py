"""A violation is tried again: which scenarios are run once more with the same plan, and what their runs say together.

A verdict never becomes better by it: a violation that does not come back stays one, marked ``reproduced 0 of n``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mqcheck.judge.verdicts import VIOLATED, Verdict
from mqcheck.known import KnownViolations
from mqcheck.report.outcomes import Outcome


def repetitions(outcome: Outcome, known: KnownViolations, retries: int) -> range:
    """The attempts that follow a scenario's first run: none unless it violates something in a way that is news."""
    news = any(
        verdict.verdict == VIOLATED and known.of(outcome.scenario, verdict.guarantee) is None
        for verdict in outcome.verdicts
    )
    return range(1, retries + 1) if news and not outcome.attempt else range(0)


def together(first: Outcome, again: Sequence[Outcome]) -> Outcome:
    """The first run with its verdicts as all runs of the scenario give them. Called when an item is judged."""
    runs = [first, *again]
    verdicts = [merged([run.of(verdict.guarantee) for run in runs]) for verdict in first.verdicts]
    return replace(first, verdicts=tuple(verdicts))


def merged(attempts: Sequence[Verdict | None]) -> Verdict:
    """One verdict of a pair's runs, the first run first: the first violation if there is one, else what the first run
    gave. A violation says how many of the other runs have it too; runs in which the kit failed are none.
    """
    found = [verdict for verdict in attempts if verdict is not None]
    broken = [verdict for verdict in found if verdict.verdict == VIOLATED]
    if not broken or len(found) == 1:
        return found[0]
    tried = sum(not verdict.harness_error for verdict in found) - 1
    worst = replace(broken[0], reproduced=len(broken) - 1, repetitions=tried)
    if broken[0] is found[0]:
        return worst
    only = f"not in the first run, but in repetition {found.index(broken[0])}"
    return replace(worst, reason="; ".join(filter(None, [worst.reason, only])))
