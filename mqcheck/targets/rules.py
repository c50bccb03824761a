"""How a broker is told one of mqcheck's settings: its name there, its unit, its limits; and what then holds.

mqcheck speaks RocketMQ's property names, and ``reference.…`` for what RocketMQ has none for; times are milliseconds.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from mqcheck.errors import SettingsError
from mqcheck.targets.base import Setting, setting_text
from mqcheck.targets.settings import delay_levels_ms

Unit = Literal["text", "ms", "s", "delay-levels"]
"""``text`` is handed on as it is; ``delay-levels`` is a list such as ``1s 5s``, each at least and a multiple of a
second."""

UNITS: Final[tuple[Unit, ...]] = ("text", "ms", "s", "delay-levels")

_UNIT_MS: Final = {"ms": 1, "s": 1_000}


@dataclass(frozen=True, slots=True)
class SettingRule:
    """One setting that a broker has."""

    key: str
    """mqcheck's name."""
    name: str
    """The broker's own name."""
    unit: Unit
    default: str
    """What holds when nothing is said, as mqcheck writes it: times in milliseconds."""
    least: int | None = None
    """Milliseconds: the broker takes nothing below, or acts as if it were this."""
    most: int | None = None
    argument: str | None = None
    """Written into the command in place of a line of ``{settings}``; ``{value}`` stands for the value."""

    def effective(self, value: Setting) -> str:
        """What holds once the broker was told, as mqcheck writes it. Raises SettingsError for what is no time."""
        if self.unit == "text":
            return setting_text(value)
        if self.unit == "delay-levels":
            try:
                levels = delay_levels_ms(str(value))
            except (KeyError, ValueError) as error:
                raise SettingsError(f"{self.key} is {value!r}: write times such as 1s 5s 1m") from error
            return " ".join(f"{-(-level // 1_000)}s" for level in levels)
        try:
            wanted = int(value)
        except ValueError as error:
            raise SettingsError(f"{self.key} is {value!r}: write a whole number of milliseconds") from error
        step = _UNIT_MS[self.unit]
        wanted = max(wanted, self.least or 0)
        if self.most is not None:
            wanted = min(wanted, self.most)
        return str(-(-wanted // step) * step)

    def told(self, value: Setting) -> str:
        """What is written for the broker, in its own unit."""
        effective = self.effective(value)
        return str(int(effective) // _UNIT_MS[self.unit]) if self.unit in _UNIT_MS else effective

    def heard(self, text: str) -> str:
        """What holds in a broker that says this of itself, in its own unit. Raises SettingsError for what is no time.

        A broker's limits are the description's to know: it says what it was told, and acts otherwise.
        """
        if self.unit not in _UNIT_MS:
            return self.effective(text)
        if not text.strip().isdigit():
            raise SettingsError(f"{self.key} is {text!r} in the broker's own words: a whole number is needed")
        return self.effective(int(text) * _UNIT_MS[self.unit])
