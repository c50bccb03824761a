"""Placeholders in the commands and files of a description: ``{port}`` stands for a value, ``{{`` and ``}}`` for braces.

Pure; which placeholders there are is said by whoever fills.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Final

from mqcheck.errors import SettingsError

_PART: Final = re.compile(r"\{\{|\}\}|\{([a-z][a-z0-9_]*)\}|[{}]")


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with every placeholder replaced. Raises SettingsError as `check` does."""
    check(text, values)

    def replaced(match: re.Match[str]) -> str:
        name = match[1]
        return match[0][0] if name is None else values[name]

    return _PART.sub(replaced, text)


def check(text: str, known: Collection[str]) -> None:
    """Raises SettingsError for an unknown placeholder and for a lone brace."""
    for match in _PART.finditer(text):
        if match[0] in "{}":
            around = text[max(0, match.start() - 10) : match.end() + 10]
            raise SettingsError(f"a lone {match[0]!r} in {around!r}: write it twice where a brace is meant")
        if match[1] is not None and match[1] not in known:
            near = difflib.get_close_matches(match[1], sorted(known), 1)
            hint = f"did you mean {{{near[0]}}}?" if near else f"there are {', '.join(sorted(known))}"
            raise SettingsError(f"unknown placeholder {match[0]}; {hint}")
