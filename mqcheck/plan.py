"""Which pairs of scenario and guarantee a run asks for.

Selection chooses items and through them scenarios; it never chooses what is judged. Nothing here starts anything.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol

from mqcheck.errors import SettingsError

PREFIX: Final = "mqcheck"
"""First part of every item's id."""
EVERYTHING_ELSE: Final = "everything-else"
"""The item of a scenario that fails on a violation of any guarantee that the scenario does not aim at."""


class ScenarioLike(Protocol):
    """What selection and scheduling need to know of a scenario."""

    @property
    def name(self) -> str:
        """Unique; the folder of its history."""
        ...

    @property
    def summary(self) -> str:
        """What it would catch."""
        ...

    @property
    def aims(self) -> Sequence[str]:
        """Ids of the guarantees it was made to put to the test."""
        ...

    @property
    def alone(self) -> bool:
        """True: nothing else may run beside it, in any worker."""
        ...

    @property
    def seconds(self) -> float:
        """Estimated duration; only the proportions matter."""
        ...


class PromiseLike(Protocol):
    """What selection needs to know of a guarantee."""

    @property
    def id(self) -> str:
        """As in specs/."""
        ...

    @property
    def level(self) -> str:
        """MUST, SHOULD, MAY or NOT-PROMISED."""
        ...


@dataclass(frozen=True, slots=True)
class Pair:
    """One item of the conformance suite."""

    scenario: str
    guarantee: str
    """A guarantee's id, or ``everything-else``."""
    level: str
    """The guarantee's; MUST for ``everything-else``."""

    @property
    def id(self) -> str:
        """What pytest prints, and what can be pasted back."""
        return f"{PREFIX}::{self.scenario}::{self.guarantee}"


@dataclass(frozen=True, slots=True)
class Planned:
    """One scenario and those of its pairs that were asked for."""

    scenario: Any
    """A ``ScenarioLike``; Any, because the runner wants the whole Scenario back."""
    pairs: tuple[Pair, ...]


def plan(
    scenarios: Iterable[ScenarioLike], promises: Iterable[PromiseLike], select: Sequence[str] = ()
) -> tuple[Planned, ...]:
    """All pairs, or those whose guarantee or scenario matches a glob of ``select``.

    ``everything-else`` is kept with every scenario that keeps a pair. Raises SettingsError for a glob that matches
    nothing and for an aim that is no guarantee.
    """
    levels = {promise.id: promise.level for promise in promises}
    planned = []
    names: set[str] = set()
    for scenario in scenarios:
        pairs = _pairs(scenario, levels)
        names.update((scenario.name, *(pair.guarantee for pair in pairs)))
        kept = tuple(pair for pair in pairs if not select or any(_matches(glob, pair) for glob in select))
        if any(pair.guarantee != EVERYTHING_ELSE for pair in kept) or (kept and len(pairs) == 1):
            rest = () if kept[-1].guarantee == EVERYTHING_ELSE else (pairs[-1],)
            planned.append(Planned(scenario, (*kept, *rest)))
    for glob in select:
        if not any(fnmatchcase(name, glob) for name in names):
            raise SettingsError(f"--mqcheck-select {glob!r} matches no guarantee or scenario{_near(glob, names)}")
    return tuple(planned)


def take_ids(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits pytest's arguments into ids of this suite and everything else. Called before pytest looks for files."""
    ids = [argument for argument in arguments if argument.startswith(f"{PREFIX}::")]
    return ids, [argument for argument in arguments if not argument.startswith(f"{PREFIX}::")]


def keep_ids(planned: Sequence[Planned], ids: Sequence[str]) -> tuple[Planned, ...]:
    """Only the pairs that ``ids`` name; an id without a guarantee names a whole scenario. Raises SettingsError."""
    known = {pair.id for one in planned for pair in one.pairs}
    whole = {f"{PREFIX}::{one.scenario.name}" for one in planned}
    for wanted in ids:
        if wanted not in known | whole:
            raise SettingsError(f"not found: {wanted}{_near(wanted, known | whole)}")
    kept = []
    for one in planned:
        pairs = tuple(pair for pair in one.pairs if {pair.id, f"{PREFIX}::{pair.scenario}"} & set(ids))
        if pairs:
            kept.append(Planned(one.scenario, pairs))
    return tuple(kept)


def scenario_of(item_id: str) -> str | None:
    """The scenario that an item's id belongs to; None for the ids of other tests."""
    parts = item_id.split("::")
    return parts[1] if len(parts) == 3 and parts[0] == PREFIX else None


def _pairs(scenario: ScenarioLike, levels: dict[str, str]) -> list[Pair]:
    for aim in scenario.aims:
        if aim not in levels:
            raise SettingsError(
                f"scenario {scenario.name!r} aims at {aim!r}, which is no guarantee{_near(aim, set(levels))}"
            )
    aimed = [Pair(scenario.name, aim, levels[aim]) for aim in scenario.aims if levels[aim] != "NOT-PROMISED"]
    return [*aimed, Pair(scenario.name, EVERYTHING_ELSE, "MUST")]


def _matches(glob: str, pair: Pair) -> bool:
    return fnmatchcase(pair.scenario, glob) or fnmatchcase(pair.guarantee, glob)


def _near(word: str, known: set[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), 3, 0.5)
    return f"; near: {', '.join(near)}" if near else "; `mqcheck list` shows all"
