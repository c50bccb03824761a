"""Synthetic histories for the judge's tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mqcheck.specs import Specs, load_specs


def _builder() -> ModuleType:
    name = "mqcheck_history_builder"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("builder.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    """The module that builds synthetic histories."""
    return _builder()


@pytest.fixture(scope="session")
def specs() -> Specs:
    """The project's own guarantees."""
    return load_specs()
