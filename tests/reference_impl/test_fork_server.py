"""The fork server: nodes with their own group, descriptors and ends; what it imports is what nodes need."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reference_impl.fork_server import IMPORTED

pytestmark = pytest.mark.slow

DEADLINE_S = 20.0
"""How long anything may take before a test gives up."""

NAMESRV = ["namesrv", "-p", "listenPort=0"]


class Server:
    """A fork server and our end of its socket."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(DEADLINE_S)
        command = [sys.executable, "-m", "reference_impl", "fork-server", "--control", str(theirs.fileno())]
        with theirs:
            self.process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE)
        self.lines = self.ours.makefile("rb")
        assert self.hear() == {"ready": True}

    def hear(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.lines.readline())
        return found

    def ask(self, arguments: list[str], descriptors: dict[int, int]) -> None:
        """``descriptors``: ours by the number in the node."""
        line = json.dumps({"arguments": arguments, "descriptors": list(descriptors)}).encode() + b"\n"
        socket.send_fds(self.ours, [line], list(descriptors.values()))

    def fork(self, arguments: list[str]) -> tuple[int, dict[str, Any]]:
        """Pid and ready line of a node."""
        output, theirs = os.pipe()
        self.ask(arguments, {1: theirs})
        os.close(theirs)
        pid = self.hear()["pid"]
        with os.fdopen(output, "rb") as stdout:
            return pid, json.loads(stdout.readline())


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.lines.close()
    started.ours.close()
    _, errors = started.process.communicate(timeout=DEADLINE_S)
    assert (started.process.returncode, errors) == (0, b"")


def test_nodes_are_processes_of_their_own_and_their_ends_are_told(server: Server) -> None:
    (first, line), (second, _) = server.fork(NAMESRV), server.fork(NAMESRV)
    assert (line["pid"], line["role"]) == (first, "namesrv")
    assert [os.getpgid(pid) for pid in (first, second)] == [first, second]
    assert os.getpgid(server.process.pid) not in (first, second)
    os.kill(first, signal.SIGTERM)
    assert server.hear() == {"pid": first, "status": 0}
    os.killpg(second, signal.SIGKILL)
    assert server.hear() == {"pid": second, "status": -signal.SIGKILL}


def test_a_node_has_its_group_as_soon_as_its_pid_is_told(server: Server) -> None:
    for _ in range(30):
        server.ask(NAMESRV, {})
        pid = server.hear()["pid"]
        os.killpg(pid, signal.SIGKILL)
        assert server.hear() == {"pid": pid, "status": -signal.SIGKILL}


def test_a_node_that_refuses_its_settings_says_so_where_it_was_told_to(server: Server) -> None:
    """Standard error goes to 2 although the number of its descriptor here is another node's number there."""
    errors, theirs = os.pipe()
    server.ask(["broker", "-p", "brokerRole=NONE"], {2: theirs, theirs: theirs})
    os.close(theirs)
    pid = server.hear()["pid"]
    with os.fdopen(errors, "rb") as stderr:
        assert b"brokerRole" in stderr.read()
    assert server.hear() == {"pid": pid, "status": 2}


def test_nodes_hold_nothing_of_the_server_and_of_each_other(server: Server) -> None:
    """A descriptor that is let go here and in its node is closed: no later node has it."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(DEADLINE_S)
        server.ask([*NAMESRV, "--control", "9"], {9: theirs.fileno()})
        theirs.close()
        pid = server.hear()["pid"]
        ours.sendall(b'{"do": "ping"}\n')
        assert json.loads(ours.recv(1000)) == {"ok": True}
        other, _ = server.fork(NAMESRV)
        held = {os.readlink(f"/proc/{other}/fd/{name}") for name in os.listdir(f"/proc/{other}/fd")}
        own = {os.readlink(f"/proc/{pid}/fd/9"), os.readlink(f"/proc/{server.process.pid}/fd/{_channel(server)}")}
        assert not held & own
        os.kill(pid, signal.SIGKILL)
        assert ours.recv(1) == b""
        assert server.hear() == {"pid": pid, "status": -signal.SIGKILL}
        os.kill(other, signal.SIGKILL)


def _channel(server: Server) -> int:
    """The number of the server's end of its socket."""
    words = Path(f"/proc/{server.process.pid}/cmdline").read_bytes().split(b"\0")
    return int(words[words.index(b"--control") + 1])


def test_nodes_outlive_the_server(server: Server) -> None:
    pid, _ = server.fork(NAMESRV)
    server.ours.shutdown(socket.SHUT_RDWR)
    assert server.process.wait(DEADLINE_S) == 0
    os.kill(pid, 0)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("request_line", [b"{\n", b'{"arguments": [], "descriptors": [1]}\n'])
def test_what_is_no_request_ends_it(request_line: bytes) -> None:
    server = Server()
    server.ours.sendall(request_line)
    _, errors = server.process.communicate(timeout=DEADLINE_S)
    server.lines.close()
    server.ours.close()
    assert (server.process.returncode, b"Error" in errors) == (1, True)


def test_without_a_socket_it_says_what_it_needs() -> None:
    command = [sys.executable, "-m", "reference_impl", "fork-server"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert (done.returncode, "--control" in done.stderr) == (2, True)


def test_it_imports_all_that_a_node_does(tmp_path: Path) -> None:
    """What a broker has loaded when it is ready, the server has too: no node spends its time on that."""
    settings = ["-p", "listenPort=0", "-p", f"storePathRootDir={tmp_path}"]
    # What is imported by name is not listed.
    named = {f"reference_impl.{name}" for name in IMPORTED}
    assert _imported_by("broker", *settings) - _imported_by("fork-server") - named == set()


def _imported_by(*arguments: str) -> set[str]:
    """Modules that were loaded when it had its control socket and was asked to end."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-X", "importtime", "-m", "reference_impl", *arguments]
    with ours, theirs:
        process = subprocess.Popen(
            [*command, "--control", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        ours.settimeout(DEADLINE_S)
        if arguments[0] != "fork-server":
            ours.sendall(b'{"do": "ping"}\n')
        assert json.loads(ours.recv(1000))
        if arguments[0] != "fork-server":
            process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, errors[-2000:]
    return {line.rpartition("|")[2].strip() for line in errors.splitlines() if line.startswith("import time:")}
