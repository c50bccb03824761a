"""Whether a disk of ours can be mounted on this machine, and what would make it so."""

from __future__ import annotations

import functools
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PROBE_SECONDS_MAX: Final = 20.0
"""How long a mount and unmount may take; a tenth of a second is usual. Ours."""

DEVICE: Final = Path("/dev/fuse")

WAY_OUT: Final = (
    'pip install "mqcheck[fuse]", the packages fuse3 and libfuse3-3 (Debian\'s names), and /dev/fuse with the right to '
    "mount: root, or a user whom fusermount3 lets"
)


@functools.cache
def missing_disk() -> str:
    """Why no disk can be mounted here, with the way out; empty when one can. Mounts one the first time; blocks."""
    if find_spec("mfusepy") is None:
        return f"mfusepy is not installed: it needs {WAY_OUT}"
    if not DEVICE.exists():
        return f"there is no {DEVICE}: it needs {WAY_OUT}"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mqcheck.disks", "probe"],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS_MAX,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    except subprocess.TimeoutExpired:
        return f"mounting took more than {PROBE_SECONDS_MAX} s: it needs {WAY_OUT}"
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        return f"{'; '.join(said[-2:])}: it needs {WAY_OUT}"
    return ""
