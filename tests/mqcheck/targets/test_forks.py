"""The runner's end of the fork server: starts, ends, and a server that is gone."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqcheck.errors import NodeError
from mqcheck.guard import Guard, start_time
from mqcheck.targets.forks import ForkedProcess, ForkServer

pytestmark = pytest.mark.slow

REFERENCE = [sys.executable, "-m", "reference_impl"]
NAMESRV = ["namesrv", "-p", "listenPort=0"]


@pytest.fixture
def server(guard: Guard) -> Iterator[ForkServer]:
    started = ForkServer(guard, REFERENCE, Path.cwd())
    yield started
    started.close()
    started.close()


def start(server: ForkServer, tmp_path: Path, arguments: list[str]) -> ForkedProcess:
    with (tmp_path / "node.log").open("ab") as log:
        return server.start(arguments, log)


def line_of(process: ForkedProcess) -> bytes:
    assert process.stdout is not None
    with process.stdout:
        return process.stdout.readline()


def test_a_node_says_that_it_is_ready_and_its_end_is_seen(server: ForkServer, tmp_path: Path) -> None:
    node = start(server, tmp_path, NAMESRV)
    assert b'"role":"namesrv"' in line_of(node)
    os.kill(node.pid, signal.SIGTERM)
    assert node.wait() == 0
    refusing = start(server, tmp_path, ["namesrv", "-p", "noSuchSetting=1"])
    assert (line_of(refusing), refusing.wait()) == (b"", 2)
    assert "noSuchSetting" in (tmp_path / "node.log").read_text()


def test_what_lives_ends_with_the_server(server: ForkServer, tmp_path: Path) -> None:
    node = start(server, tmp_path, NAMESRV)
    line_of(node)
    server.close()
    assert node.wait() == -signal.SIGKILL
    assert (server.ended, start_time(node.pid)) == (True, None)


def test_a_server_that_was_killed_starts_nothing_and_takes_its_nodes_along(
    server: ForkServer, tmp_path: Path, guard: Guard
) -> None:
    node = start(server, tmp_path, NAMESRV)
    line_of(node)
    os.kill(server.pid, signal.SIGKILL)
    assert node.wait() == -signal.SIGKILL
    with pytest.raises(NodeError, match="fork server"):
        start(server, tmp_path, NAMESRV)


def test_a_server_that_does_not_come_up_shows_what_it_said(guard: Guard) -> None:
    with pytest.raises(NodeError, match="no such thing"):
        ForkServer(guard, [sys.executable, "-c", "import sys; sys.exit('no such thing')"], Path.cwd())
