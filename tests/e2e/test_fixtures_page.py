"""Every block of docs/fixtures.md runs, as one test file of somebody who has read it from the top."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mqcheck.embedded.faults import RocketMQFaults
from mqcheck.embedded.looks import Looks

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.slow, pytest.mark.e2e]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fixtures.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- executed by tests/e2e/test_fixtures_page.py -->\n```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile("\n\n".join(BLOCKS))
    tests = sum(block.count("def test_") for block in BLOCKS)
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "--strict-markers")
    result.assert_outcomes(passed=tests)


def test_no_block_is_left_out() -> None:
    assert PAGE.count("```python") == len(BLOCKS) >= 4


def public(kind: type[Any]) -> set[str]:
    return {name for name, value in vars(kind).items() if not name.startswith("_") and callable(value)}


@pytest.mark.parametrize("name", sorted(public(RocketMQFaults) | public(Looks)))
def test_the_page_names_everything(name: str) -> None:
    assert name in PAGE
