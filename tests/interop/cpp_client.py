"""The official C++ client, as PyPI's ``rocketmq`` bundles it: runs our program, a process for each feature."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clients import Cluster, Result, results_of

PROGRAM = Path(__file__).parent / "cpp" / "features.py"
CLIENT = "cpp-1.x"
"""The library names no version of itself."""
AT_ONCE = 4
"""Features that run at the same time."""
FEATURE_S_MAX = 150


def lacking() -> str | None:
    """Why the client cannot be run here, None when it can."""
    if importlib.util.find_spec("rocketmq") is None:
        return "needs PyPI's rocketmq, which is for CPython 3.11: pip install '.[interop]'"
    return None


def run(cluster: Cluster, home: Path, features: Sequence[str] = ()) -> list[Result]:
    """Run features, all when none is named."""

    def one(name: str) -> Result:
        command = [sys.executable, str(PROGRAM), cluster.namesrv, name]
        where = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=FEATURE_S_MAX, cwd=home, env=where, check=False
            )
        except subprocess.TimeoutExpired:
            return Result(CLIENT, name, False, f"did not end within {FEATURE_S_MAX} s")
        found = results_of(CLIENT, done.stdout)
        return found[0] if found else Result(CLIENT, name, False, f"the process ended with {done.returncode}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, features or names()))


def names() -> list[str]:
    """All features that our program knows."""
    command = [sys.executable, str(PROGRAM), "", "list"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
