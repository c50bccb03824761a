"""What is asked of a probe and what is waited for: every word is checked here, nothing is asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast, get_args

from mqcheck.chaos.live import KEPT_NS, NS_PER_MS, Operation
from mqcheck.chaos.work import number, whole
from mqcheck.errors import SettingsError

WAITED_FOR: Final = ("success_rate", "latency_ms", "per_second", "consumer_lag", "routes", "acknowledged", "running")
"""Probes that can be waited for."""
FIGURES: Final = ("success_rate", "latency_ms", "per_second")
"""Probes of the last moments."""
WINDOW_MS: Final = 1_000
"""How long these are, where nobody says. Ours."""
PERCENTILE: Final = 95.0
"""Ours."""
WINDOW_MS_MAX: Final = KEPT_NS // NS_PER_MS


@dataclass(frozen=True, slots=True)
class Figure:
    """What a probe of the last moments is asked."""

    operation: Operation
    window_ms: int
    percentile: float


@dataclass(frozen=True, slots=True)
class Wait:
    """A probe, and the values with which the waiting ends."""

    probe: str
    within_s: float
    at_least: float | None = None
    at_most: float | None = None
    equals: Any = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def met(self, value: Any) -> bool:
        """Whether the waiting ends with this value."""
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.equals is None or value == self.equals)
        )

    def __str__(self) -> str:
        bounds = {"at_least": self.at_least, "at_most": self.at_most, "equals": self.equals}
        wanted = ", ".join(f"{key} {bound}" for key, bound in bounds.items() if bound is not None)
        return f"{self.probe} {dict(self.arguments)} to be {wanted}"


def figure_of(operation: Any = "send", window_ms: Any = WINDOW_MS, percentile: Any = PERCENTILE) -> Figure:
    """What `success_rate`, `latency_ms` or `per_second` is asked. Raises SettingsError."""
    known = get_args(Operation)
    if operation not in known:
        raise SettingsError(f"operation is {operation!r}; it must be one of {', '.join(known)}")
    window = whole("window_ms", window_ms)
    if window > WINDOW_MS_MAX:
        raise SettingsError(f"window_ms is {window_ms!r}; nothing older than {WINDOW_MS_MAX} ms is remembered")
    percent = number("percentile", percentile)
    if not 0 <= percent <= 100:
        raise SettingsError(f"percentile is {percentile!r}; it must be 0 to 100")
    return Figure(cast(Operation, operation), window, percent)


def wait_of(given: Mapping[str, Any]) -> Wait:
    """Arguments of `wait_until`. Raises SettingsError."""
    probe = given.get("probe")
    if probe not in WAITED_FOR:
        raise SettingsError(f"no probe {probe!r} can be waited for; there are {', '.join(WAITED_FOR)}")
    bounds = {
        name: None if given.get(name) is None else number(f"wait_until {probe}: {name}", given[name])
        for name in ("at_least", "at_most")
    }
    equals = given.get("equals")
    if equals is None and set(bounds.values()) == {None}:
        raise SettingsError(f"wait_until {probe}: say at_least, at_most or equals")
    arguments = given.get("arguments") or {}
    if not isinstance(arguments, Mapping):
        raise SettingsError(f"wait_until {probe}: arguments is {arguments!r}; it must be a table of the probe's own")
    within_s = number(f"wait_until {probe}: within_s", given.get("within_s"))
    wait = Wait(probe, within_s, bounds["at_least"], bounds["at_most"], equals, arguments)
    check_probe(probe, arguments)
    return wait


def check_probe(probe: str, arguments: Mapping[str, Any]) -> None:
    """Raises SettingsError for what a probe of the last moments cannot be asked."""
    if probe in FIGURES:
        takes = ("operation", "window_ms", *(("percentile",) if probe == "latency_ms" else ()))
        for name in arguments:
            if name not in takes:
                raise SettingsError(f"the probe {probe} has no argument {name!r}; it takes {', '.join(takes)}")
        figure_of(**arguments)
