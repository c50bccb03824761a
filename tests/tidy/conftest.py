"""The repository as data: every Python file of the two packages, parsed once."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
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
    """A file that breaks every rule on purpose (its length is made here): a rule that does not bite it is no rule."""
    folder = Path(__file__).parent / "canary"
    source = parse(folder / "reference_impl" / "canary.py", "reference_impl", folder)
    long = "\n".join(["def much_too_long() -> None:", *(f"    value_{number} = {number}" for number in range(500))])
    text = f"{source.text}\n\n{long}\n"
    return replace(source, text=text, tree=ast.parse(text))
