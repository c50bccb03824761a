"""The conformance suite as pytest sees it: a tree of scenarios with one item per aimed-at pair.

Items wait for their scenario's outcome and turn a verdict into pass, fail or skip. What a verdict means for a level is
decided in ``judgement``; running and judging happen elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from mqcheck.exits import HARNESS
from mqcheck.judge.verdicts import HELD, INCONCLUSIVE, NOT_APPLICABLE, VIOLATED, Verdict
from mqcheck.known import KnownViolations
from mqcheck.plan import EVERYTHING_ELSE, PREFIX, Pair, Planned
from mqcheck.report.junit import with_property
from mqcheck.report.outcomes import Outcome

EVIDENCE_LINES_MAX: Final = 5
"""Evidence rows printed with a failed item; ours: the report has more, the history has all."""


class VerdictError(Exception):
    """Not an error of the kit: an item's verdict is none to be content with; its text is all that is printed."""


class Suite(pytest.Collector):
    """Root of the conformance items."""

    planned: Sequence[Planned]
    wait: Callable[[Pair, int], Outcome]
    known: KnownViolations
    strict: bool

    @classmethod
    def build(
        cls,
        session: pytest.Session,
        planned: Sequence[Planned],
        wait: Callable[[Pair, int], Outcome],
        *,
        strict: bool,
        known: KnownViolations,
    ) -> Suite:
        """The suite below pytest's session. ``wait(pair, attempt)`` blocks until the scenario is judged."""
        suite: Suite = cls.from_parent(session, name=PREFIX, nodeid=PREFIX)
        suite.planned = planned
        suite.wait = wait
        suite.strict = strict
        suite.known = known
        return suite

    def collect(self) -> Iterator[pytest.Collector]:
        """One collector for each scenario."""
        for one in self.planned:
            node: ScenarioNode = ScenarioNode.from_parent(
                self, name=one.scenario.name, nodeid=f"{PREFIX}::{one.scenario.name}"
            )
            node.pairs = one.pairs
            node.suite = self
            yield node


