"""Processes and folders that are gone when their user is, also after Ctrl-C and SIGTERM.

For benchmarks and for tests that start Java. A program calls ``end_on_signals`` once: the first signal then ends it
like an exception, with status 128 + its number, once nothing is half started or half ended; further ones are ignored,
so that nobody's second Ctrl-C leaves a JVM behind. Nothing helps against SIGKILL.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
END_S = 20.0
"""How long a process may take to end when it is asked to."""


class _Signals:
    """What has come, and whether it has to wait."""

    def __init__(self) -> None:
        self.depth = 0
        self.came: int | None = None
        self.told = False

    def receive(self, number: int, _: FrameType | None) -> None:
        if self.came is None:
            self.came = number
        if not self.depth:
            self.tell()

    def tell(self) -> None:
        """End the program, if that is wanted and has not begun."""
        if self.came is not None and not self.told:
            self.told = True
            for number in SIGNALS:
                # Not by a handler: Python gives those up before it has ended.
                signal.signal(number, signal.SIG_IGN)
            raise SystemExit(128 + self.came)


_signals = _Signals()


def end_on_signals() -> None:
    """Let the signals end this program; for its main thread."""
    for number in SIGNALS:
        signal.signal(number, _signals.receive)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no signal come between; one that comes is told at the end."""
    _signals.depth += 1
    try:
        yield
    finally:
        _signals.depth -= 1
    if not _signals.depth:
        _signals.tell()


@contextmanager
def running(
    command: Sequence[str], *, by: signal.Signals = signal.SIGTERM, end_s: float = END_S, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """A process, ended by a signal, and killed after ``end_s`` seconds; ``options`` are those of Popen."""
    process: subprocess.Popen[Any] | None = None
    try:
        with undisturbed():
            process = subprocess.Popen(command, **options)
        yield process
    finally:
        with undisturbed():
            if process is not None:
                _end(process, by, end_s)


def _end(process: subprocess.Popen[Any], by: signal.Signals, end_s: float) -> None:
    process.send_signal(by)
    try:
        process.wait(end_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """A temporary folder."""
    made: tempfile.TemporaryDirectory[str] | None = None
    try:
        with undisturbed():
            made = tempfile.TemporaryDirectory(prefix=prefix)
        yield Path(made.name)
    finally:
        with undisturbed():
            if made is not None:
                made.cleanup()
