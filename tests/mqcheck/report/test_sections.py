"""Sections of plugins."""

from __future__ import annotations

import dataclasses

import pytest

from mqcheck.report.sections import Section


def test_a_section_is_data() -> None:
    section = Section("House")
    assert (section.text, section.rows) == ("", ())
    with pytest.raises(dataclasses.FrozenInstanceError):
        section.title = "x"  # type: ignore[misc]