class ScenarioNode(pytest.Collector):
    """One scenario; its items share one run of it."""

    pairs: Sequence[Pair]
    suite: Suite

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each aimed-at guarantee, and ``everything-else``."""
        for pair in self.pairs:
            item: VerdictItem = VerdictItem.from_parent(self, name=pair.guarantee, nodeid=pair.id)
            item.pair = pair
            item.suite = self.suite
            item.exempt_from_file_timeouts()
            yield item


class VerdictItem(pytest.Item):
    """One pair of scenario and guarantee."""

    pair: Pair
    suite: Suite

    def exempt_from_file_timeouts(self) -> None:
        """A ``--timeout`` given for this run holds; one from an ini file is about the project's own tests."""
        given = self.config.getoption("timeout", None)
        if self.config.pluginmanager.has_plugin("timeout") and given is None:
            self.add_marker(pytest.mark.timeout(0))

    def runtest(self) -> None:
        """Wait for the scenario, then judge this pair."""
        attempt = max(0, getattr(self, "execution_count", 1) - 1)
        self._property("level", self.pair.level)
        self._property("guarantee", self.pair.guarantee)
        self._property("scenario", self.pair.scenario)
        outcome = self.suite.wait(self.pair, attempt)
        verdict, text = judgement(self.pair, outcome, strict=self.suite.strict)
        self._property("verdict", verdict)
        if (pair := outcome.of(self.pair.guarantee)) is not None and pair.reproduced is not None:
            self._property("reproduced", pair.told_again.removeprefix("reproduced "))
        if verdict == NOT_APPLICABLE:
            pytest.skip(text)
        excused = excuse(self.pair, outcome, self.suite.known, strict=self.suite.strict)
        if excused:
            self._property("known", excused)
            pytest.xfail(excused)  # under --runxfail this does nothing
        if text := text or no_longer(self.pair, outcome, self.suite.known):
            raise VerdictError(text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A verdict is printed as it is, without a traceback."""
        if isinstance(excinfo.value, VerdictError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """A place that matches the id, so that pytest prints the id as it is."""
        return self.config.rootpath / PREFIX, None, f"{self.pair.scenario}.{self.pair.guarantee}"

    def _property(self, name: str, value: str) -> None:
        self.user_properties = with_property(self.user_properties, name, value)


def judgement(pair: Pair, outcome: Outcome, *, strict: bool) -> tuple[str, str]:
    """The verdict of an item, and why it fails or is skipped (empty: it passes).

    A harness error is called ``HARNESS`` here, so that the exit status can tell it from an inconclusive. SHOULD
    promises fail only under ``strict``, MAY never.
    """
    if pair.guarantee == EVERYTHING_ELSE:
        return _everything_else(outcome, strict=strict)
    verdict = outcome.of(pair.guarantee)
    if verdict is None:
        return HARNESS, f"harness error: {pair.guarantee} was not judged: {outcome.harness_error or 'no reason given'}"
    if verdict.verdict == NOT_APPLICABLE:
        return NOT_APPLICABLE, verdict.reason or "not applicable"
    if verdict.verdict not in (VIOLATED, INCONCLUSIVE):
        return verdict.verdict, ""
    name = HARNESS if verdict.harness_error else verdict.verdict
    return name, describe(verdict, outcome.folder) if counts(pair.level, strict=strict) else ""


def excuse(pair: Pair, outcome: Outcome, known: KnownViolations, *, strict: bool) -> str:
    """Why an item's violation is no news; empty when there is none, or it is."""
    if pair.guarantee == EVERYTHING_ELSE:
        broken = [each for each in outcome.verdicts if not each.aimed and each.verdict == VIOLATED]
    else:
        broken = [each for each in [outcome.of(pair.guarantee)] if each is not None and each.verdict == VIOLATED]
    entries = [(verdict, known.of(pair.scenario, verdict.guarantee)) for verdict in broken]
    if any(entry is None and counts(verdict.level, strict=strict) for verdict, entry in entries):
        return ""
    return "; ".join(entry.told() for _, entry in entries if entry is not None)


def no_longer(pair: Pair, outcome: Outcome, known: KnownViolations) -> str:
    """What to do about an item that is known to be violated and held; empty when it is not, or may hold."""
    verdict = outcome.of(pair.guarantee)
    entry = known.of(pair.scenario, pair.guarantee)
    if verdict is None or entry is None or entry.sometimes or verdict.verdict != HELD:
        return ""
    return f"{entry.gone()}\n  history: {outcome.folder}"


def counts(level: str, *, strict: bool) -> bool:
    """Whether a broken promise of this level fails a run."""
    return level == "MUST" or (strict and level == "SHOULD")


def describe(verdict: Verdict, folder: Path) -> str:
    """A verdict as text to act on: what, why, the first evidence, how to repeat it."""
    lines = [f"{verdict.guarantee} {verdict.verdict} in {verdict.scenario}: {verdict.title}".rstrip(": ")]
    if verdict.reason:
        lines.append(f"  {verdict.reason}")
    if verdict.evidence_total:
        shown = verdict.evidence[:EVIDENCE_LINES_MAX]
        lines.append(f"  evidence: {verdict.evidence_total} row(s), the first {len(shown)}:")
        lines.extend(f"    {_row(row)}" for row in shown)
    if verdict.told_again:
        lines.append(f"  {verdict.told_again} repetition(s) with the same plan")
    lines.append(f"  query:   mqcheck show {verdict.guarantee}")
    lines.append(f"  history: {folder}")
    if verdict.replay:
        lines.append(f"  again:   {verdict.replay}")
    return "\n".join(lines)


def _everything_else(outcome: Outcome, *, strict: bool) -> tuple[str, str]:
    broken = [
        verdict
        for verdict in outcome.verdicts
        if not verdict.aimed and verdict.verdict == VIOLATED and counts(verdict.level, strict=strict)
    ]
    if broken:
        return VIOLATED, "\n".join(describe(verdict, outcome.folder) for verdict in broken)
    if outcome.harness_error is not None:
        return HARNESS, f"harness error: {outcome.harness_error}\n  history: {outcome.folder}"
    return HELD, ""


def _row(row: dict[str, Any]) -> str:
    text = " ".join(f"{key}={value}" for key, value in row.items() if key != "life")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
