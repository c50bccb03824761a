"""The Python ≥ 3.12 in which simulations run, and an environment of it that has what they need.

``python3 tests/sim/newer_python.py`` makes the environment ahead of the tests, as CI does while something else is being
installed. Only the standard library is used here.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
VERSIONS = ("3.14", "3.13", "3.12")
EXTRAS = "sim"


def find() -> Path | None:
    """The first that works, on PATH or among pyenv's versions."""
    return next((candidate for candidate in candidates() if works(candidate)), None)


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
    """A virtual environment of that Python with the project and simloop, made once and kept below ``.cache``.

    Whoever comes while it is being made waits for it.
    """
    identity = f"{python.resolve()} {EXTRAS} {(ROOT / 'pyproject.toml').read_text(encoding='utf-8')}"
    folder = CACHE / f"sim-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    inside = folder / "bin" / "python"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "sim.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            subprocess.run([python, "-m", "venv", "--clear", folder], check=True, timeout=120)
            variables = {**os.environ, "MQCHECK_BUILD_TOXIPROXY": "0"}
            pip = [inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
            install = [*pip, "-e", f"{ROOT}[{EXTRAS}]"]
            subprocess.run(install, check=True, env=variables, timeout=600)
            (folder / "complete").touch()
    return inside


if __name__ == "__main__" and (newer := find()) is not None:
    print(environment(newer))
