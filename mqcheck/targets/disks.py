"""A node's disk of its own: a file system of ours over its data folder, whose power can be cut.

One process and one mount for each life of the power: what a cut left is mounted anew. Mount and process are guarded.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Unpack

from mqcheck.disks.model import Model
from mqcheck.errors import FaultError, NodeError
from mqcheck.guard import Guard, unmount
from mqcheck.targets.base import DiskSwitches
from mqcheck.targets.control import ControlChannel
from mqcheck.targets.processes import WatchedProcess, executed

MOUNT_SECONDS_MAX: Final = 20.0
"""How long a mount may take; a tenth of a second is usual. Ours."""

ORDER_SECONDS_MAX: Final = 30.0
"""How long an order may take: a cut writes down what is left. Ours."""

ROOT: Final = Path(__file__).parents[2]
"""Where the package lies: the child's working folder, so that it is found in a checkout too."""


class NodeDisk:
    """The disk under ``<folder>/data``; what is durable is kept in ``<folder>/disk``."""

    def __init__(self, folder: Path, log: Path, guard: Guard, model: Model, prefix: str) -> None:
        """`prefix`: the folder, relative to the data, whose files the faults of a disk concern; empty for all."""
        self.point = folder.resolve() / "data"
        self._root = folder.resolve() / "disk"
        self._log = log
        self._guard = guard
        self._model = model
        self._prefix = f"/{prefix}"
        self._process: WatchedProcess | None = None
        self._control: ControlChannel | None = None
        self._counts = Counter[str]()
        """What this mount's disk said last."""
        self._carried = Counter[str]()
        """What earlier mounts' disks had counted and nobody was told."""

    @property
    def durable(self) -> Path:
        """What is left after a cut; to be read only while nothing is mounted."""
        return self._root / "tree"

    @property
    def mounted(self) -> bool:
        """True from `mount` to `close`."""
        return self._process is not None

    async def mount(self) -> None:
        """Mount what is durable. Raises NodeError with what the process said."""
        self.point.mkdir(parents=True, exist_ok=True)
        self._root.mkdir(parents=True, exist_ok=True)
        self._counts = Counter()
        ready = asyncio.get_running_loop().create_future()
        control = self._control = ControlChannel()
        command = [sys.executable, "-m", "mqcheck.disks", "serve"]
        command += [str(self._root), str(self.point), self._model, self._prefix, "--control", str(control.their_fd)]
        self._guard.mount(self.point)
        process = self._process = WatchedProcess(
            executed(command, self._guard, pass_fds=(control.their_fd,), cwd=ROOT),
            log=self._log,
            guard=self._guard,
            on_line=lambda line: None if ready.done() else ready.set_result(line),
            on_end=lambda code: None if ready.done() else ready.set_result(b""),
        )
        control.started()
        try:
            line = await asyncio.wait_for(ready, MOUNT_SECONDS_MAX)
        except TimeoutError:
            line = b""
        if not line:
            await self.close()
            raise NodeError(f"no disk could be mounted at {self.point}: {process.log_tail()}")

    async def set(self, **switches: Unpack[DiskSwitches]) -> Mapping[str, object]:
        """Set the switches; what the disk has counted since the last call. Raises FaultError."""
        answer = await self._asked().ask(ORDER_SECONDS_MAX, do="disk", **switches)
        return self._since(Counter({key: each for key, each in answer.items() if type(each) is int}))

    def _since(self, counts: Counter[str]) -> dict[str, int]:
        """What was counted since the last call, by this mount's disk or an earlier one's."""
        new = {key: counts[key] - self._counts[key] + self._carried[key] for key in counts}
        self._counts, self._carried = counts, Counter()
        return new

    async def halt(self) -> None:
        """Nothing gets durable any more, and no fsync waits. Raises FaultError."""
        await self._asked().ask(ORDER_SECONDS_MAX, do="halt")

    async def cut(self, rng: random.Random, *, torn: bool) -> Mapping[str, object]:
        """The power fails, and nothing is mounted any more; what was lost. Raises FaultError.

        The kernel has to hand over first what it has not written yet: that is lost too, and is counted.
        """
        control = self._asked()
        await asyncio.to_thread(_hand_over, self.point)
        answer = await control.ask(ORDER_SECONDS_MAX, do="cut", seed=rng.getrandbits(32), torn=torn)
        await self.close()
        self._carried = Counter(self._since(Counter(answer.pop("counts"))))
        del answer["ok"]
        return {**answer, "model": self._model}

    async def close(self) -> None:
        """Unmount and end the process, whatever it does. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        await asyncio.to_thread(unmount, self.point)
        await process.kill()
        if self._control is not None:
            self._control.close()
        self._guard.release(self.point)

    def _asked(self) -> ControlChannel:
        if self._process is None or self._control is None or self._process.ended:
            raise FaultError(f"no disk is mounted at {self.point}: start its node first")
        return self._control


def _hand_over(point: Path) -> None:
    """Let the kernel write its dirty pages, as ``sync -f`` does. What it cannot write is lost already."""
    handle = os.open(point, os.O_RDONLY | os.O_DIRECTORY)
    try:
        ctypes.CDLL(None).syncfs(handle)
    finally:
        os.close(handle)
