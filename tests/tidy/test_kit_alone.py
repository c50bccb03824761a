"""`pytest --mqcheck` in this folder needs the kit's packages alone, though pytest loads the tests' conftest for it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

CONFTEST = Path(__file__).parents[1] / "conftest.py"


def imported(source: str) -> set[str]:
    """Packages that a module imports whatever is installed: at its top, under no condition."""
    found: set[str] = set()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            found.add((statement.module or "").partition(".")[0])
    return found - sys.stdlib_module_names


def test_the_tests_conftest_imports_pytest_alone() -> None:
    assert imported(CONFTEST.read_text(encoding="utf-8")) == {"pytest"}


def test_an_import_at_the_top_is_seen() -> None:
    assert imported("import os\nimport pytest\nfrom hypothesis import settings\nif os:\n    import msgspec\n") == {
        "pytest",
        "hypothesis",
    }
