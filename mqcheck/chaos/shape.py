"""The shape of an experiment file: tables where tables must be, lists where lists must be. Pure.

Chaos Toolkit takes that for granted, and breaks down with an error about its own code where it is not so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mqcheck.errors import SettingsError

TABLES: Final = ("configuration", "secrets", "runtime", "steady-state-hypothesis")
LISTS: Final = ("controls", "method", "rollbacks")
STRATEGIES: Final = ("hypothesis", "rollbacks")


def check_shape(experiment: Mapping[str, Any]) -> None:
    """Raises SettingsError that names the part, shows what it is, and says what it must be."""
    for name in ("title", "description"):
        if not isinstance(experiment.get(name, ""), str):
            raise SettingsError(f"{name} is {experiment[name]!r}; it must be a text")
    for name in TABLES:
        table(name, experiment.get(name) or {})
    for name in STRATEGIES:
        table(f"runtime.{name}", (experiment.get("runtime") or {}).get(name) or {})
    for name in LISTS:
        listed(name, experiment.get(name, []))
    for where, each in _provided(experiment):
        table(where, each)
        provider = table(f"{where}.provider", each.get("provider", {}))
        if provider.get("type") == "python":
            table(f"{where}.provider.arguments", provider.get("arguments", {}))


def table(name: str, given: Any) -> Mapping[str, Any]:
    """A table with names as its keys. Raises SettingsError for anything else."""
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise SettingsError(f"{name} is {given!r}; it must be a table of names and values, or be left out")
    return given


def listed(name: str, given: Any) -> Sequence[Any]:
    """A list. Raises SettingsError for anything else."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Sequence):
        raise SettingsError(f"{name} is {given!r}; it must be a list, or be left out")
    return given


def _provided(experiment: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Everything that has a provider, and where it is."""
    hypothesis = experiment.get("steady-state-hypothesis") or {}
    probes = listed("steady-state-hypothesis.probes", hypothesis.get("probes", []))
    for name, found in (*((name, experiment.get(name, [])) for name in LISTS), ("probes", probes)):
        for number, each in enumerate(found):
            yield f"{name}[{number}]", each
