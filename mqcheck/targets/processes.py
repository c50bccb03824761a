"""One process of a target: started in a group of its own, watched by a thread, ended by signals.

Shared by everything that starts processes: nodes, and clients that faults can hit. What the process is for, and what
its lines mean, is for the caller.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Protocol

from mqcheck.errors import NodeError
from mqcheck.guard import Guard, group_states, process_state

PAUSE_SECONDS_MAX: Final = 2.0
"""How long a stopped process may take until the kernel says that it stands still. Ours."""

PAUSE_POLL_SECONDS: Final = 0.002
"""How often the kernel is asked. Ours."""

GROUP_POLL_SECONDS: Final = 0.01
"""How often a group is looked at whose leader has ended before the others. Ours."""

LOG_TAIL_BYTES: Final = 2_000
"""How much of a log an error message shows. Ours."""


class NodeProcess(Protocol):
    """One life of a node, whatever keeps it alive: a process group of this host, or a container."""

    @property
    def pid(self) -> int | None:
        """Of its first process, on this host; None while it is not known."""
        ...

    @property
    def ended(self) -> bool:
        """True once its end was seen."""
        ...

    @property
    def exit_code(self) -> int | None:
        """Its status; None before its end."""
        ...

    def signal(self, number: signal.Signals) -> None:
        """Send a signal without waiting for its effect; nothing happens when it has ended."""
        ...

    async def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it takes longer."""
        ...

    async def kill(self) -> None:
        """End it at once, paused or not, and wait."""
        ...

    async def pause(self) -> None:
        """Freeze it; returns when it stands still. Raises NodeError."""
        ...

    async def resume(self) -> None:
        """Let it go on; nothing happens when it is not paused."""
        ...

    def log_tail(self) -> str:
        """The end of its log, for an error message."""
        ...


class Child(Protocol):
    """A process that was just started, the leader of a group of its own: what `subprocess.Popen` has of it."""

    pid: int
    stdin: IO[bytes] | None
    """Its standard input, where that is a pipe."""
    stdout: IO[bytes] | None
    """Its standard output."""

    def wait(self) -> int:
        """Its exit status once it has ended, negative for a signal. Blocks."""
        ...


def executed(
    command: Sequence[str],
    guard: Guard,
    *,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Callable[[IO[bytes]], Child]:
    """How a program is started for a `WatchedProcess`: raises OSError when it cannot be run.

    `environment` is added to the runner's own.
    """

    def start(log: IO[bytes]) -> Child:
        return subprocess.Popen(
            list(command),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=log,
            process_group=0,
            pass_fds=tuple(pass_fds),
            env={**guard.environment(), **(environment or {})},
            cwd=cwd,
        )

    return start


class WatchedProcess:
    """A child with its own process group, no terminal, and stdout read line by line in a thread of its own.

    It lives as long as anything in its group does: a start script may leave the work to others, and end before them.
    The thread ends with the process; loop callbacks come through `call_soon_threadsafe`, so any loop in any thread may
    own it and no child watcher or signal handler is needed.
    """

    def __init__(
        self,
        start: Callable[[IO[bytes]], Child],
        *,
        log: Path,
        guard: Guard,
        on_line: Callable[[bytes], None],
        on_end: Callable[[int], None],
    ) -> None:
        """Start it: `start`, as `executed` gives it, gets the log. Raises what that raises.

        `on_line` gets each line of stdout and `on_end` the exit status, both in the loop's own turn.
        """
        self._loop = asyncio.get_running_loop()
        self._on_line = on_line
        self._on_end = on_end
        self._guard = guard
        self._ended = asyncio.Event()
        self.log = log
        self._exit_code: int | None = None
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("ab", buffering=0)
        try:
            self._process = start(self._log)
        except BaseException:
            self._log.close()
            raise
        guard.process(self._process.pid)
        threading.Thread(target=self._watch, name=f"mqcheck-watch-{self._process.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the child; also of its group."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """True once it was waited for."""
        return self._ended.is_set()

    @property
    def exit_code(self) -> int | None:
        """As the kernel has it, negative for a signal; None before its end."""
        return self._exit_code

    @property
    def stdin(self) -> IO[bytes] | None:
        """Its standard input where `stdin` was a pipe."""
        return self._process.stdin

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; nothing happens when it has ended."""
        if self._exit_code is None:
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                pass  # it ended a moment ago, or is a zombie (macOS)

    async def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it takes longer."""
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def kill(self) -> None:
        """End it at once, paused or not, and wait."""
        self.signal(signal.SIGKILL)
        await self._ended.wait()

    async def pause(self) -> None:
        """Freeze it; returns when the kernel says that it stands still. Raises NodeError."""
        self.signal(signal.SIGSTOP)
        for _ in range(round(PAUSE_SECONDS_MAX / PAUSE_POLL_SECONDS)):
            if process_state(self.pid) in {"T", None} and set(group_states(self.pid)) <= {"T"}:
                return
            await asyncio.sleep(PAUSE_POLL_SECONDS)
        raise NodeError(f"process {self.pid} does not stand still {PAUSE_SECONDS_MAX} s after SIGSTOP")

    async def resume(self) -> None:
        """SIGCONT: it goes on at once."""
        self.signal(signal.SIGCONT)

    def log_tail(self) -> str:
        """The end of its log, for an error message."""
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").strip() or "(its log is empty)"

    def _watch(self) -> None:
        """The thread: hand on stdout, keep it in the log, wait for the end."""
        stdout = self._process.stdout
        if stdout is not None:
            with stdout:
                for line in stdout:
                    self._log.write(line)
                    self._call(self._on_line, line)
        code = self._process.wait()
        while _group_exists(self.pid) and group_states(self.pid):
            time.sleep(GROUP_POLL_SECONDS)
        self._log.close()
        self._call(self._reap, code)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            pass  # the loop was closed: nobody is left to tell

    def _reap(self, code: int) -> None:
        self._exit_code = code
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                pass  # unsent bytes for a process that is gone
        self._guard.forget(self.pid)
        self._ended.set()
        self._on_end(code)


def _group_exists(group: int) -> bool:
    """Whether the kernel knows the group, if only by zombies: cheaper to ask than what they do."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody is in it, whoever that is
    return True
