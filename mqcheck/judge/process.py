"""The session's side of the judging child: one line per history in, one line of verdicts out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mqcheck.judge.verdicts import Verdict


class JudgeProcess:
    """A child ``python -m mqcheck.judge serve``: judging must not stall what is still being recorded.

    Histories are judged one after the other in the order asked. Raises HarnessError when the child dies or cannot load.
    """

    def __init__(self, specs: Sequence[Path] = ()) -> None:
        """``specs``: extra folders of guarantees, as given by ``--mqcheck-specs``."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the child."""
        raise NotImplementedError

    async def judge(self, folder: Path) -> list[Verdict]:
        """The verdicts of every guarantee over one history folder."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the child (end of file, then kill after a grace time); a second call does nothing."""
        raise NotImplementedError
