"""The repository as data: every Python file of the two packages, parsed once."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("mqcheck", "reference_impl")


@dataclass(frozen=True)
class Source:
    """One parsed file."""

    path: Path
    package: str
    module: str
    text: str
    tree: ast.Module


def parse(path: Path, package: str, root: Path) -> Source:
    """Read and parse one file; ``module`` is its dotted name."""
    text = path.read_text(encoding="utf-8")
    parts = path.relative_to(root).with_suffix("").parts
    module = ".".join(part for part in parts if part != "__init__")
    return Source(path, package, module, text, ast.parse(text))


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Every module of the two packages."""
    return [
        parse(path, package, ROOT)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "__pycache__" not in path.parts and "_specs" not in path.parts
    ]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def canary() -> Source:
    """A file that breaks every rule on purpose: a rule that does not bite it is no rule."""
    return parse(
        Path(__file__).parent / "canary" / "reference_impl" / "canary.py",
        "reference_impl",
        Path(__file__).parent / "canary",
    )
