"""The session's side of the judging child: one line per history in, one line of verdicts out."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mqcheck.errors import HarnessError
from mqcheck.judge.verdicts import Verdict

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Longest line of verdicts read from the child; ours: far above guarantees × evidence rows kept."""

CLOSE_SECONDS_MAX: Final = 5.0
"""How long a child may go on after its input was closed before it is killed; ours."""


class JudgeProcess:
    """A child ``python -m mqcheck.judge serve``: judging must not stall what is still being recorded.

    Histories are judged one after the other in the order asked. Raises HarnessError when the child dies or cannot load.
    """

    def __init__(self, specs: Sequence[Path] = ()) -> None:
        """``specs``: extra folders of guarantees, as given by ``--mqcheck-specs``."""
        self._specs = [str(folder) for folder in specs]
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The child's process id, for a guard to watch over; None while there is none."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the child; a second call does nothing."""
        if self._process is not None:
            return
        arguments = ["-m", "mqcheck.judge", "serve", *(["--specs", *self._specs] if self._specs else [])]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=ANSWER_BYTES_MAX,
            start_new_session=True,  # Ctrl-C is the session's to handle: what has been recorded is still judged
        )

    async def judge(self, folder: Path, only: Sequence[str] | None = None) -> list[Verdict]:
        """The verdicts of every guarantee over one history folder, or of those alone whose ids are given."""
        await self.start()
        async with self._turn:
            answer = await self._exchange(folder, only)
        if "error" in answer:
            raise HarnessError(f"the judge could not judge {folder}: {answer['error']}")
        verdicts = answer["verdicts"]
        if not isinstance(verdicts, list):
            raise HarnessError(f"the judge's answer about {folder} holds no verdicts")
        return [Verdict.from_dict(verdict) for verdict in verdicts]

    async def _exchange(self, folder: Path, only: Sequence[str] | None) -> dict[str, object]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise HarnessError("the judge was closed: start it again before judging")
        order = {"folder": str(folder), **({} if only is None else {"only": list(only)})}
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        except (ConnectionError, ValueError) as error:
            raise HarnessError(
                f"the judge cannot be talked to: {error}; judge again with `mqcheck check {folder}`"
            ) from error
        if not line:
            status = await process.wait()
            raise HarnessError(f"the judge ended with status {status}; judge again with `mqcheck check {folder}`")
        answer: dict[str, object] = json.loads(line)
        return answer

    async def close(self) -> None:
        """End the child (end of file, then kill after a grace time); a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), CLOSE_SECONDS_MAX)
        except TimeoutError:
            process.kill()
            await process.wait()
