"""A process with a wall clock of its own, by libfaketime: preloaded, it reads from a file how far the clock is off.

Only the wall clock moves: time-outs that count monotonic time, and the time stamps of files, stay true.
"""

from __future__ import annotations

import ctypes
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from mqcheck.errors import FaultError
from mqcheck.guard import Guard

LIBRARY: Final = "libfaketimeMT.so.1"
"""The build for programs with threads."""

FOLDERS: Final = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")
"""Where Debian, Fedora and ``make install`` put it."""

CACHE_SECONDS: Final = 1
"""How long a process trusts what it has read. Without this it would read at each call, which slows a JVM tenfold."""

SHARED_FOLDER: Final = Path("/dev/shm")  # noqa: S108 - where Linux keeps what shm_open and sem_open make
SHARED_BYTES: Final = 4_096
COUNTERS_BYTES: Final = 16
"""The library's shared memory: two counters, then times (libfaketime's ``ft_shared_s``)."""


def find_library(folders: Iterable[str] = FOLDERS) -> Path | None:
    """The library, or None where it is not installed."""
    root = Path("/")
    found = (path for folder in folders for path in sorted(root.glob(f"{folder.removeprefix('/')}/{LIBRARY}")))
    return next(found, None)


def missing_clock() -> str:
    """What is missing for clocks of nodes' own, and the way out; empty where nothing is."""
    return (
        "" if find_library() is not None else "clocks need libfaketime: install it (Debian: apt-get install faketime)"
    )


class NodeClock:
    """The wall clock of one node, through all its lives."""

    def __init__(self, library: Path, file: Path, guard: Guard | None = None) -> None:
        """`file` is where the node reads its offset; it is made."""
        self._library = library
        self._file = file
        self._guard = guard
        self._shared: tuple[Path, ...] = ()
        self.set(0)

    def set(self, offset_ms: int) -> None:
        """So far from true the clock is; processes see it within `CACHE_SECONDS`."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset_ms / 1000:+.3f}\n", encoding="ascii")
        os.replace(fresh, self._file)

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Variables for the node's next process, beside those given; `settle` once it runs.

        The library wants a semaphore and shared memory. What it makes itself a killed process leaves behind, so it is
        given some, whose names can go as soon as it has opened them.
        """
        self.settle()
        name = f"mqcheck-{os.getpid()}-{secrets.token_hex(6)}"
        self._shared = (SHARED_FOLDER / name, SHARED_FOLDER / f"sem.{name}")
        if self._guard is not None:
            for path in self._shared:
                self._guard.folder(path)
        _make_shared(name)
        preloaded = given.get("LD_PRELOAD") or os.environ.get("LD_PRELOAD")
        return {
            **given,
            "LD_PRELOAD": f"{self._library}:{preloaded}" if preloaded else str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file.resolve()),
            "FAKETIME_CACHE_DURATION": str(CACHE_SECONDS),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Otherwise every timed wait of a JVM returns at once, and each of its timer threads spins (0.9.10).
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",
            "FAKETIME_SHARED": f"/{name} /{name}",
        }

    def settle(self) -> None:
        """The process has begun, or never will: nothing of its beginning is left under a name. Idempotent."""
        for path in self._shared:
            path.unlink(missing_ok=True)
            if self._guard is not None:
                self._guard.release(path)
        self._shared = ()


def _make_shared(name: str) -> None:
    """A semaphore that is free, and memory that says "no start time yet" (-1), as the library would make them."""
    system = ctypes.CDLL(None, use_errno=True)
    system.sem_open.restype = ctypes.c_void_p
    made = system.sem_open(f"/{name}".encode(), os.O_CREAT | os.O_EXCL, ctypes.c_uint(0o600), ctypes.c_uint(1))
    if not made:
        raise FaultError(
            f"no semaphore for libfaketime: {os.strerror(ctypes.get_errno())}; is {SHARED_FOLDER} writable?"
        )
    system.sem_close(ctypes.c_void_p(made))
    (SHARED_FOLDER / name).write_bytes(bytes(COUNTERS_BYTES) + b"\xff" * (SHARED_BYTES - COUNTERS_BYTES))
