"""The official Go client: builds our program once for each state of its source, and runs it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from clients import Cluster, Result, alone, results_of

SOURCES = Path(__file__).parent / "go"
AT_ONCE = 5
"""Features that run at the same time."""
BUILD_S_MAX = 600
RUN_S_MAX = 600
ALONE = "tls"
"""A feature with a process of its own: it changes options that all clients of a process share."""


def client() -> str:
    """Name and version of the client, as go.mod pins it."""
    found = re.search(r"rocketmq-client-go/v2 v(\d+\.\d+\.\d+)", (SOURCES / "go.mod").read_text(encoding="utf-8"))
    assert found is not None
    return f"go-{found[1]}"


def build() -> Path:
    """Compile our program; the executable."""
    state = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(SOURCES.iterdir()))).hexdigest()[:12]
    with alone(f"go-{state}") as folder:
        executable = folder / "features"
        if not executable.exists():
            # Built as Toxiproxy is: most of the standard library is then compiled already.
            command = ["go", "build", "-trimpath", "-gcflags=all=-dwarf=false", "-o", str(executable), "."]
            environment = {"GOGC": "800", **os.environ, "CGO_ENABLED": "0"}
            subprocess.run(command, cwd=SOURCES, env=environment, check=True, timeout=BUILD_S_MAX, capture_output=True)
    return executable


def run(cluster: Cluster, features: Sequence[str] = ()) -> list[Result]:
    """Run features, all when none is named."""
    wanted = features or names()
    together = [name for name in wanted if name != ALONE]
    found: list[Result] = []
    for some in (together, [ALONE] if ALONE in wanted else []):
        if some:
            command = [str(build()), cluster.namesrv, cluster.broker, str(AT_ONCE), *some]
            done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
            found += results_of(client(), done.stdout)
    return found


def names() -> list[str]:
    """All features that our program knows."""
    return subprocess.run(
        [str(build()), "", "", "1", "list"], capture_output=True, text=True, check=True
    ).stdout.split()
