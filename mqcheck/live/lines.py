"""A stand-in for standard output that lets whole lines pass above a live display."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO


class LineFile:
    """Behaves like the file it stands for until `divert`; then each whole line is handed on, and nothing is written.

    pytest writes results piecemeal, and a display that is drawn in between would cut its lines.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._line: Callable[[str], None] | None = None
        self._rest = ""

    def divert(self, line: Callable[[str], None]) -> None:
        """From then on hand lines to `line`, without their ends; of a line written over, its last text."""
        self._file.flush()
        self._line = line

    def restore(self) -> None:
        """Write to the file again; what had no end yet becomes a line."""
        if self._line is not None and self._rest:
            self.write("\n")
        self._line, self._rest = None, ""

    def write(self, text: str) -> int:
        """As a file's."""
        if self._line is None:
            return self._file.write(text)
        *whole, self._rest = (self._rest + text).split("\n")
        for each in whole:
            self._line(each.rstrip("\r").rpartition("\r")[2])
        return len(text)

    def flush(self) -> None:
        """As a file's; a line without its end waits for it."""
        if self._line is None:
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
