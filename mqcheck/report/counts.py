"""How many guarantees a run was judged by: by level, subject and area. Called by the summaries of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mqcheck.specs import LEVELS, SUBJECTS

NO_AREA: Final = "others"
"""Guarantees of a history that are not among those of the run."""


def counts(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Two lines of text about the guarantees of a report: by level and subject, then by area."""
    lines = list(lines)
    parts = [_counted(lines, "level", LEVELS), _counted(lines, "subject", SUBJECTS)]
    areas = _counted(lines, "area", dict.fromkeys(line.get("area", NO_AREA) for line in lines))
    return [f"{len(lines)} guarantees: {'; '.join(parts)}", f"by area: {areas}"]


def _counted(lines: Iterable[Mapping[str, Any]], key: str, order: Iterable[str]) -> str:
    found = Counter(str(line.get(key, NO_AREA)) for line in lines)
    return ", ".join(f"{name} {found[name]}" for name in order if found[name])
