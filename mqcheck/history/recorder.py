"""Writes one process's stream of the history: JSON lines, appended before anything else happens.

The line format and the order of stamp, append and socket write are ``history.md`` §1's. What a table means is not known
here: columns are written as given, without nulls.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from mqcheck.clock import Clock
from mqcheck.errors import StreamError

FORMAT: Final = 1
"""Version of the line format, in every stream's header."""

PROCESS_NUMBER_MAX: Final = 8191
"""Largest process number of a run: ids stay below 2^53, exact in JavaScript and doubles."""

COUNTER_BITS: Final = 40
"""Bits of an id that count; the process number stands above them."""

STALL_PERIOD_MS: Final = 20
"""A stall watch's timer period, and the lateness from which it records a stall (``history.md`` §2.1, stalls)."""


def boot_id() -> str:
    """The kernel's boot id: equal ids prove that two processes share one CLOCK_MONOTONIC. Empty where unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Recorder:
    """Appends one process's events to ``<events>/<process>.<life>.jsonl``; one thread or event loop only.

    ``begin`` and ``point`` return only after the line has been given to the kernel, so a caller that writes to a socket
    afterwards keeps the rule that no broker holds a message the history does not know.
    A column ``t`` replaces the stamp (rows of one answer that share its request's time). Raises StreamError when a
    line cannot be written. `on_row` gets every row after it was written, and must neither keep nor change it.
    """

    def __init__(
        self,
        events: Path,
        *,
        run: str,
        process: str,
        number: int,
        life: int = 0,
        clock: Clock,
        on_row: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        if not 0 <= number <= PROCESS_NUMBER_MAX:
            raise StreamError(
                f"process number {number} is outside 0..{PROCESS_NUMBER_MAX}: number a run's processes from 0"
            )
        self.run = run
        self.process = process
        self.number = number
        self.life = life
        self.clock = clock
        self.path = events / f"{process}.{life}.jsonl"
        self._now = clock.monotonic_ns
        self._encode = msgspec.json.Encoder().encode
        self._last_id = number << COUNTER_BITS
        self._lines = 0
        self._on_row = on_row
        events.mkdir(parents=True, exist_ok=True)
        try:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StreamError(
                f"cannot open {self.path}: {error}; a restarted process needs a new life number"
            ) from error
        self._write(
            {
                "e": "streams",
                "t": self._now(),
                "format": FORMAT,
                "run": run,
                "process": process,
                "number": number,
                "life": life,
                "pid": os.getpid(),
                "boot": boot_id(),
                "wall_ns": clock.wall_ms() * 1_000_000,
            }
        )

    @property
    def closed(self) -> bool:
        """True once the closing line is written."""
        return self._fd < 0

    def new_id(self) -> int:
        """An id unique in the run: process number and counter."""
        self._last_id += 1
        return self._last_id

    def begin(self, table: str, op: int | None = None, **columns: Any) -> int:
        """An operation begins: stamp, append, return its id. Call it before the socket write."""
        if op is None:
            self._last_id = op = self._last_id + 1
        row = {"e": table, "w": "b", "t": self._now(), "op": op}
        self._append(row, columns)
        return op

    def end(self, table: str, op: int, **columns: Any) -> None:
        """An operation ended, or a harness entry learned more: stamp and append after the answer was read."""
        self._append({"e": table, "w": "e", "t": self._now(), "op": op}, columns)

    def point(self, table: str, op: int | None = None, **columns: Any) -> int:
        """Something happened once: stamp, append, return its id."""
        if op is None:
            self._last_id = op = self._last_id + 1
        self._append({"e": table, "t": self._now(), "op": op}, columns)
        return op

    def close(self) -> None:
        """Write the closing line; a second call does nothing."""
        if self._fd < 0:
            return
        self._write({"e": "streams", "w": "e", "t": self._now(), "lines": self._lines + 1})
        os.close(self._fd)
        self._fd = -1

    def _append(self, row: dict[str, Any], columns: dict[str, Any]) -> None:
        for name, value in columns.items():
            if value is not None:
                row[name] = value
        self._write(row)
        if self._on_row is not None:
            self._on_row(row)

    def _write(self, row: dict[str, Any]) -> None:
        line = self._encode(row) + b"\n"
        try:
            written = os.write(self._fd, line)
            while written < len(line):
                line = line[written:]
                written = os.write(self._fd, line)
        except OSError as error:
            raise StreamError(f"cannot append to {self.path}: {error}; free the disk and run again") from error
        self._lines += 1


class StallWatch:
    """Records ``stalls``: times in which this process's event loop did not run when it should have."""

    def __init__(self, recorder: Recorder, loop: asyncio.AbstractEventLoop) -> None:
        self._recorder = recorder
        self._loop = loop
        self._now = recorder.clock.monotonic_ns
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0

    def start(self) -> None:
        """Start the timer."""
        self._arm()

    def stop(self) -> None:
        """Stop the timer; a stall under way until now is still recorded."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._check()

    def _arm(self) -> None:
        self._due = self._now() + STALL_PERIOD_MS * 1_000_000
        self._timer = self._loop.call_later(STALL_PERIOD_MS / 1000, self._tick)

    def _tick(self) -> None:
        self._check()
        self._arm()

    def _check(self) -> None:
        now = self._now()
        if now - self._due > STALL_PERIOD_MS * 1_000_000 and not self._recorder.closed:
            self._recorder.point("stalls", began=self._due, ended=now)
