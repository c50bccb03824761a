"""The runner's end of the reference's fork server: nodes without the time that importing takes.

What is started is a process of its own in every way but one: it is the server's child, not ours, so that the server
tells when it has ended. What the two say to each other is in `reference_impl/fork_server.py`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import IO, Any, Final

from mqcheck.errors import NodeError
from mqcheck.guard import Guard
from mqcheck.targets.processes import LOG_TAIL_BYTES

READY_SECONDS_MAX: Final = 30.0
"""How long the server may take until it can fork; half a second is usual. Ours."""

START_SECONDS_MAX: Final = 10.0
"""How long one fork may take; milliseconds are usual. Ours."""

END_SECONDS_MAX: Final = 5.0
"""How long the server may take to end; milliseconds are usual. Ours."""


class ForkedProcess:
    """A process that the fork server has started: what a watched process needs of it."""

    stdin: IO[bytes] | None = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.stdout: IO[bytes] | None = None
        self._ended: Future[int] = Future()

    def wait(self) -> int:
        """Its exit status once it has ended, negative for a signal. Blocks."""
        return self._ended.result()

    def end(self, status: int) -> None:
        """It has ended; called by the thread that hears of it."""
        self._ended.set_result(status)


class ForkServer:
    """Starts nodes of the reference for one guard; `start` and `close` are called by one thread."""

    def __init__(self, guard: Guard, command: Sequence[str], cwd: Path) -> None:
        """Run `command` with ``fork-server --control FD`` in `cwd`, until it can fork. Blocks. Raises NodeError."""
        self._ours, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the server
        self._answer: Future[ForkedProcess] | None = None
        self._living: dict[int, ForkedProcess] = {}
        self.ended = False
        """True once it can start nothing any more."""
        with theirs:
            self._process = subprocess.Popen(
                [*command, "fork-server", "--control", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                process_group=0,
                pass_fds=(theirs.fileno(),),
                env=guard.environment(),
                cwd=cwd,
            )
        self._guard = guard
        guard.process(self._process.pid)
        self._lines = self._ours.makefile("rb")
        self._ours.settimeout(READY_SECONDS_MAX)
        try:
            ready = self._lines.readline()
        except OSError:
            ready = b""
        if not ready:
            said = self._said()
            self.close()
            raise NodeError(f"the reference's fork server was not ready in {READY_SECONDS_MAX} s: {said}")
        self._ours.settimeout(None)
        threading.Thread(target=self._listen, name="mqcheck-forks", daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the server."""
        return self._process.pid

    def start(self, arguments: Sequence[str], log: IO[bytes], pass_fds: Sequence[int] = ()) -> ForkedProcess:
        """Fork a node: its standard error is `log`, its standard output a pipe. Raises NodeError."""
        answer = self._answer = Future()
        output, theirs = os.pipe()
        try:
            request = {"arguments": list(arguments), "descriptors": [1, 2, *pass_fds]}
            line = json.dumps(request).encode() + b"\n"
            sent = socket.send_fds(self._ours, [line], [theirs, log.fileno(), *pass_fds])
            self._ours.sendall(line[sent:])
            process = answer.result(START_SECONDS_MAX)
        except (OSError, FutureTimeoutError) as error:
            os.close(output)
            # What it answers later would be taken for the answer to the next request.
            self._process.kill()
            raise NodeError(f"the reference's fork server does not fork ({error!r}): {self._said()}") from error
        except NodeError:
            os.close(output)
            raise
        finally:
            os.close(theirs)
        process.stdout = os.fdopen(output, "rb")
        return process

    def close(self) -> None:
        """End the server, and with it what it has started and still lives. Blocks. Idempotent."""
        if self._ours.fileno() < 0:
            return
        self._ours.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._guard.forget(self._process.pid)
        self._lines.close()
        self._ours.close()
        self._log.close()

    def _listen(self) -> None:
        """The thread: births and deaths until the server ends."""
        try:
            for line in self._lines:
                self._hear(json.loads(line))
        except (OSError, ValueError):
            pass  # it was closed, or ended in the middle of a line
        self.ended = True
        if self._answer is not None:
            self._answer.set_exception(NodeError(f"the reference's fork server has ended: {self._said()}"))
        for process in list(self._living.values()):
            # Nobody is left who would see its end.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass  # it ended a moment ago
            process.end(-signal.SIGKILL)

    def _hear(self, told: dict[str, Any]) -> None:
        if "status" in told:
            self._living.pop(told["pid"]).end(told["status"])
            return
        answer, self._answer = self._answer, None
        assert answer is not None  # noqa: S101 - it answers what was asked
        if "error" in told:
            answer.set_exception(NodeError(f"the reference's fork server cannot fork: {told['error']}"))
        else:
            process = self._living[told["pid"]] = ForkedProcess(told["pid"])
            answer.set_result(process)

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").strip() or "it said nothing"
