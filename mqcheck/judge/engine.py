"""Puts every guarantee to one history and chooses its verdict."""

from __future__ import annotations

from pathlib import Path

from mqcheck.judge.verdicts import Verdict
from mqcheck.specs import Specs


def judge_history(folder: Path, specs: Specs, *, parquet: bool = False) -> list[Verdict]:
    """The verdict of every guarantee over the history in ``folder`` (``plan.json``, ``events/``), in the order of ``specs``.

    ``parquet``: also store the tables as judged in ``tables/``. Raises HistoryError when the folder is no history.
    """
    raise NotImplementedError
