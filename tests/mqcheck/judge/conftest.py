"""Synthetic histories for the judge's tests."""

from __future__ import annotations

from types import ModuleType

import histories
import pytest

from mqcheck.specs import Specs, load_specs


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    """The package that builds synthetic histories."""
    return histories


@pytest.fixture(scope="session")
def specs() -> Specs:
    """The project's own guarantees."""
    return load_specs()
