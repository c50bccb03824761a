"""Runs this folder's simulations in a Python ≥ 3.12, found on PATH or among pyenv's versions.

Without one it skips and says so; with MQCHECK_REQUIRE_SIM=1 (CI) it fails.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.14", "3.13", "3.12")
SIMULATIONS = ("tests/sim", "tests/reference_impl/test_node.py", "tests/mqcheck/rocketmq/test_in_simulation.py")
SIMULATIONS_MIN = 188
EXTRAS = "sim"


def candidates() -> Iterator[Path]:
    """Every file that may be a Python ≥ 3.12, the likeliest first."""
    for version in VERSIONS:
        found = shutil.which(f"python{version}")
        if found:
            yield Path(found)
    folders = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions", Path(sys.base_prefix).parent]
    for folder in folders:
        for version in VERSIONS:
            yield from sorted(folder.glob(f"{version}*/bin/python3"), reverse=True)


def works(python: Path) -> bool:
    """A shim on PATH may point nowhere: only an interpreter that answers counts."""
    try:
        done = subprocess.run(
            [python, "-c", "import sys, venv, ensurepip; print(sys.version_info >= (3, 12))"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == "True"


def environment(python: Path) -> Path:
    """A virtual environment of that Python with the project and simloop, made once and kept below ``.cache``."""
    identity = f"{python.resolve()} {EXTRAS} {(ROOT / 'pyproject.toml').read_text(encoding='utf-8')}"
    folder = ROOT / ".cache" / f"sim-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    inside = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True, timeout=120)
        variables = {**os.environ, "MQCHECK_BUILD_TOXIPROXY": "0"}
        pip = [inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
        install = [*pip, "-e", f"{ROOT}[{EXTRAS}]"]
        subprocess.run(install, check=True, env=variables, timeout=600)
        (folder / "complete").touch()
    return inside


@pytest.mark.slow
def test_the_simulations_hold_on_a_newer_python() -> None:
    python = next((candidate for candidate in candidates() if works(candidate)), None)
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
