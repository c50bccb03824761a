"""A section that a plugin adds to the report; see the hook ``pytest_mqcheck_report_sections``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a text, and perhaps a table."""

    title: str
    text: str = ""
    """Shown as paragraphs; escaped."""
    rows: Sequence[Mapping[str, object]] = ()
    """A table: the first row's keys are its columns."""
