"""docs/examples/orders, shown by docs/how-to/application.md: its tests pass, and find the bugs they are for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clients import WHOLE, WHOLE_REASON
from cpp_client import lacking

from mqcheck.commands import plugin_arguments

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(lacking() is not None, reason=str(lacking())),
]
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "orders"
PAGE = (ROOT / "docs" / "how-to" / "application.md").read_text(encoding="utf-8")
BUGS = {
    "what is delivered again is packed again": (
        {
            "parcels (number TEXT PRIMARY KEY,": "parcels (number TEXT,",
            "INSERT OR IGNORE INTO parcels": "INSERT INTO parcels",
        },
        {"test_an_order_whose_answer_is_lost_is_packed_once", "test_an_order_that_is_delivered_twice_is_packed_once"},
    ),
    "an order that could not be sent counts as taken": (
        {"raise NotTakenError(key) from error": "return"},
        {"test_an_order_that_is_refused_is_not_taken", "test_orders_outlive_a_killed_broker"},
    ),
    "who has paid is reminded too": (
        {"SELECT 1 FROM paid WHERE number = ?": "SELECT 1 FROM paid WHERE number = ? AND 0"},
        {"test_who_has_not_paid_is_reminded_after_two_hours"},
    ),
}
"""Bug → what is put in the place of what, and the tests that fail by it."""


def outcome(tmp_path: Path, changes: dict[str, str]) -> tuple[int, set[str], str]:
    """Status of the example's pytest, with changes in the application; the tests that failed; all it said."""
    folder = shutil.copytree(EXAMPLE, tmp_path / "orders", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    application = (folder / "orders.py").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert application.count(old) == 1
        application = application.replace(old, new)
    (folder / "orders.py").write_text(application, encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "MQCHECK", "COV"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin_arguments(), "-p", "no:cacheprovider", "-p", "no:asyncio"],
        cwd=folder,
        # The client writes its logs below HOME.
        env={**kept, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, set(re.findall(r"^FAILED test_orders\.py::(\w+)", done.stdout, re.MULTILINE)), done.stdout


def test_the_example_passes(tmp_path: Path) -> None:
    status, failed, said = outcome(tmp_path, {})
    assert (status, failed) == (0, set()), said
    tests = (EXAMPLE / "test_orders.py").read_text(encoding="utf-8").count("\ndef test_")
    assert f"{tests} passed" in said


FIRST, *OTHERS = BUGS


@pytest.mark.parametrize(
    "bug", [FIRST, *(pytest.param(bug, marks=pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON)) for bug in OTHERS)]
)
def test_the_example_finds_a_bug(bug: str, tmp_path: Path) -> None:
    changes, wanted = BUGS[bug]
    status, failed, said = outcome(tmp_path, changes)
    assert (status, failed) == (1, wanted), said


def test_the_page_shows_what_is_there() -> None:
    files = "\n".join((EXAMPLE / name).read_text(encoding="utf-8") for name in ("orders.py", "test_orders.py"))
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        assert block.rstrip() in files, block
    for bug in BUGS:
        assert bug in PAGE
