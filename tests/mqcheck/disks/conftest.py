"""A mounted disk, where this machine can mount one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mqcheck.disks.tools import missing_disk
from mqcheck.guard import unmount

ROOT = Path(__file__).parents[3]


@dataclass
class Mounted:
    """``python -m mqcheck.disks serve`` and the end of its control channel."""

    process: subprocess.Popen[bytes]
    point: Path
    root: Path
    channel: Any

    def ask(self, **order: Any) -> dict[str, Any]:
        self.channel.write(json.dumps(order).encode() + b"\n")
        self.channel.flush()
        answer: dict[str, Any] = json.loads(self.channel.readline())
        return answer

    def left(self) -> dict[str, bytes]:
        tree = self.root / "tree"
        return {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., Mounted]]:
    if reason := missing_disk():
        pytest.skip(reason)
    mounted: list[Mounted] = []

    def start(model: str = "ext4-like", name: str = "disk") -> Mounted:
        ours, theirs = socket.socketpair()
        point, root = tmp_path / f"{name}-point", tmp_path / name
        point.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "mqcheck.disks", "serve", str(root), str(point), model, "/commitlog"]
        process = subprocess.Popen(
            [*command, "--control", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        theirs.close()
        assert process.stdout is not None
        line = process.stdout.readline()
        mounted.append(Mounted(process, point, root, ours.makefile("rwb")))
        ours.close()
        assert json.loads(line) == {"mounted": str(point)}
        return mounted[-1]

    yield start
    for one in mounted:
        unmount(one.point)
        one.process.kill()
        one.process.wait()
        one.channel.close()
        if one.process.stdout is not None:
            one.process.stdout.close()
