"""One process of the reference through all its lives: started, told things on its control channel, ended in every way.

For plain tests: every method blocks. Its ports are held for it, so that clients find it where it was. What is a fault
and what a test wants is `faults`'; what several nodes make is `cluster`'s.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from mqcheck.errors import NodeError, RefusedError
from mqcheck.guard import Guard, process_state
from mqcheck.targets.ports import HeldPorts

READY_SECONDS_MAX: Final = 30.0
"""How long a node may take to be ready; 0.3 s is usual. Ours."""

STOP_SECONDS_MAX: Final = 5.0
"""How long a clean stop may take before it is killed. Ours."""

CONTROL_SECONDS_MAX: Final = 5.0
"""How long an answer on the control channel may take. Ours."""

STILL_SECONDS_MAX: Final = 2.0
"""How long a stopped process may take until the kernel says that it stands still. Ours."""

LOG_TAIL_BYTES: Final = 2_000
"""How much of a log an error shows. Ours."""

UNUSABLE_SETTING: Final = 2
"""Exit status of a node that refuses what it was started with."""

ROOT: Final = Path(__file__).parents[2]
"""Where both packages lie: a node's working folder, so that it is found in a checkout too."""

Role = Literal["all", "namesrv", "broker"]


class Node:
    """One process: a NameServer, a broker, or both. Raises NodeError for everything that goes wrong with it."""

    def __init__(
        self, name: str, role: Role, folder: Path, properties: Mapping[str, object], guard: Guard, store: Path | None
    ) -> None:
        """`folder` takes its log; `store` is what a broker keeps. A listenPort among `properties` is its own affair."""
        self.name = name
        self.role = role
        self.store = store
        self.ready: Mapping[str, Any] = {}
        """Its ready line; empty while it does not run."""
        self.address = ""
        """Where clients find it, through all its lives: of one with both roles, its NameServer."""
        self.ahead_ms = 0
        """How far its clock is ahead of true; kept through its lives."""
        self.paused = False
        self.life = 0
        """How often it was started; what it was told on its control channel ends with a life."""
        self._log = folder / f"{name}.log"
        self._properties = dict(properties)
        self._guard = guard
        self._held: list[HeldPorts] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._heard = b""
        """Read from the control channel and not looked at."""
        self._owed = 0
        """Answers that are to come."""

    @property
    def running(self) -> bool:
        """False before the first start, after a stop, and when somebody has ended it. A paused one runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._running().pid

    def spawn(self) -> None:
        """Begin its next life, unless it runs; `wait_ready` waits for it."""
        if self.running:
            return
        self.stop()
        self._hold_ports()
        self._control, theirs = socket.socketpair()
        self._heard, self._owed = b"", 0
        self._control.settimeout(CONTROL_SECONDS_MAX)
        command = [sys.executable, "-m", "reference_impl", self.role, "--control", str(theirs.fileno())]
        if self.ahead_ms:
            command += ["--clock-ahead", str(self.ahead_ms)]
        for key, value in self._properties.items():
            command += ["-p", f"{key}={str(value).lower() if isinstance(value, bool) else value}"]
        self.ready = {}
        with self._log.open("ab") as log, theirs:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                process_group=0,
                pass_fds=(theirs.fileno(),),
                env=self._guard.environment(),
                cwd=ROOT,
            )
        self._guard.process(self._process.pid)
        self.life += 1

    def wait_ready(self) -> None:
        """Wait until it serves; NodeError with the end of its log when that is not in time, RefusedError when it does
        not take a setting; nothing is left then.
        """
        if self.ready or self._process is None:
            return
        try:
            self.ready = self._ready_line(self._process)
            self.address = self.ready["address"]
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        """`spawn` and `wait_ready`."""
        self.spawn()
        self.wait_ready()

    def ask(self, **question: object) -> dict[str, Any]:
        """Ask on the control channel; NodeError when it says no, or nothing in time."""
        self._running()
        if self.paused:
            raise NodeError(f"{self.name} is paused, so it answers nothing: resume() it first; asked was {question}")
        try:
            answer: dict[str, Any] = json.loads(self._exchange(json.dumps(question).encode() + b"\n"))
        except (OSError, ValueError) as error:
            raise NodeError(f"no answer of {self.name} to {question}: {error}; its log: {self.log_tail()}") from error
        if not answer.get("ok"):
            raise NodeError(
                f"{self.name} refused {question}: {answer.get('error', answer)}; its log: {self.log_tail()}"
            )
        return answer

    def stop(self) -> None:
        """End it cleanly, or at once when that takes too long. Idempotent."""
        process = self._process
        if process is None:
            return
        self._signal(process, signal.SIGTERM)
        self._signal(process, signal.SIGCONT)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._signal(process, signal.SIGKILL)
        self._ended(process)

    def kill(self) -> None:
        """End it at once, as SIGKILL does; what it had written stays."""
        process = self._running()
        self._signal(process, signal.SIGKILL)
        self._ended(process)

    def power_cut(self, rng: random.Random, *, torn: bool) -> Mapping[str, Any]:
        """End it at once, and drop what it had not synced; what was dropped. NodeError where it keeps nothing."""
        from mqcheck.faults.power import apply_power_cut

        if self.store is None:
            raise NodeError(f"{self.name} keeps nothing that a power cut could take: cut a broker's power")
        self.kill()
        return apply_power_cut(self.store, rng, torn=torn)

    def pause(self) -> None:
        """Freeze it; it stands still when this returns. The kernel goes on accepting its connections."""
        process = self._running()
        self._signal(process, signal.SIGSTOP)
        end = time.monotonic() + STILL_SECONDS_MAX
        while process_state(process.pid) not in ("T", None):
            if time.monotonic() > end:
                raise NodeError(f"{self.name} does not stand still after SIGSTOP")
            time.sleep(0.001)
        self.paused = True

    def resume(self) -> None:
        """Let it go on. Nothing happens when it is not paused."""
        if self._process is not None:
            self._signal(self._process, signal.SIGCONT)
        self.paused = False

    def close(self) -> None:
        """Stop it for good, and give its ports back. Idempotent."""
        self.stop()
        for held in self._held:
            held.close()
        self._held.clear()

    def log_tail(self) -> str:
        """The end of its log."""
        if not self._log.exists():
            return "(none)"
        return self._log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").strip() or "(empty)"

    def _hold_ports(self) -> None:
        """The ports of its first life are its own until it is closed."""
        if self._held:
            return
        prefixes = ("namesrv.", "broker.") if self.role == "all" else ("",)
        for prefix in prefixes:
            if f"{prefix}listenPort" not in self._properties:
                held = HeldPorts(broker=prefix == "broker." or self.role == "broker")
                self._held.append(held)
                self._properties[f"{prefix}listenPort"] = held.port

    def _signal(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        if process.poll() is None:
            os.killpg(process.pid, number)

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._process, self.paused, self.ready = None, False, {}
        self._guard.forget(process.pid)
        if process.stdout is not None:
            process.stdout.close()
        if self._control is not None:
            self._control.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or not self.running:
            raise NodeError(f"{self.name} is not running; start() it again. Its log: {self.log_tail()}")
        return self._process

    def _ready_line(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        stdout = process.stdout
        deadline = time.monotonic() + READY_SECONDS_MAX
        line = b""
        while stdout is not None and not line.endswith(b"\n"):
            readable, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            piece = stdout.read1() if readable else b""  # type: ignore[attr-defined]
            if readable and not piece:
                raise self._ended_early(process)
            if not piece:
                raise NodeError(f"{self.name} was not ready within {READY_SECONDS_MAX} s; its log: {self.log_tail()}")
            line += piece
        ready: dict[str, Any] = json.loads(line)
        return ready

    def _ended_early(self, process: subprocess.Popen[bytes]) -> NodeError | RefusedError:
        """Its output has ended before its ready line: refused, or fallen."""
        try:
            code = process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return NodeError(f"{self.name} closed its output and did not end; its log: {self.log_tail()}")
        if code == UNUSABLE_SETTING:
            return RefusedError(f"{self.name} refused what it was started with: {self.log_tail()}")
        return NodeError(f"{self.name} ended with status {code} before it was ready; its log: {self.log_tail()}")

    def _exchange(self, line: bytes) -> bytes:
        control = self._control
        if control is None:
            raise ConnectionError("there is no control channel")
        control.sendall(line)
        self._owed += 1
        while self._owed:
            # An answer that came too late is not the one to this question.
            answer, newline, rest = self._heard.partition(b"\n")
            if newline:
                self._heard, self._owed = rest, self._owed - 1
                continue
            piece = control.recv(65_536)
            if not piece:
                raise ConnectionError("the control channel ended")
            self._heard += piece
        return answer
