"""What stands behind the fixture `rocketmq_server`: a real RocketMQ endpoint in a fraction of a second, without a JVM.

One process (NameServer and broker) per pytest session, so one per xdist worker; emptied between tests. Needs nothing
beyond the bare package. The fixtures themselves are the plugin's; conformance runs do not use them.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mqcheck.errors import NodeError
from mqcheck.guard import Guard

READY_SECONDS_MAX: Final = 30.0
"""How long the server may take to be ready; 0.3 s is usual. Ours."""

STOP_SECONDS_MAX: Final = 5.0
"""How long a clean stop may take before it is killed. Ours."""

CONTROL_SECONDS_MAX: Final = 5.0
"""How long an answer on the control channel may take. Ours."""

LOG_TAIL_BYTES: Final = 2_000
"""How much of the server's log an error shows. Ours."""

ROOT: Final = Path(__file__).parents[1]
"""Where both packages lie: the server's working folder, so that it is found in a checkout too."""


class RocketMQServer:
    """A NameServer and a broker in one process, on free ports of 127.0.0.1."""

    nameserver_address: str
    """What clients are to be given, as "host:port"."""
    broker_address: str
    """The broker behind it; clients find it by themselves."""
    settings: Mapping[str, Any]
    """Effective values by RocketMQ's property names, `namesrv` and `broker`."""

    def __init__(self, folder: Path, properties: Mapping[str, object], guard: Guard) -> None:
        self._folder = folder
        self._properties = {
            "namesrv.listenPort": 0,
            "broker.listenPort": 0,
            "storePathRootDir": folder / "store",
            **properties,
        }
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def running(self) -> bool:
        """False before the first start, after `stop`, and when a test has ended it."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the server's process. Raises NodeError when it is not running."""
        return self._running().pid

    def start(self) -> None:
        """Start it, unless it runs; raises NodeError with the end of its log when it is not ready in time."""
        if self.running:
            return
        self.stop()
        self._control, theirs = socket.socketpair()
        self._control.settimeout(CONTROL_SECONDS_MAX)
        command = [sys.executable, "-m", "reference_impl", "all", "--control", str(theirs.fileno())]
        for key, value in self._properties.items():
            command += ["-p", f"{key}={str(value).lower() if isinstance(value, bool) else value}"]
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
        try:
            ready = self._ready_line(self._process)
        except BaseException:
            self.stop()
            raise
        self.nameserver_address = ready["address"]
        self.broker_address = ready["broker"]["address"]
        self.settings = {"namesrv": ready["namesrv"]["settings"], "broker": ready["broker"]["settings"]}

    def empty(self) -> None:
        """Drop all topics, groups, messages and offsets; raises NodeError when the server does not do it."""
        self._running()
        answer = self._ask({"do": "empty"})
        if not answer.get("ok"):
            raise NodeError(f"the server was not emptied: {answer}; its log: {self._tail()}")

    def stop(self) -> None:
        """End it cleanly, or at once when that takes too long. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._guard.forget(process.pid)
        if process.stdout is not None:
            process.stdout.close()
        if self._control is not None:
            self._control.close()

    @property
    def _log(self) -> Path:
        return self._folder / "rocketmq_server.log"

    def _tail(self) -> str:
        return self._log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").strip() or "(empty)"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or not self.running:
            raise NodeError(f"the server is not running; start() it again. Its log: {self._tail()}")
        return self._process

    def _ready_line(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        stdout = process.stdout
        deadline = time.monotonic() + READY_SECONDS_MAX
        line = b""
        while stdout is not None and not line.endswith(b"\n"):
            readable, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            piece = stdout.read1() if readable else b""  # type: ignore[attr-defined]
            if not piece:
                raise NodeError(f"the server was not ready within {READY_SECONDS_MAX} s; its log: {self._tail()}")
            line += piece
        ready: dict[str, Any] = json.loads(line)
        return ready

    def _ask(self, question: Mapping[str, object]) -> dict[str, Any]:
        try:
            answer = self._exchange(json.dumps(question).encode() + b"\n")
        except OSError as error:
            raise NodeError(f"no answer to {question}: {error}; the server's log: {self._tail()}") from error
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    def _exchange(self, line: bytes) -> bytes:
        control = self._control
        if control is None:
            raise ConnectionError("there is no control channel")
        control.sendall(line)
        answer = b""
        while not answer.endswith(b"\n"):
            piece = control.recv(65_536)
            if not piece:
                raise ConnectionError("the control channel ended")
            answer += piece
        return answer
