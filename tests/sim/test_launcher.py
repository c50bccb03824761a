"""Runs this folder's simulations in a Python ≥ 3.12, found on PATH or among pyenv's versions.

Without one it skips and says so; with MQCHECK_REQUIRE_SIM=1 (CI) it fails.
"""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from newer_python import ROOT, environment, find

SIMULATIONS = ("tests/sim", "tests/reference_impl/test_node.py", "tests/mqcheck/rocketmq/test_in_simulation.py")
SIMULATIONS_MIN = 211


@pytest.mark.slow
def test_the_simulations_hold_on_a_newer_python() -> None:
    python = find()
    if python is None:
        message = (
            "no Python >= 3.12 was found on PATH or among pyenv's versions, so nothing was simulated; "
            "install one (pyenv install 3.13) or run: tox -e sim"
        )
        if os.environ.get("MQCHECK_REQUIRE_SIM") == "1":
            pytest.fail(message)
        pytest.skip(message)
    done = subprocess.run(
        [environment(python), "-m", "pytest", *SIMULATIONS, "-q", "-p", "no:cacheprovider"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout[-2000:]
    assert int(passed.group(1)) >= SIMULATIONS_MIN, done.stdout[-2000:]
    assert "skipped" not in done.stdout, done.stdout[-2000:]
