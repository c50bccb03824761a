"""Reads what `feed` writes, from every process of a run, while it is being written."""

from __future__ import annotations

import heapq
import json
from pathlib import Path
from typing import Any

from mqcheck.live.feed import FOLDER


class Follower:
    """New events since the last look. A line that is not whole yet waits for the next look."""

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder / FOLDER
        self._read: dict[Path, int] = {}

    def new(self) -> list[dict[str, Any]]:
        """What was written since: each process's in its own order, all of them by their times."""
        found: list[list[dict[str, Any]]] = []
        for path in sorted(self._folder.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            found.append([json.loads(line) for line in whole.splitlines()])
        return list(heapq.merge(*found, key=lambda event: int(event["t"])))
